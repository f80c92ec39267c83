# SPDX-License-Identifier: GPL-2.0-only
"""The ladder, what is expected of outcomes, and what holds for the logs of every suite."""

from collections.abc import Iterator
from dataclasses import replace

from lab.base.errors import Status
from lab.judge.verdict import (NO_PASS, PATCHED, STOCK, Logs, Verdict, all_pass, same, summary,
                               worst)
from lab.suites.bench import Bench
from lab.suites.kit import Kit
from lab.suites.kunit import KUnit
from lab.suites.selftests import Program, Selftest
from lab.suites.soak import Race, Users
from lab.suites.suite import Expect, Suite
from lab.tests.judge.judging import (
    CASES, FAILED, FAILURE, FINE, GUEST, NO_CONSOLE, NO_RESULT, OK, OLD, SOAKED, USERS, WARNING,
    Judging, cuts, golden, spoilt)

# What 6.1's mrelease_test prints: neither plan nor result.
BARE = "Success reaping a child with 1MB of memory allocations\nlab: mrelease_test exited 0\n"
BENCH = "calibrate instructions=1000 1000\nfork hlist=0 9\nrows 2\nlab: mn-bench exited 0\n"
# Suite, expected kernel, results, console, and the status of these logs.
GOOD: tuple[tuple[Suite, str, str, str, Status], ...] = (
    (Kit(CASES), PATCHED, golden("patched.results"), golden("patched.console"), OK),
    (Kit(CASES), STOCK, golden("stock.results"), golden("stock.console"), OK),
    (OLD, STOCK, golden("hmm-mirror-tests.results"), FINE, OK),
    *((Program(Selftest(name, "stock", (), ()), None, {}), PATCHED, results, FINE, OK)
      for name, results in (("hmm-tests", golden("hmm-tests.results")), ("mrelease_test", BARE))),
    (Users("rxe"), PATCHED, USERS, FINE, OK), (Bench(), STOCK, BENCH, FINE, OK),
    (Race(20, 1), PATCHED, SOAKED, FINE, OK), (Race(20, 1), PATCHED, FAILURE, FINE, FAILED),
    (KUnit(["mmu_notifier"]), PATCHED, "", golden("kunit-7.3.console"), OK))


def outcomes(words: str, status: Status = OK) -> Verdict:
    found = dict(pair.split() for pair in words.split(", ") if pair)
    reasons = {name: "why" for name, outcome in found.items() if outcome != "pass"}
    return Verdict(status, found, reasons, problems=["earlier"] if status else [])


class Verdicts(Judging):
    def each(self) -> Iterator[tuple[Suite, Logs, Expect, Status]]:
        """Yield each suite with good logs, what is expected, and the status."""
        for suite, kernel, results, console, status in GOOD:
            with self.subTest(suite=suite.name, kernel=kernel, status=status):
                yield suite, Logs(results, console), Expect(kernel), status

    def test_whole(self) -> None:
        for suite, logs, expect, status in self.each():
            self.check(suite.judge(logs, expect), status)
            serial = Logs(logs.results.replace("\n", "\r\n"), logs.console.replace("\n", "\r\n"))
            self.assertEqual(suite.judge(serial, expect), suite.judge(logs, expect))

    def test_every_cut_is_seen(self) -> None:
        for suite, logs, expect, _ in self.each():
            for text in cuts(logs.results):
                self.check(suite.judge(replace(logs, results=text), expect), NO_RESULT)
        console = golden("kunit-7.3.console").partition("ok 1 mmu_notifier\n")[0]
        for text in cuts(console):
            self.check(KUnit(["mmu_notifier"]).judge(Logs("", text), Expect()), NO_RESULT)

    def test_another_end(self) -> None:
        for suite, logs, expect, _ in self.each():
            for old, new in ((" exited ", " killed by signal "), ("exited", "exited 9"),
                             (f"lab: {suite.name}", "lab: another")) if logs.results else ():
                spoiled = replace(logs, results=spoilt(logs.results, old, new))
                self.check(suite.judge(spoiled, expect), NO_RESULT, "lab: ")

    def test_console(self) -> None:
        for suite, logs, expect, _ in self.each():
            for console, words in NO_CONSOLE.items():
                self.check(suite.judge(replace(logs, console=console), expect), NO_RESULT, words)
            more = suite.judge(replace(logs, console=logs.console + [*NO_CONSOLE][-1]), expect)
            self.check(more, NO_RESULT, "lost messages")

    def test_guest(self) -> None:
        for suite, logs, expect, status in self.each():
            splat = replace(logs, console=logs.console + WARNING)
            for one, words in ((splat, "splat"), (replace(logs, ended=False), "the guest hung"),
                               (replace(splat, results=logs.results[:50]), "splat")):
                self.check(suite.judge(one, expect), GUEST, words)
            for allowed in () if isinstance(suite, Bench) else ("mm/x.c", "mm/y.c"):
                self.check(suite.judge(splat, replace(expect, allowed=(allowed,))),
                           status if allowed == "mm/x.c" else GUEST)

    def test_ladder(self) -> None:
        for guest, incomplete, deviations, status, problems in (
            ("", "", "", OK, []), ("", "", "xy", FAILED, ["x", "y"]),
            ("", "cut", "x", NO_RESULT, ["cut"]),
            ("d", "cut", "x", GUEST, ["d", "cut"]), ("de", "", "x", GUEST, ["d", "e", "x"])):
            verdict = Verdict().conclude(iter(guest), incomplete, iter(deviations))
            self.assertEqual((verdict.status, verdict.problems), (status, problems))
        each = [outcomes("", one) for one in (OK, GUEST, FAILED)]
        self.assertEqual([worst(each[:1]), worst(each), worst([])], [0, GUEST, 0])
        self.assertEqual(summary(outcomes("a pass, b skip, c pass")), "2 pass, 1 skip")
        self.assertEqual(summary(outcomes("")), "no result")

    def test_all_pass(self) -> None:
        for words, may_skip, status, unexpected in (
            ("a pass, b skip", "b", OK, ""), ("a pass, b skip", "ac", FAILED, "b"),
            ("a pass, b fail, c skip", "bc", FAILED, "b"), ("", "", NO_RESULT, ""),
            ("a skip, b skip", "ab", NO_RESULT, ""), ("a skip, b skip", "b", FAILED, "a"),
            ("a fail", "", FAILED, "a")):
            shown = {NO_RESULT: NO_PASS, FAILED: "but expected to pass (why)", OK: ""}[status]
            self.check(all_pass(outcomes(words), iter(may_skip)), status, shown, [*unexpected])

    def test_same(self) -> None:
        for before, after, status, unexpected, words in (
            ("a pass, b skip", "a pass, b skip", OK, "", ""),
            ("a pass, b fail", "a pass, b fail", OK, "", ""),
            ("a pass", "a fail", FAILED, "a", "a: pass on stock, fail with the series (why)"),
            ("a pass, b fail", "a pass, b pass", FAILED, "b", "b: fail on stock"),
            ("a pass, b pass", "a pass, b skip", FAILED, "b", "skip with the series"),
            ("a pass, b skip", "a pass", FAILED, "b", "skip on stock, no result with the"),
            ("a pass", "a pass, b pass", FAILED, "b", "no result on stock, pass with the"),
            ("a skip", "a skip", NO_RESULT, "", NO_PASS), ("", "", NO_RESULT, "", NO_PASS),
            ("a skip", "a pass", FAILED, "a", "pass with the series")):
            patched = outcomes(after)
            same(outcomes(before), patched)
            self.check(patched, status, words, [*unexpected])

    def test_a_broken_guest_is_not_compared(self) -> None:
        """If it is that of stock, the failure is stock's."""
        self.check(all_pass(outcomes("a fail", GUEST)), GUEST, "earlier", [])
        for before, after in ((OK, GUEST), (NO_RESULT, OK)):
            patched = outcomes("a fail", after)
            same(outcomes("a pass", before), patched)
            self.check(patched, after, "", [])
