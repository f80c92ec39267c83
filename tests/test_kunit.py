# SPDX-License-Identifier: GPL-2.0-only
"""KUnit's JSON and console in, verdict out."""

import re
import tempfile
import unittest
from pathlib import Path
from typing import Any

from lab import kunit
from lab.errors import LabError, Status
from lab.job import ROOT


def parsed(*statuses: str, name: str = kunit.SUITE) -> dict[str, Any]:
    """Give what kunit.py makes of one suite with a plain and a parameterized case."""
    cases = [{"name": f"case{number}", "status": status} for number, status in enumerate(statuses)]
    group = {"name": name, "sub_groups": [{"name": "with_parameters", "sub_groups": [], "test_cases": cases[1:]}],
             "test_cases": cases[:1]}
    return {"name": "", "sub_groups": [group], "test_cases": []}


def warning(text: str, where: str = "mm/x.c:1") -> str:
    """Give a warning as the kernel prints it."""
    lines = (kunit.CUT, text, f"WARNING: CPU: 0 PID: 30 at {where} f+0x1/0x2", "Call Trace:", "---[ end trace 0000000000000000 ]---")
    return "".join(f"[    0.123456] {line}\n" for line in lines)


def console(case0: str = "", case1: str = "", before: str = "", after: str = "") -> str:
    """Give a console of a suite with two cases, with something more in a case, ahead of the suite or behind it."""
    lines = [before, "    KTAP version 1\n", "    # Subtest: mmu_notifier\n", "    1..2\n", case0, "    ok 1 case0\n",
             "        KTAP version 1\n", "        # Subtest: with_parameters\n", "        ok 1 one\n", case1, "        ok 2 two\n",
             "    ok 2 with_parameters\n", "ok 1 mmu_notifier\n", after]
    return "".join(line if line.startswith("[") or not line else f"[    0.123456] {line}" for line in lines)


FINE = "[    0.1] fine\n"
TEXT = "mn_start+0x0/0x9c returned -4 for a non-blocking range"
ANNOUNCED = [kunit.Report("with_parameters", re.compile(r"mn_start\S* returned -4 for a non-blocking range"))]


class Kunit(unittest.TestCase):
    """What counts as passed."""

    def judged(self, data: dict[str, Any], console: str = FINE, ended: bool = True) -> Status:
        return kunit.judge(data, console, ended).status

    def test_all_pass(self) -> None:
        verdict = kunit.judge(parsed("PASS", "PASS", "SKIP"), FINE, True)
        self.assertEqual((verdict.status, verdict.outcomes),
                         (Status.OK, {"case0": "pass", "with_parameters: case1": "pass", "with_parameters: case2": "skip"}))

    def test_skips_that_the_lines_do_not_show(self) -> None:
        """6.1 says only how many parameters of a case were skipped."""
        total = "[    0.1]     # with_parameters: pass:1 fail:0 skip:1 total:2\n"
        for statuses, last in ((("PASS", "PASS", "PASS"), "skip"), (("PASS", "PASS", "SKIP"), "skip")):
            outcomes = kunit.judge(parsed(*statuses), total, True).outcomes
            self.assertEqual(list(outcomes.values()), ["pass", "pass", last])

    def test_a_failure_and_a_crash(self) -> None:
        for bad in ("FAIL", "ERROR"):
            self.assertEqual(self.judged(parsed("PASS", bad)), Status.TEST_FAILED)

    def test_two_suites(self) -> None:
        one, two = parsed("PASS"), parsed("PASS", name="hmm_mirror")
        two["sub_groups"][0]["test_cases"][0]["name"] = "other"
        wanted = list(kunit.OPTIONS)
        self.assertEqual(kunit.judge(one, FINE, True, wanted=wanted).status, Status.NO_RESULT)
        both = {"name": "", "sub_groups": [*one["sub_groups"], *two["sub_groups"]], "test_cases": []}
        verdict = kunit.judge(both, FINE, True, wanted=wanted)
        self.assertEqual((verdict.status, verdict.outcomes), (Status.OK, {"case0": "pass", "other": "pass"}))

    def test_lost_messages(self) -> None:
        """What the console does not show may have been printed."""
        for text in ("", f"{FINE}** 111 printk messages dropped **\n"):
            self.assertEqual(self.judged(parsed("PASS"), text), Status.NO_RESULT)
        verdict = kunit.judge(parsed("PASS"), console(before=warning("x")) + "** 1 printk messages dropped **\n", True)
        self.assertEqual(verdict.status, Status.NO_RESULT)
        self.assertIn("lost messages", verdict.problems[0])

    def test_nothing_ran(self) -> None:
        empty: dict[str, Any] = {}
        for data in (empty, parsed(), parsed("PASS", name="another")):
            self.assertEqual(self.judged(data), Status.NO_RESULT)

    def test_a_plan_not_met(self) -> None:
        self.assertEqual(kunit.judge(parsed("PASS", "PASS"), "", True, errors=1).status, Status.NO_RESULT)

    def test_a_splat_and_a_hang(self) -> None:
        self.assertEqual(self.judged(parsed("PASS"), "[    0.1] BUG: bad\n"), Status.GUEST)
        self.assertEqual(self.judged(parsed("PASS"), ended=False), Status.GUEST)

    def test_bad_reports(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "reports")
            path.write_text("# nothing\n\n1,2  a  x y  a reason\n2  b  z  another  with blanks\n")
            self.assertEqual([[report.case for report in kunit.read_reports(path, base)] for base in "123"], [["a"], ["a", "b"], []])
            for bad in ("1  a  x y\n", "1 a x a reason\n", "1  a  (  a reason\n"):
                path.write_text(bad)
                with self.assertRaises(LabError) as caught:
                    kunit.read_reports(path, "2")
                self.assertEqual(caught.exception.status, Status.USAGE)


class Announced(unittest.TestCase):
    """A kernel whose KUnit cannot hold a warning back."""

    def judged(self, log: str, *statuses: str) -> tuple[Status, list[str]]:
        verdict = kunit.judge(parsed(*(statuses or ("PASS", "PASS", "PASS"))), log, True, announced=ANNOUNCED)
        return verdict.status, verdict.unexpected

    def test_it_comes(self) -> None:
        self.assertEqual(self.judged(console(case1=warning(TEXT))), (Status.OK, []))

    def test_it_does_not_come(self) -> None:
        self.assertEqual(self.judged(console()), (Status.TEST_FAILED, ["with_parameters: case1"]))

    def test_its_text_alone_is_no_warning(self) -> None:
        self.assertEqual(self.judged(console(case1=f"[    0.1] {TEXT}\n")), (Status.TEST_FAILED, ["with_parameters: case1"]))

    def test_it_comes_twice(self) -> None:
        self.assertEqual(self.judged(console(case1=warning(TEXT) * 2))[0], Status.GUEST)

    def test_it_comes_elsewhere(self) -> None:
        for place in ("case0", "before", "after"):
            self.assertEqual(self.judged(console(**{place: warning(TEXT)}))[0], Status.GUEST, place)
            self.assertEqual(self.judged(console(case1=warning(TEXT), **{place: warning(TEXT)}))[0], Status.GUEST, place)

    def test_another_comes(self) -> None:
        for other in (TEXT.replace("-4", "-5"), f"{TEXT} and more", "something"):
            self.assertEqual(self.judged(console(case1=warning(other)))[0], Status.GUEST, other)
            self.assertEqual(self.judged(console(case1=warning(TEXT) + warning(other)))[0], Status.GUEST, other)

    def test_worse_comes_with_it(self) -> None:
        bug = f"[    0.1] {kunit.CUT}\n[    0.1] {TEXT}\n[    0.1] kernel BUG at mm/x.c:1!\n"
        self.assertEqual(self.judged(console(case1=bug))[0], Status.GUEST)
        self.assertEqual(self.judged(console(case1=warning(TEXT) + "[    0.1] BUG: bad\n"))[0], Status.GUEST)

    def test_a_line_of_the_other_cpu_between(self) -> None:
        split = warning(TEXT).replace("WARNING", "tsc: fine\n[    0.1] WARNING")
        self.assertEqual(self.judged(console(case1=split)), (Status.OK, []))

    def test_a_recorded_log(self) -> None:
        """What 6.1 prints in its cases with and beside reports, the calls traced included."""
        log = (ROOT / "tests/golden/kunit.console").read_text()
        announced = [report for report in kunit.read_reports(ROOT / "intree/reports", "6.1") if f" {report.case}\n" in log]
        self.assertEqual(len(announced), 3)
        found = kunit.splats(log)
        self.assertEqual([splat.case for splat in found], [report.case for report in announced])
        self.assertEqual(kunit.compare(found, announced), ([], []))
        self.assertEqual(kunit.compare(found, announced[1:]), (found[:1], []))
        without = kunit.splats(log.replace("WARNING", "warning", 1))
        self.assertEqual(kunit.compare(without, announced), ([], announced[:1]))

    def test_the_suite_is_cut(self) -> None:
        cut = console(case1=warning(TEXT)).partition("[    0.123456]     ok 2 with_parameters")[0]
        self.assertEqual(self.judged(cut)[0], Status.GUEST)


if __name__ == "__main__":
    unittest.main()
