# SPDX-License-Identifier: GPL-2.0-only
"""Logs of the tree's own selftests in, verdicts out; and the list of programs."""

import tempfile
import unittest
from pathlib import Path

from lab import report, selftests
from lab.data import Selftest, read_selftests
from lab.errors import LabError, Status
from lab.results import Verdict

NAME = "hmm-tests"
RESULTS, CONSOLE = ((Path(__file__).parent / f"golden/{NAME}.{log}").read_text() for log in ("results", "console"))
SNAPSHOT = "hmm2.hmm2_device_coherent.snapshot"
ANON_READ = "hmm.hmm_device_private.anon_read"
# What 6.1's mrelease_test prints: neither plan nor result.
BARE = "Success reaping a child with 1MB of memory allocations\nlab: mrelease_test exited 0\n"


def judged(text: str = RESULTS, console: str = CONSOLE, ended: bool = True) -> Verdict:
    """Judge one guest of hmm-tests."""
    return selftests.judge(NAME, text, console, ended=ended)


class Alone(unittest.TestCase):
    """One guest by itself."""

    def check(self, verdict: Verdict, status: Status, words: str) -> None:
        self.assertEqual(verdict.status, status)
        self.assertIn(words, "\n".join(verdict.problems))

    def test_provoked_warnings(self) -> None:
        console = CONSOLE + "[    1.000000] WARNING: CPU: 0 PID: 1 at mm/x.c:1 f+0x1/0x2\n"
        self.check(judged(console=console), Status.GUEST, "splat: WARNING")
        verdict = selftests.judge(NAME, RESULTS, console, reports=(r"WARNING:.*at.mm/x\.c:",))
        self.assertEqual(verdict.status, Status.OK)
        verdict = selftests.judge(NAME, RESULTS, console.replace("x.c", "y.c"), reports=(r"WARNING:.*at.mm/x\.c:",))
        self.check(verdict, Status.GUEST, "splat: WARNING")

    def test_as_it_should_be(self) -> None:
        verdict = judged()
        self.assertEqual((verdict.status, verdict.problems), (Status.OK, []))
        self.assertEqual(list(verdict.outcomes.values()), ["pass", "pass", "pass", "skip"])
        self.assertEqual(verdict.reasons[SNAPSHOT], "DEVICE_COHERENT not available")

    def test_results_without_a_name(self) -> None:
        self.assertEqual(judged(RESULTS.replace(f"ok 4 {SNAPSHOT} #", "ok 4 #")).outcomes, judged().outcomes)

    def test_carriage_returns_do_not_matter(self) -> None:
        self.assertEqual(judged(RESULTS.replace("\n", "\r\n")).outcomes, judged().outcomes)

    def test_exit_status_is_the_result_of_a_program_without_results(self) -> None:
        for status, outcome in ((0, "pass"), (1, "fail"), (4, "skip"), (127, "fail")):
            verdict = selftests.judge("mrelease_test", BARE.replace("exited 0", f"exited {status}"), CONSOLE)
            self.assertEqual((verdict.status, verdict.outcomes), (Status.OK, {"mrelease_test": outcome}))

    def test_a_text_with_a_number_names_nothing(self) -> None:
        found = [selftests.judge("x", f"1..1\nok 1 reaped {size}MB\nlab: x exited 0\n", CONSOLE).outcomes for size in (1, 2)]
        self.assertEqual(found, [{"x 1": "pass"}] * 2)

    def test_empty_logs(self) -> None:
        self.check(judged(""), Status.NO_RESULT, "wrote no results")
        self.check(judged(console="\n"), Status.NO_RESULT, "nothing on its console")
        self.check(judged(console=CONSOLE + "** 3 printk messages dropped **\n"), Status.NO_RESULT, "lost messages")

    def test_every_cut_is_seen(self) -> None:
        for text, name in ((RESULTS, NAME), (BARE, "mrelease_test")):
            for length in range(len(text)):
                self.assertEqual(selftests.judge(name, text[:length], CONSOLE).status, Status.NO_RESULT, text[:length])

    def test_what_is_lost_or_doubled(self) -> None:
        for spoilt, words in (
            (RESULTS.replace("1..4", "1..5"), "4 results of 5"),
            (RESULTS.replace("1..4\n", ""), "4 results of None"),
            (RESULTS.replace("ok 2", "garbled 2"), "result 3"),
            (RESULTS.replace(f"ok 4 {SNAPSHOT}", f"okay {SNAPSHOT}"), "3 results of 4"),
            (RESULTS.replace("exited 0", "killed by signal 11"), "killed by signal 11"),
            (RESULTS.replace("exited 0", "exited 1"), "though no test failed"),
            (RESULTS.replace("# PASSED", "Bail out! # PASSED"), "Bail out!"),
            (RESULTS.replace("lab: hmm-tests", "lab: kit"), "lab: kit exited"),
        ):
            self.check(judged(spoilt), Status.NO_RESULT, words)

    def test_splat_and_hang(self) -> None:
        self.check(judged(console=CONSOLE + "[   13.0] WARNING: CPU: 1 PID: 9 at mm/memory.c:1\n"), Status.GUEST, "mm/memory.c:1")
        self.check(judged(RESULTS[:200], ended=False), Status.GUEST, "hung and was stopped")


class Compared(unittest.TestCase):
    """Stock against patched."""

    def compare(self, patched: Verdict, stock: Verdict | None = None) -> Verdict:
        selftests.same(stock or judged(), patched)
        return patched

    def check(self, patched: str, name: str, words: str) -> None:
        """Expect TEST_FAILED because of one test."""
        verdict = self.compare(judged(patched))
        self.assertEqual((verdict.status, verdict.unexpected), (Status.TEST_FAILED, [name]))
        self.assertIn(words, verdict.problems[0])

    def test_same(self) -> None:
        self.assertEqual(self.compare(judged()).status, Status.OK)

    def test_failing_alike_is_the_same(self) -> None:
        failing = RESULTS.replace("ok 2", "not ok 2").replace("exited 0", "exited 1")
        self.assertEqual(self.compare(judged(failing), judged(failing)).status, Status.OK)

    def test_one_fails_now(self) -> None:
        self.check(RESULTS.replace("ok 2", "not ok 2"), ANON_READ, "pass on stock, fail with the series")

    def test_one_is_skipped_now(self) -> None:
        self.check(RESULTS.replace(f"ok 2 {ANON_READ}", f"ok 2 {ANON_READ} # SKIP no memory"), ANON_READ, "skip with the series (no memory)")

    def test_one_is_lost(self) -> None:
        lines = RESULTS.replace("1..4", "1..3").splitlines(keepends=True)
        fewer = "".join(line for line in lines if SNAPSHOT not in line)
        self.check(fewer, SNAPSHOT, "skip on stock, no result with the series")

    def test_one_is_new(self) -> None:
        more = RESULTS.replace("1..4", "1..5").replace("# PASSED", "#  RUN           new ...\nok 5 new\n# PASSED")
        self.check(more, "new", "no result on stock, pass with the series")

    def test_nothing_passes(self) -> None:
        none = "TAP version 13\n1..1\nok 1 all # SKIP no driver\nlab: hmm-tests exited 4\n"
        self.assertEqual(self.compare(judged(none), judged(none)).status, Status.NO_RESULT)

    def test_a_broken_guest_stays_broken(self) -> None:
        self.assertEqual(self.compare(judged(ended=False)).status, Status.GUEST)
        self.assertEqual(self.compare(judged(), judged("")).status, Status.OK)  # the stock guest is the failure then

    def test_report(self) -> None:
        verdicts = {"stock": judged(), "patched": judged(RESULTS.replace("ok 2", "not ok 2"))}
        self.assertEqual(report.selftest(NAME, {"stock": judged(), "patched": judged()}, {"x": "slow"}),
                         "hmm-tests: stock 3 pass, 1 skip; patched 3 pass, 1 skip: same\n    without x: slow")
        selftests.same(*verdicts.values())
        self.assertEqual(report.selftest(NAME, verdicts, {}),
                         "hmm-tests: stock 3 pass, 1 skip; patched 2 pass, 1 fail, 1 skip: NOT the same")


class OfTheSeries(unittest.TestCase):
    """A program that the series adds."""

    def test_all_must_pass(self) -> None:
        for text, skip, status in (
            (RESULTS, SNAPSHOT, Status.OK),
            (RESULTS, "another", Status.TEST_FAILED),
            (RESULTS.replace("ok 2", "not ok 2"), SNAPSHOT, Status.TEST_FAILED),
            ("lab: hmm-tests exited 4\n", NAME, Status.NO_RESULT),
        ):
            verdict = judged(text)
            selftests.all_pass(verdict, [skip])
            self.assertEqual(verdict.status, status)

    def test_must_fail_without_its_cure(self) -> None:
        for verdict, status in (
            (judged(RESULTS.replace("ok 2", "not ok 2")), Status.OK),
            (judged(RESULTS[:200], ended=False), Status.OK),
            (judged(), Status.TEST_FAILED),
            (judged(""), Status.NO_RESULT),
        ):
            whole, failed = Verdict(), ["case"]
            selftests.fails(verdict, NAME, whole, failed)
            self.assertEqual((whole.status, failed), (status, ["case"] + [NAME] * (status == Status.OK)))


class Listed(unittest.TestCase):
    """configs/selftests, and what of it a tree has."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def read(self, text: str) -> list[Selftest]:
        (self.folder / "selftests").write_text(text)
        return read_selftests(self.folder / "selftests")

    def test_a_line_has_it_all(self) -> None:
        one, two = self.read("a stock mm,vm - boot=x=1 boot=y args=-v,b\na exclude slow takes a minute\nb series mm cure,other skip=c,d reports=WARNING:.*x\n")
        self.assertEqual(one, Selftest("a", "stock", ("mm", "vm"), (), ("x=1", "y"), ("-v", "b"), exclude={"slow": "takes a minute"}))
        self.assertEqual(two, Selftest("b", "series", ("mm",), ("cure", "other"), skip=("c", "d"), reports=("WARNING:.*x",)))

    def test_bad_lines(self) -> None:
        for bad in ("a stock mm", "a both mm -", "a stock mm - x=1", "a stock mm - boot", "a stock mm - reports=(", "a exclude slow why", "a stock mm -\na exclude slow",
                    "a stock mm -\na series mm -"):
            with self.subTest(line=bad), self.assertRaises(LabError) as caught:
                self.read(f"{bad}\n")
            self.assertEqual(caught.exception.status, Status.USAGE)

    def test_found_in_one_of_its_folders_or_not_at_all(self) -> None:
        test = Selftest("a", "stock", ("mm", "vm"), ())
        self.assertIsNone(selftests.find(test, self.folder))
        source = self.folder / selftests.FOLDER / "vm/a.c"
        source.parent.mkdir(parents=True)
        source.touch()
        self.assertEqual(selftests.find(test, self.folder), source)

    def test_words_of_the_guest(self) -> None:
        built = selftests.Built(Selftest("a", "stock", ("mm",), (), ("x=1",), ("-v",)), {"slow": "why"})
        self.assertTrue(built.words.endswith(" x=1 lab.run=/selftests/a,-v,-T,slow"))

    def test_a_program_that_does_not_compile(self) -> None:
        source = self.folder / "src" / selftests.FOLDER / "mm/a.c"
        source.parent.mkdir(parents=True)
        source.write_text("#error no\n")
        trees = {"stock": (self.folder / "src", "x"), "series": (self.folder / "src", "y")}
        with self.assertRaises(LabError) as caught:
            selftests.build(self.folder / "place", [Selftest("a", "series", ("mm",), ())], trees)
        self.assertEqual(caught.exception.status, Status.NOT_BUILT)


if __name__ == "__main__":
    unittest.main()
