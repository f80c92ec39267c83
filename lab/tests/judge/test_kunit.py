# SPDX-License-Identifier: GPL-2.0-only
"""KUnit: a console in, a verdict out."""

import re
from unittest import mock

from lab.base.data import ROOT
from lab.judge.console import CUT
from lab.judge.verdict import Logs, Verdict
from lab.kernel import bases
from lab.suites import kunit
from lab.suites.kunit import KUnit, Report
from lab.suites.suite import Expect
from lab.tests.judge.judging import (FAILED, GOLDEN, GUEST, NO_RESULT, OK, USAGE, Judging, golden,
                                     spoilt)

SUITE, BOTH = "mmu_notifier", ("mmu_notifier", "hmm_mirror")
SECOND = "    # Subtest: hmm_mirror\n    1..1\n    ok 1 other\nok 2 hmm_mirror\n"
TEXT = "mn_start+0x0/0x9c returned -4 for a non-blocking range"
REPORT = Report(SUITE, "with_parameters",
                re.compile(r"mn_start\S* returned -4 for a non-blocking range"))
FIRST = "with_parameters: one"  # has the failure if the report does not come
# Where a console may have more lines, and the case they belong to.
PLACES = dict.fromkeys(("before", "case0", "case1", "last", "after"), "outside any case") | {
    "case0": "in case0", "case1": "in with_parameters"}
BASES = bases.read(ROOT).bases


def warning(text: str) -> str:
    return f"{CUT}\n{text}\nWARNING: CPU: 0 PID: 30 at mm/x.c:1 f+0x1/0x2\nCall Trace:\n"


def console(**more: str) -> str:
    """Give the console of a suite with two cases, with more lines at PLACES."""
    before, case0, case1, last, behind = (more.get(place, "") for place in PLACES)
    text = (f"{before}KTAP version 1\n1..1\n    KTAP version 1\n    # Subtest: {SUITE}\n    1..2\n"
            f"{case0}    ok 1 case0\n        KTAP version 1\n        # Subtest: with_parameters\n"
            f"        ok 1 one\n{case1}        ok 2 two\n    ok 2 with_parameters\n{last}"
            f"ok 1 {SUITE}\n{behind}")
    return "".join(f"[    0.123456] {line}\n" for line in text.splitlines())


def judged(text: str, *reports: Report, wanted: tuple[str, ...] = (SUITE,)) -> Verdict:
    return KUnit(wanted, reports).judge(Logs("", text), Expect())


class Consoles(Judging):
    def test_failures_and_splats(self) -> None:
        for old, new, name in (
            ("ok 1 case0", "not ok 1 case0 # why", "case0"), ("] ok 1", "] not ok 1", SUITE),
            ("ok 2 two", "not ok 2 two", "with_parameters: two"),
            ("    ok 2 with", "    not ok 2 with", "with_parameters")):
            for more, status in (("", FAILED), ("BUG: bad\n", GUEST)):
                verdict = judged(spoilt(console(case1=more), old, new))
                self.check(verdict, status, f"{name} fails{': why' * ('why' in new)}", [name])
        for place, case in PLACES.items():
            self.check(judged(console(**{place: "BUG: bad\n"})), GUEST, f"splat {case}: BUG")

    def test_suites(self) -> None:
        two = spoilt(console(after=SECOND), "1..1", "1..2")
        verdict = self.check(judged(two, wanted=BOTH), OK)
        self.assertEqual(list(verdict.outcomes), ["case0", FIRST, "with_parameters: two", "other"])
        empty = "1..1\n    # Subtest: hmm_mirror\n    1..0\nok 1 hmm_mirror\n"
        for text in (console(), empty):
            self.check(judged(text, wanted=BOTH[1:]), NO_RESULT, "no result of suite hmm_mirror")
        self.check(judged(spoilt(two, "    1..2", "    1..3"), wanted=BOTH), NO_RESULT, "plan of")

    def test_whether_it_comes(self) -> None:
        """Its text alone is no warning."""
        between = warning(f"{TEXT}\na line of the other CPU")
        self.check(judged(console(case1=between), REPORT), OK, "", [])
        for text in ("", f"{TEXT}\n"):
            self.check(judged(console(case1=text), REPORT), FAILED,
                       f"{FIRST} fails: the kernel did not report mn_start", [FIRST])

    def test_it_comes_elsewhere_or_too_often(self) -> None:
        twice, bare = warning(TEXT) * 2, f"{warning(TEXT)}WARNING: CPU: 1\n"
        for text, reports in ((twice, [REPORT]), (bare, [REPORT] * 2)):
            self.check(judged(console(case1=text), *reports), GUEST)
        self.check(judged(console(case1=twice), REPORT, REPORT), OK)
        for place in set(PLACES) - {"case1"}:
            for more in ("", warning(TEXT)):
                text = console(**{place: warning(TEXT), "case1": more})
                self.check(judged(text, REPORT), GUEST, "splat ", [] if more else [FIRST])
        two = spoilt(console(last=warning(TEXT), after=SECOND), "1..1", "1..2")
        other = Report("hmm_mirror", "other", REPORT.text)
        self.check(judged(two, other, wanted=BOTH), GUEST, "outside any case", ["other"])
        cut = console(case1=warning(TEXT)).partition("    ok 2 with_parameters")[0]
        self.check(judged(cut, REPORT), GUEST, "outside any case")

    def test_another_comes(self) -> None:
        for other in (TEXT.replace("-4", "-5"), f"{TEXT} and more", "something"):
            for text in (warning(other), warning(TEXT) + warning(other), warning(other) + TEXT):
                self.check(judged(console(case1=text), REPORT), GUEST, "with_parameters: W")
        for text in (f"{CUT}\n{TEXT}\nkernel BUG at mm/x.c:1!\n", f"{warning(TEXT)}BUG: bad\n"):
            self.check(judged(console(case1=text), REPORT), GUEST, "BUG")

    def test_golden(self) -> None:
        """What 6.1 prints, with the calls traced."""
        text = golden("kunit-6.1.console")
        reports = kunit.read_reports(GOLDEN / "kunit-6.1.reports")
        self.check(judged(text, *reports), OK)
        self.check(judged(text, *reports[1:]), GUEST, f"splat in {reports[0].case}")
        self.check(judged(spoilt(text, "WARNING", "warning"), *reports), FAILED, "",
                   [f"{reports[0].case}: -4"])

    def test_reports(self) -> None:
        path = self.write("reports", "# x\n\none  a  x y  a reason\ntwo  b  z  another  one\n")
        self.assertEqual(kunit.read_reports(path), [Report("one", "a", re.compile("x y")),
                                                    Report("two", "b", re.compile("z"))])
        for bad in ("one  a  x y\n", "one a x a reason\n", "one  a  (  a reason\n"):
            self.refused(USAGE, ":1: ", kunit.read_reports, self.write("reports", bad))

    def test_suites_of_a_kernel(self) -> None:
        self.assertEqual(kunit.announced(BASES["7.3"], BOTH), [])
        for text, wanted in (("+config MMU_NOTIFIER", BOTH[:1]), ("+config HMM_MIRROR", BOTH[1:]),
                             (" config HMM_MIRROR", None), ("+config X_MMU_NOTIFIER", None)):
            patch = self.write("x.patch", f"{text}_KUNIT_TEST\n")
            made = kunit.of(BASES["6.1"], mock.Mock(present=(patch,)))
            self.assertEqual(made and made.details(), wanted and {"suites": [*wanted]})
            self.assertTrue(not made or {one.suite for one in made.reports} == {*made.wanted})
