# SPDX-License-Identifier: GPL-2.0-only
"""The tree's own programs: logs in, verdicts out; the list of programs; what is built of it."""

from unittest import mock

from lab.judge.verdict import PATCHED, STOCK, Logs, Verdict
from lab.kernel.build import ARCHES
from lab.suites import selftests
from lab.suites.selftests import Program, Selftest
from lab.suites.suite import Expect
from lab.tests.judge.judging import (FAILED, FINE, GUEST, NOT_BUILT, NO_RESULT, OK, USAGE, WARNING,
                                     Judging, golden, spoilt)
from lab.verbs.revert import judge_without

NAME = "hmm-tests"
RESULTS = golden(f"{NAME}.results")
SNAPSHOT = "hmm2.hmm2_device_coherent.snapshot"
READ = "hmm.hmm_device_private.anon_read"
FAILING = RESULTS.replace("ok 2", "not ok 2")
STOCK_TEST = Selftest(NAME, "stock", ("mm", "vm"), ())


def judged(text: str = RESULTS, console: str = FINE, ended: bool = True,
           test: Selftest = STOCK_TEST, expect: Expect = Expect()) -> Verdict:
    return Program(test, None, {}).judge(Logs(text, console, ended), expect)


class Programs(Judging):
    def test_stock(self) -> None:
        """A failure is no deviation yet; a result may lack its name."""
        unnamed = RESULTS.replace(f"ok 4 {SNAPSHOT} #", "ok 4 #")
        for text in (RESULTS, unnamed, FAILING):
            verdict = self.check(judged(text), OK)
            self.assertEqual([*verdict.outcomes.items()][1::2], [
                (READ, "fail" if text == FAILING else "pass"), (SNAPSHOT, "skip")])
            self.assertEqual(verdict.reasons[SNAPSHOT], "DEVICE_COHERENT not available")
        twice = spoilt(RESULTS, f"  RUN           {SNAPSHOT}", f"  RUN           {READ}")
        self.check(judged(twice), NO_RESULT, f"{READ} has two results")
        reports = Selftest(NAME, "stock", (), (), reports=(r"WARNING:.*at.mm/x\.c:",))
        for console, status in (("", OK), (WARNING, OK), (WARNING.replace("x.c", "y.c"), GUEST)):
            console = golden("hmm-tests.console") + console
            self.check(judged(console=console, test=reports), status)

    def test_a_program_of_the_series(self) -> None:
        for text, skip, status in (
            (RESULTS, SNAPSHOT, OK), (RESULTS, "another", FAILED), (FAILING, SNAPSHOT, FAILED),
            ("lab: hmm-tests exited 4\n", NAME, NO_RESULT)):
            test = Selftest(NAME, "series", (), (), skip=(skip,))
            self.check(judged(text, test=test), status)
            for expect in (Expect("a-slug"), Expect(STOCK), Expect(PATCHED, whole=True)):
                self.check(judged(text, test=test, expect=expect), OK)

    def test_it_must_fail_without_its_cure(self) -> None:
        for verdict, status in ((judged(FAILING), OK), (judged(RESULTS[:200], ended=False), OK),
                                (judged(), FAILED), (judged(""), NO_RESULT)):
            boots = mock.MagicMock()
            boots.__getitem__.return_value = [mock.Mock(**{"suite.name": NAME})]
            kit = Verdict(outcomes={"case": "fail", "odd": "fail"}, unexpected=["odd"])
            whole, failed = judge_without(boots, [kit, verdict])
            self.check(whole, status)
            self.assertEqual(failed, ["case"] + [NAME] * (status == OK))

    def test_lines(self) -> None:
        text = ("a stock mm,vm - boot=x=1 boot=y args=-v,b\na exclude slow takes a minute\n"
                "b series mm cure,other skip=c,d reports=WARNING:.*x\n")
        self.assertEqual(selftests.read(self.write("selftests", text)), [
            Selftest("a", "stock", ("mm", "vm"), (), ("x=1", "y"), ("-v", "b"),
                     exclude={"slow": "takes a minute"}),
            Selftest("b", "series", ("mm",), ("cure", "other"), skip=("c", "d"),
                     reports=("WARNING:.*x",))])
        for bad in ("a stock mm", "a both mm -", "a stock mm - x=1", "a stock mm - boot",
                    "a stock mm - reports=(", "a exclude slow why", "a stock mm -\na exclude slow",
                    "a stock mm -\na series mm -"):
            self.refused(USAGE, "selftests:", selftests.read, self.write("selftests", bad))

    def test_sources(self) -> None:
        """A program may be in one of its folders or nowhere, and may not compile."""
        origin = mock.Mock(src=self.root, place=self.root / "place", tree_key="",
                           arch=ARCHES["x86_64"])
        test = Selftest("a", "stock", ("mm", "vm"), (), ("x=1", "x86_64:y", "arm64:z"), ("-v",),
                        exclude={"slow": "why", "gone": "why"})
        self.assertIsNone(Program(test, origin).source)
        self.refused(NOT_BUILT, "has no a.c", Program(test, origin).contents, origin)
        source = self.write(f"{selftests.FOLDER}/vm/a.c", "#error slow\n")
        suite = Program(test, origin)
        self.assertEqual((suite.source, suite.details()), (source, {"left_out": {"slow": "why"}}))
        self.assertEqual(suite.words(), "x=1 y lab.run=/selftests/a,-v,-T,slow")
        self.refused(NOT_BUILT, "gcc", suite.contents, origin)

    def test_programs_of_a_kernel(self) -> None:
        """Those of its patches are built from its tree, the others from that of stock."""
        patch = self.write("x.patch", f"--- /dev/null\n+++ b/{selftests.FOLDER}/mm/new.c\n+x\n")
        kernel, stock = mock.Mock(present=(patch,)), mock.Mock()
        new, other = (Selftest(name, "series", ("mm",), ()) for name in ("new", "other"))
        for only in (False, True):
            found = selftests.on(kernel, stock, [STOCK_TEST, new, other], adds_only=only)
            self.assertEqual([(one.name, one.origin) for one in found],
                             [(NAME, stock), ("new", kernel)][only:])
