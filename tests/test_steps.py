# SPDX-License-Identifier: GPL-2.0-only
"""What the steps take from a run, and what they do not."""

import json
import tempfile
import unittest
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from unittest import mock

from lab import script, steps
from lab.job import KUNIT, Job

REPORT: dict[str, Any] = {
    "key": "abc", "kunit": {"status": 0, "cases": {"case": "pass"}},
    "selftests": {"hmm-tests": {"tree": "stock", "status": 0, "stock": {"x": "pass"}, "patched": {"x": "pass"}},
                  "reap": {"tree": "series", "status": 0, "patched": {"y": "pass"}},
                  script.NAME: {"tree": "series", "status": 0, "patched": {"z": "pass"}}},
}


class OfTheRun(unittest.TestCase):
    """The last kernel of the steps is that of the run, if the run was of this series and as expected."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.job = cast(Job, SimpleNamespace(place=Path(folder.name)))
        proof = mock.patch.object(steps, "proof", return_value=SimpleNamespace(key="abc"))
        proof.start()
        self.addCleanup(proof.stop)

    def found(self, report: dict[str, Any]) -> dict[str, dict[str, str]]:
        """Give what is taken of a report."""
        (self.job.place / "report.json").write_text(json.dumps(report))
        return {title: verdict.outcomes for title, verdict in steps.of_the_run(self.job, "linux 1").items()}

    def test_what_the_series_adds(self) -> None:
        self.assertEqual(self.found(REPORT), {"reap": {"y": "pass"}, KUNIT: {"case": "pass"}})

    def test_nothing_of_another_kernel_or_series(self) -> None:
        self.assertEqual(self.found({**REPORT, "key": "def"}), {})
        self.assertEqual(self.found({name: part for name, part in REPORT.items() if name != "key"}), {})

    def test_nothing_of_a_run_that_failed(self) -> None:
        self.assertEqual(self.found({**REPORT, "kunit": {"status": 6, "cases": {"case": "pass"}}}), {})
        failed = {**REPORT["selftests"], "reap": {"tree": "series", "status": 1, "patched": {"y": "fail"}}}
        self.assertEqual(self.found({**REPORT, "selftests": failed}), {})

    def test_no_run(self) -> None:
        self.assertEqual(steps.of_the_run(self.job, "linux 1"), {})
