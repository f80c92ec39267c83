# SPDX-License-Identifier: GPL-2.0-only
"""Bases without a package: what their old harness prints, and what is said without TREE=DIR."""

import argparse
import contextlib
import io
import re
import tempfile
import unittest
from pathlib import Path

from lab.cli import on_base
from lab.data import Base, Case
from lab.errors import LabError, Status
from lab.job import Job, Tally, run
from lab.mirror import Mirror, as_tap, without_reports
from lab.results import PATCHED, STOCK, judge

OUTPUT = """\
[==========] Running 3 tests from 2 test cases.
[ RUN      ] hmm_mirror.sees
[       OK ] hmm_mirror.sees
[ RUN      ] hmm_mirror.refuses
hmm-mirror-tests.c:640:hmm_mirror.refuses:Expected 0 (0) == notifiers(self) (10)
hmm-mirror-tests.c:641:hmm_mirror.refuses:Expected 1 (1) == is_valid(self, 0) (0)
hmm_mirror.refuses: Test failed at step #12
[     FAIL ] hmm_mirror.refuses
[ RUN      ] hmm_mirror.skips
hmm-mirror-tests.c:700:hmm_mirror.skips:SKIP no process_mrelease()
[       OK ] hmm_mirror.skips
[==========] 2 / 3 tests passed.
[  FAILED  ]
lab: hmm-mirror-tests exited 1
"""
REPORT = """\
[    1.0] ------------[ cut here ]------------
[    1.0] test_mirror_sync+0x0/0x10 returned -4 for a blockable range
[    1.0] WARNING: CPU: 1 PID: 60 at mm/hmm.c:176 hmm_mirror_sync+0x4d/0x60
"""
CASES = {name: Case(name, stock, cures, None) for name, stock, cures in (
    ("sees", "pass", ()), ("refuses", "fail", ("exact-pairs",)), ("skips", "skip", ()))}


class OldHarness(unittest.TestCase):
    """From its output to a verdict."""

    def test_results(self) -> None:
        verdict = judge(as_tap(OUTPUT), "Linux\n", CASES, STOCK)
        self.assertEqual((verdict.status, verdict.problems), (Status.OK, []))
        self.assertEqual(verdict.outcomes, {"sees": "pass", "refuses": "fail", "skips": "skip"})
        self.assertEqual(verdict.reasons["refuses"], "Expected 0 (0) == notifiers(self) (10)")
        self.assertEqual(judge(as_tap(OUTPUT), "Linux\n", CASES, "exact-pairs").status, Status.OK)
        self.assertEqual(judge(as_tap(OUTPUT), "Linux\n", CASES, PATCHED).status, Status.TEST_FAILED)

    def test_anything_missing_is_no_result(self) -> None:
        lines = OUTPUT.splitlines(keepends=True)
        for text in ("", OUTPUT[:-2], *("".join(lines[:cut]) for cut in (1, 3, 11, 13)),
                     "".join(line for line in lines if "Running" not in line),
                     "".join(line for line in lines if "OK ] hmm_mirror.sees" not in line),
                     OUTPUT.replace("exited 1", "killed by signal 14")):
            self.assertEqual(judge(as_tap(text), "Linux\n", CASES, STOCK).status, Status.NO_RESULT, text)

    def test_provoked_report_is_no_splat(self) -> None:
        self.assertEqual(judge(as_tap(OUTPUT), without_reports(REPORT, STOCK), CASES, STOCK).status, Status.OK)
        passed = as_tap(OUTPUT.replace("FAIL ]", "OK ]").replace("exited 1", "exited 0"))
        self.assertEqual(judge(passed, without_reports(REPORT, PATCHED), CASES, PATCHED).status, Status.OK)

    def test_other_splats_stay(self) -> None:
        bare = re.sub(r".*returned.*\n", "", REPORT)
        elsewhere = bare.replace("mm/hmm.c", "mm/mmap.c")
        for text, flavour in ((bare, PATCHED), (elsewhere, STOCK), (REPORT + elsewhere, PATCHED), ("BUG: sleeping\n", STOCK)):
            self.assertEqual(judge(as_tap(OUTPUT), without_reports(text, flavour), CASES, flavour).status, Status.GUEST, text)


class WithoutTree(unittest.TestCase):
    """Nothing is passed that was not run."""

    BASE = Base("5.3", "-", "a/b@123456", "-", "old")

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.build = Path(folder.name)

    def test_skipped_among_others(self) -> None:
        tally, output = Tally(), io.StringIO()
        with contextlib.redirect_stdout(output):
            on_base(run, "5.3", argparse.Namespace(build=self.build, verb="test"), {"5.3": self.BASE}, tally)[1]()
        self.assertEqual((str(tally), output.getvalue()), ("0 passed, 0 failed, 1 skipped", "  5.3: not run: needs TREE=DIR\n"))

    def test_says_what_it_needs(self) -> None:
        for action in (Mirror, Job.source):
            with self.assertRaises(LabError) as caught:
                action(Job(self.BASE, self.build))
            self.assertEqual(caught.exception.status, Status.NO_SOURCE)
            self.assertIn("needs TREE=DIR", str(caught.exception))
