# SPDX-License-Identifier: GPL-2.0-only
"""The reader of mutants/, and who is said to have killed one."""

import tempfile
import unittest
from pathlib import Path

from lab.errors import LabError, Status
from lab.job import ROOT
from lab.mutants import Mutant, killer, read_mutants
from lab.results import Verdict

TEXT = "# words\n\n== one a.c\n \tif (x)\n-\t\tfoo();\n+\t\tbar();\n@@\n-\tend();\n"


def read(text: str) -> list[Mutant]:
    """Read mutants from a text."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "7.3"
        path.write_text(text, encoding="utf-8")
        return read_mutants(path)


class Reader(unittest.TestCase):
    """read_mutants() and Mutant.apply()."""

    def test_hunks(self) -> None:
        """Two hunks change two places, and nothing else."""
        (one,) = read(TEXT)
        self.assertEqual((one.name, one.file), ("one", "a.c"))
        self.assertEqual(one.apply("\tif (x)\n\t\tfoo();\n\tend();\n\tfoo();\n"), "\tif (x)\n\t\tbar();\n\tfoo();\n")

    def test_no_fit(self) -> None:
        """A hunk that fits nowhere, or twice, or changes nothing, is an error: the mutant would survive or be another."""
        (one,) = read(TEXT)
        same = Mutant("same", "a.c", (("x\n", "x\n"),))
        for mutant, text in ((one, "\tend();\n"), (one, "\tif (x)\n\t\tfoo();\n\tend();\n\tend();\n"), (same, "x\n")):
            with self.assertRaises(LabError) as caught:
                mutant.apply(text)
            self.assertEqual(caught.exception.status, Status.USAGE)
            self.assertIn(mutant.name, caught.exception.message)

    def test_bad_files(self) -> None:
        """A name given twice, a head without a file, a line that is no hunk's, a missing file."""
        for text in (TEXT + TEXT, "== one\n-x\n", "== one a.c\nfoo\n"):
            with self.assertRaises(LabError) as caught:
                read(text)
            self.assertEqual(caught.exception.status, Status.USAGE)
        with self.assertRaises(LabError) as caught:
            read_mutants(ROOT / "proof/mutants/2.4")
        self.assertIn("7.3", caught.exception.advice)

    def test_a_report_that_has_to_come(self) -> None:
        """It stands behind the file, and is no part of it."""
        (mutant,) = read(TEXT.replace("a.c", "a.c reports=who.forgot", 1))
        self.assertEqual((mutant.file, mutant.reports), ("a.c", "who.forgot"))
        self.assertEqual([one.reports != "" for one in read_mutants(ROOT / "proof/mutants/7.3-debug")], [True, True])

    def test_own_file(self) -> None:
        """There are at least twenty, and all of them read."""
        self.assertGreaterEqual(len(read_mutants(ROOT / "proof/mutants/7.3")), 20)


class Killer(unittest.TestCase):
    """killer() names a test or nobody."""

    def test_names(self) -> None:
        """The first case that failed, the case a guest hung in; a pass kills nothing, nor does silence."""
        self.assertEqual(killer("kit", Verdict(Status.TEST_FAILED, unexpected=["a", "b"]), "z"), "kit a and 1 more")
        self.assertEqual(killer("kit", Verdict(Status.GUEST), "z"), "kit z does not end")
        self.assertEqual(killer("kit", Verdict(), "z"), "")
        self.assertEqual(killer("kit", Verdict(Status.NO_RESULT), ""), "")

    def test_lost_messages(self) -> None:
        """They are no reason to say that a test noticed."""
        dropped = "[ 1.0] x\n** 3 printk messages dropped **\n"
        self.assertEqual(killer("kit", Verdict(Status.NO_RESULT, unexpected=["a"]), "z", dropped), "kit a")
        with self.assertRaises(LabError) as caught:
            killer("kit", Verdict(Status.NO_RESULT), "z", dropped)
        self.assertEqual(caught.exception.status, Status.NO_RESULT)
