# SPDX-License-Identifier: GPL-2.0-only
"""What a run of everything says at its end."""

import argparse
import contextlib
import io
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from lab import cli
from lab.errors import LabError, Status
from lab.job import SHORT, SHOWN, Tally
from lab.results import Verdict


def output_of(tally: Tally) -> list[str]:
    """Give what `test` prints of no base at all, with lint that finds something and a model that cannot run."""

    def finding(_bases: object, _build: Path, tally: Tally) -> None:
        tally.fail(Status.TEST_FAILED, "checkpatch: 0001-x.patch:3: ERROR")

    output = io.StringIO()
    with (tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(output), mock.patch.object(cli, "run_unit"),
          mock.patch.object(cli, "run_lint", finding),
          mock.patch.object(cli, "run_model", side_effect=LabError(Status.TOOL_MISSING, "spin is not installed"))):
        cli.test(argparse.Namespace(build=Path(folder), base=""), {}, tally)
        assert (Path(folder) / "tally").read_text() == f"{tally}\n"
    return output.getvalue().splitlines()


class AtTheEnd(unittest.TestCase):
    """Whoever sees the last lines only sees what failed."""

    def test_failures_are_said_again(self) -> None:
        lines = output_of(Tally(passed=5))
        self.assertEqual(lines[-3:], ["checkpatch: 0001-x.patch:3: ERROR", "model: spin is not installed", "5 passed, 2 failed"])

    def test_a_guest(self) -> None:
        tally, output = Tally(), io.StringIO()
        with contextlib.redirect_stdout(output):
            tally.verdict("fine", Verdict(outcomes={"a": "pass"}))
            tally.verdict("KUnit", Verdict(Status.NO_RESULT, problems=[f"problem {number}" for number in range(30)]))
        self.assertEqual(tally.wrong, ["KUnit: no (complete) result was seen", *(f"  problem {number}" for number in range(SHORT - 1))])
        lines = output.getvalue().splitlines()
        self.assertEqual(lines[1:], [tally.wrong[0], *(f"  problem {number}" for number in range(SHOWN - 1)), f"  and {31 - SHOWN} more"])
        self.assertEqual((tally.passed, tally.failed, tally.status), (1, 1, Status.NO_RESULT))
