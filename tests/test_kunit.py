# SPDX-License-Identifier: GPL-2.0-only
"""KUnit's JSON and console in, verdict out."""

import unittest
from typing import Any

from lab import kunit
from lab.errors import Status


def parsed(*statuses: str, errors: int = 0, name: str = kunit.SUITE) -> dict[str, Any]:
    """Give what kunit.py makes of one suite with a plain and a parameterized case."""
    cases = [{"name": f"case{number}", "status": status} for number, status in enumerate(statuses)]
    group = {"name": name, "sub_groups": [{"name": "with_parameters", "sub_groups": [], "test_cases": cases[1:], "misc": {}}],
             "test_cases": cases[:1], "misc": {"errors": errors}}
    return {"name": "", "sub_groups": [group], "test_cases": []}


class Kunit(unittest.TestCase):
    """What counts as passed."""

    def judged(self, data: dict[str, Any], console: str = "[    0.1] fine\n", ended: bool = True) -> Status:
        return kunit.judge(data, console, ended).status

    def test_all_pass(self) -> None:
        verdict = kunit.judge(parsed("PASS", "PASS", "SKIP"), "", True)
        self.assertEqual((verdict.status, verdict.outcomes),
                         (Status.OK, {"case0": "pass", "with_parameters: case1": "pass", "with_parameters: case2": "skip"}))

    def test_a_failure_and_a_crash(self) -> None:
        for bad in ("FAIL", "ERROR"):
            self.assertEqual(self.judged(parsed("PASS", bad)), Status.TEST_FAILED)

    def test_nothing_ran(self) -> None:
        empty: dict[str, Any] = {}
        for data in (empty, parsed(), parsed("PASS", name="another")):
            self.assertEqual(self.judged(data), Status.NO_RESULT)

    def test_a_plan_not_met(self) -> None:
        self.assertEqual(self.judged(parsed("PASS", "PASS", errors=1)), Status.NO_RESULT)

    def test_a_splat_and_a_hang(self) -> None:
        self.assertEqual(self.judged(parsed("PASS"), "[    0.1] BUG: bad\n"), Status.GUEST)
        self.assertEqual(self.judged(parsed("PASS"), ended=False), Status.GUEST)


if __name__ == "__main__":
    unittest.main()
