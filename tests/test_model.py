# SPDX-License-Identifier: GPL-2.0-only
"""What the lab reads in a report of spin's verifier."""

import tempfile
import unittest
from pathlib import Path

from lab.errors import LabError, Status
from lab.job import ROOT
from lab.model import VERIFIED, outcome, read_runs

FULL = "\nState-vector 60 byte, depth reached 58, errors: 0\n     2159 states, stored\n     1938 states, matched\n"
BROKEN = ("pan:1: assertion violated open[((w*(2+1))+at)] (at depth 46)\npan: wrote refusal.pml.trail\n"
          "Warning: Search not completed\nState-vector 68 byte, depth reached 76, errors: 1\n      742 states, stored\n")


class Outcome(unittest.TestCase):
    """outcome() tells a full search from everything else."""

    def test_full_search(self) -> None:
        """No error: verified, with the number of states, large ones too."""
        self.assertEqual(outcome(FULL), (VERIFIED, 2159))
        self.assertEqual(outcome(FULL.replace("2159", "1.5e+08"))[1], 150_000_000)

    def test_broken_assertion(self) -> None:
        """An error is named by its assertion, a deadlock by spin's own words."""
        self.assertEqual(outcome(BROKEN), ("open[((w*(2+1))+at)]", 742))
        stuck = BROKEN.replace("assertion violated open[((w*(2+1))+at)]", "invalid end state")
        self.assertEqual(outcome(stuck)[0], "invalid end state")

    def test_not_exhaustive(self) -> None:
        """A search that was cut short, or a report that was, proves nothing."""
        for text in ("", FULL.partition("errors")[0], FULL + "Warning: Search not completed\n",
                     "error: max search depth too small\n" + FULL):
            with self.assertRaises(LabError) as caught:
                outcome(text)
            self.assertEqual(caught.exception.status, Status.NO_RESULT)


class Runs(unittest.TestCase):
    """model/runs."""

    def test_own_file(self) -> None:
        """Up to four subscriptions are verified, and at least two wrong variants are to be refuted."""
        searches = read_runs(ROOT / "proof/model/runs")
        verified = {one.defines[0] for one in searches if one.breaks == VERIFIED}
        self.assertTrue({f"SUBSCRIPTIONS={number}" for number in (1, 2, 3, 4)} <= verified)
        self.assertGreaterEqual(sum(one.breaks != VERIFIED for one in searches), 2)

    def test_bad_lines(self) -> None:
        """A short line and a name given twice are named."""
        for text in ("one -\n", "one - A=1\none - A=2\n"):
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "runs"
                path.write_text(text, encoding="utf-8")
                with self.assertRaises(LabError) as caught:
                    read_runs(path)
                self.assertEqual(caught.exception.status, Status.USAGE)
                self.assertIn(f"{path}:", caught.exception.message)
