# SPDX-License-Identifier: GPL-2.0-only
"""The semantic patches on small sources, and wrong variants, which must give something else."""

import shutil
import subprocess
from pathlib import Path

from lab.base.data import ROOT
from lab.tests.repository import Repository
from lab.verbs import mutants

NONBLOCK, UPDATE = "mn_nonblock", "hmm_update"
TESTS = ROOT / "cocci/tests"
EVERY = mutants.read(mutants.FOLDER / "cocci")
LEFT = """\
7:11-22: driver_sync() gets a struct hmm_update
26:11-18: forward() gets a struct hmm_update
40:12-17: trace() gets a struct hmm_update
42:18-24: event is left to you: that of a range is an enum mmu_notifier_event
"""


def code(text: str) -> list[str]:
    """Give the lines that are not blank: spatch 1.3 removes blank lines that 1.1.1 keeps."""
    return [line for line in text.splitlines() if line.strip()]


class Cocci(Repository):
    def setUp(self) -> None:
        super().setUp()
        shutil.copytree(TESTS, self.root, dirs_exist_ok=True)

    def spatch(self, script: Path, mode: str, *files: str) -> str:
        done = subprocess.run(
            ["spatch", "--very-quiet", "--sp-file", script, "--local-includes", "-D", mode, *files],
            cwd=self.root, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout

    def result(self, script: Path) -> list[str]:
        if script.stem == NONBLOCK:
            return self.spatch(script, "report", "mn_nonblock.c").splitlines()
        shutil.copy(TESTS / "hmm_update.c", self.root)
        self.spatch(script, "patch", "--in-place", "hmm_update.c")
        return code((self.root / "hmm_update.c").read_text())

    def test_wrong_variants_are_noticed(self) -> None:
        for name, expected in ((NONBLOCK, "report"), (UPDATE, "converted.c")):
            wanted = code((TESTS / f"{name}.{expected}").read_text())
            self.assertEqual(self.result(ROOT / f"cocci/{name}.cocci"), wanted)
            text = (ROOT / f"cocci/{name}.cocci").read_text()
            for one in EVERY:
                if one.file == f"cocci/{name}.cocci":
                    wrong = self.write(f"{name}.cocci", one.changed(text))
                    self.assertNotEqual(self.result(wrong), wanted, one.name)

    def test_modes(self) -> None:
        # Mode org finds the same lines. A sleeper in another file is seen if that is given.
        script = ROOT / "cocci/mn_nonblock.cocci"
        lines = (TESTS / "mn_nonblock.report").read_text().splitlines()
        found = self.spatch(script, "org", "mn_nonblock.c").splitlines()
        for line, text in zip(lines, found, strict=True):
            self.assertIn(f"::linb={line.split(':')[1]}::", text)
        self.assertEqual(self.spatch(script, "report", "far_callback.c"), "")
        self.assertIn("remap_chunk -> far_remap -> alloc_page(GFP_KERNEL), far_helper.c:6",
                      self.spatch(script, "report", "far_callback.c", "far_helper.c"))
        # A converted driver is left alone. What is left to do is reported.
        script, name = ROOT / "cocci/hmm_update.cocci", "hmm_update.converted.c"
        self.spatch(script, "patch", "--in-place", name)
        self.assertEqual((self.root / name).read_text(), (TESTS / name).read_text())
        self.assertEqual(self.spatch(script, "report", name), "")
        found = self.spatch(script, "report", "hmm_update.c").splitlines()
        self.assertEqual([line.split(":", 1)[1] for line in found], LEFT.splitlines())
