# SPDX-License-Identifier: GPL-2.0-only
"""The suites with listed cases: the kit, and what v5.3 has instead."""

import re

from lab.base.data import ROOT
from lab.judge.verdict import PATCHED, STOCK, Logs, Verdict
from lab.kernel import bases
from lab.suites.kit import RT, Case, Kit, read_cases
from lab.suites.mirror import Mirror, as_ktap
from lab.suites.suite import Expect
from lab.tests.judge.judging import (CASES, FAILED, FINE, GUEST, NO_RESULT, OK, OLD,
                                     USAGE, WARNING, Judging, golden, spoilt)
from lab.tests.repository import base, part

CODE, EXIT, FIRST = ("wrong_refusal_code_is_reported_once", "victim_exits_after_a_refusal",
                     "refuser_first_among_1")
LATE = "[   44.0] INFO: task mn-kit:9 blocked for more than 3 seconds.\n"
OUTPUT = golden("hmm-mirror-tests.results")
PASSED = OUTPUT.replace("FAIL ]", "OK ]").replace("exited 1", "exited 0")
PROVOKED = "[    1.0] test_mirror_sync+0x0/0x10 returned -4 for a blockable range\n"
BARE = "[    1.0] WARNING: CPU: 1 PID: 60 at mm/hmm.c:176 hmm_mirror_sync+0x4d/0x60\n"
REPORT = "[    1.07] WARNING: mn_kit_hlist_start+0x0/0x30 returned -22\n"


def judged(expect: Expect | str = PATCHED, results: str | None = None, console: str | None = None,
           ended: bool = True) -> Verdict:
    expect = Expect(expect) if isinstance(expect, str) else expect
    name = STOCK if expect.kernel == STOCK else PATCHED
    return Kit(CASES).judge(Logs(golden(f"{name}.results") if results is None else results,
                                 golden(f"{name}.console") if console is None else console,
                                 ended), expect)


def with_line(kernel: str, marker: str, line: str) -> str:
    """Give the golden console for a kernel with one more line."""
    console = golden(f"{STOCK if kernel == STOCK else PATCHED}.console")
    return spoilt(console, f"{marker}\n", f"{marker}\n{line}")


def mirrored(kernel: str, text: str = OUTPUT, console: str = FINE) -> Verdict:
    return OLD.judge(Logs(text, console), Expect(kernel))


class TheKit(Judging):
    def test_good(self) -> None:
        good = self.check(judged(), OK, "", [])
        self.assertEqual([*good.outcomes.values()], [*["pass"] * 4, "skip", "pass"])
        stock = self.check(judged(STOCK), OK, "", [])
        self.assertEqual([*stock.failed(), stock.reasons[EXIT]],
                         [FIRST, CODE, EXIT, "the victim never exits"])
        self.assertEqual([one.case for one in stock.splats if one.allowed], [CODE, EXIT])

    def test_results(self) -> None:
        whole = golden("patched.results")
        for text, words in (
            (spoilt(whole, "1..6\n", ""), "before any plan"),
            (spoilt(whole, "all_accept", "all_except"), "all_except is not in kit/cases"),
            (spoilt(whole, f"2 {FIRST}", "2 all_accept"), "all_accept has two results"),
            (spoilt(spoilt(whole, f"ok 6 {EXIT}\n", ""), "1..6", "1..5"), f"no result of {EXIT}"),
            ("KTAP version 1\n1..0\nlab: kit exited 0\n", "no result of all_accept"),
            ("lab: cannot load module: Exec format error\n", "cannot load module: Exec format")):
            self.check(judged(results=text), NO_RESULT, words, [])

    def test_splats(self) -> None:
        for kernel, marker, line, words in (
            (PATCHED, f"case {FIRST}", WARNING, f"splat in {FIRST}: {WARNING.strip()[10:]}"),
            (PATCHED, "/init as init process", WARNING, "splat outside any case: WARNING"),
            (PATCHED, f"case {CODE}", WARNING, f"splat in {CODE}"),
            (PATCHED, "case all_accept", REPORT, "splat in all_accept"),
            (PATCHED, f"end {EXIT}", LATE, "splat outside any case: INFO"),
            (STOCK, "case all_accept", WARNING, "splat in all_accept"),
            (STOCK, "case all_accept", LATE, "splat in all_accept: INFO"),
            (STOCK, f"end {EXIT}", "[   44.0] BUG: Bad page\n", "outside any case: BUG: Bad"),
            ("exact-pairs", f"case {CODE}", WARNING, f"splat in {CODE}"),
            ("no-patch", f"case {FIRST}", WARNING, f"splat in {FIRST}")):
            self.check(judged(kernel, console=with_line(kernel, marker, line)), GUEST, words)

    def test_splats_that_do_not_count(self) -> None:
        """The known ones of a case that fails, and the announced ones of a patched kernel."""
        failing = spoilt(golden("patched.results"), "ok 2", "not ok 2")
        for kernel, results, marker, line in (
            (PATCHED, None, f"case {CODE}", REPORT), (STOCK, None, f"end {EXIT}", LATE),
            ("exact-pairs", failing, f"case {FIRST}", WARNING)):
            verdict = judged(kernel, results, with_line(kernel, marker, line))
            self.assertTrue(self.check(verdict, OK).splats[-1].allowed)
        cases = {**CASES, CODE: Case(CODE, "pass", (), re.compile("returned"))}
        logs = Logs(golden("patched.results"), with_line(PATCHED, f"case {CODE}", REPORT))
        self.check(Kit(cases).judge(logs, Expect(STOCK)), GUEST, CODE)

    def test_hung(self) -> None:
        results, console = golden("patched.results"), golden("patched.console")
        end = console.index("[    1.074033] mn_kit: end two_pass")
        for text, shown, last in ((results[:90], console[:end], "two_pass_is_finished"),
                                  (results, console, EXIT), ("", "", "none started")):
            self.check(judged(PATCHED, text, shown, ended=False), GUEST, f"; last case: {last}")

    def test_one_case(self) -> None:
        skip = f"ok 2 {FIRST} # SKIP x"
        for kernel, old, new, name, words in (
            (PATCHED, "ok 1 all", "not ok 1 all", "all_accept", "fail, but expected to pass"),
            (STOCK, "not ok 2", "ok 2", FIRST, "pass, but expected to fail (place 1"),
            (STOCK, "ok 1", "not ok 1", "all_accept", "fail, but expected to pass"),
            (PATCHED, f"ok 2 {FIRST}", skip, FIRST, "skip, but expected to pass (x)"),
            (STOCK, f"not ok 2 {FIRST}", skip, FIRST, "skip, but expected to fail")):
            results = spoilt(golden(f"{kernel}.results"), old, new)
            self.check(judged(kernel, results), FAILED, f"{name}: {words}", [name])
            for kit, why in ((Kit(CASES, "x"), "x"), (Kit(CASES), RT)):
                logs = Logs(results.replace("SKIP x", f"SKIP {why}"), golden(f"{kernel}.console"))
                self.check(kit.judge(logs, Expect(kernel)), OK if new == skip else FAILED)
            allowed = judged(Expect(kernel, allow_skip=True), results)
            self.check(allowed, OK if new == skip else FAILED)

    def test_an_announced_report_does_not_come(self) -> None:
        """In another case it does not count. Its case fails, as without the patch."""
        console = golden("patched.console")
        report = next(line for line in console.splitlines(True) if "returned -22" in line)
        without, start = spoilt(console, report, ""), "case all_accept\n"
        for text in (without, spoilt(without, start, start + report)):
            self.check(judged(console=text), FAILED, "the kernel did not report", [CODE])
            verdict = self.check(judged("callback-errors", console=text), OK, "", [])
            self.assertEqual(verdict.failed(), [CODE])

    def test_without_one_patch(self) -> None:
        for kernel, failing, status, words in (
            ("exact-pairs", "2", OK, ""), ("exact-pairs", "26", OK, ""),
            ("end-interval-tree", "6", OK, ""), ("no-patch", "", FAILED, "kit/cases names none"),
            ("exact-pairs", "", FAILED, f"none of its cases fails ({FIRST}, {EXIT})"),
            ("exact-pairs", "12", FAILED, "all_accept"), ("end-interval-tree", "26", FAILED, FIRST),
        ):
            results = golden("patched.results")
            for number in failing:
                results = spoilt(results, f"ok {number}", f"not ok {number}")
            self.check(judged(kernel, results), status, words)
        self.check(judged(Expect("no-patch", elsewhere=True)), OK)
        self.check(judged(Expect("exact-pairs", elsewhere=True)), FAILED, "none of its")

    def test_list_of_cases(self) -> None:
        path = self.write("cases", "# x\na fail one,two reports=x.*y\nb pass -\n")
        for more, stock in (("", ["fail", "pass"]), ('stock = { a = "skip" }', ["skip", "pass"])):
            one = self.list_bases(base("1.0", part("core"), more=more)).bases["1.0"]
            self.assertEqual([*read_cases(path, one).values()], [
                Case("a", stock[0], ("one", "two"), re.compile("x.*y")),
                Case("b", stock[1], (), None)])
        one = self.list_bases(base("1.0", part("core"), more='stock = { x = "skip" }')).bases["1.0"]
        self.refused(USAGE, "has no case x", read_cases, path, one)
        for text in ("", "a fail\n", "a broken one\n", "a pass -\na pass -\n", "a pass - x=1\n",
                     "a pass - 6.12=fail\n", "a fail one reports=(\n"):
            self.refused(USAGE, "cases", read_cases, self.write("cases", text))
        for one in bases.read(ROOT).bases.values():
            cases = read_cases(ROOT / "kit/cases", one)
            self.assertEqual({name: cases[name].stock for name in one.stock}, one.stock)


class OldHarness(Judging):
    def test_results(self) -> None:
        verdict = self.check(mirrored(STOCK), OK)
        self.assertEqual(verdict.outcomes, {"sees": "pass", "refuses": "fail", "skips": "skip"})
        self.assertEqual((verdict.reasons["refuses"], verdict.reasons["skips"]),
                         ("Expected 0 (0) == notifiers(self) (10)", "no process_mrelease()"))
        self.check(mirrored("exact-pairs"), OK)
        self.check(mirrored(PATCHED), FAILED, "refuses", ["refuses"])
        self.check(mirrored(PATCHED, PASSED), OK)
        self.assertEqual(as_ktap("[       OK ] global.all\n[       OK ] other.all\n"), "ok 1 all\n")
        self.assertTrue({case.stock for case in Mirror().cases.values()} >= {"pass", "fail"})
        for words in ("Running", "OK ] hmm_mirror.sees", "FAIL ] hmm_mirror.refuses"):
            lines = "".join(line for line in OUTPUT.splitlines(True) if words not in line)
            self.check(mirrored(STOCK, lines), NO_RESULT)
        twice = OUTPUT.replace("mirror.sees", "mirror.skips")
        self.check(mirrored(STOCK, twice), NO_RESULT, "two results")

    def test_reports(self) -> None:
        """What the tests provoke is no splat; anything else is."""
        other, elsewhere = (BARE.replace("hmm.c", name) for name in ("mmu_notifier.c", "mmap.c"))
        report = PROVOKED + BARE
        for kernel, console, status in (
            (STOCK, report, OK), (PATCHED, report * 2, OK), (PATCHED, PROVOKED + FINE + BARE, OK),
            (STOCK, BARE + other, OK), ("exact-pairs", other, OK), (PATCHED, BARE, GUEST),
            (PATCHED, report + BARE, GUEST), (PATCHED, report + elsewhere, GUEST),
            (STOCK, elsewhere, GUEST), (PATCHED, f"{PROVOKED}BUG: x\n{BARE}", GUEST),
            (PATCHED, spoilt(report, "test_mirror_sync", "a_driver"), GUEST)):
            verdict = mirrored(kernel, PASSED if kernel == PATCHED else OUTPUT, FINE + console)
            self.check(verdict, status, "" if status == OK else "splat outside any case")
