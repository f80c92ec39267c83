# SPDX-License-Identifier: GPL-2.0-only
"""The semantic patches on small sources, and wrong variants, which must give something else."""

import re
import shutil
import subprocess
from pathlib import Path

from lab.base.data import ROOT
from lab.kernel import queue
from lab.tests.repository import Repository
from lab.verbs import intree, mutants

COCCI, TESTS = ROOT / "cocci", ROOT / "cocci/tests"
CHECK = "scripts/coccinelle/locks/mmu_notifier_nonblock.cocci"  # of the part tools
SCRIPTS = {path.stem: path.read_text() for path in COCCI.glob("*.cocci")} | {Path(CHECK).stem: (
    intree.carried(queue.added(queue.check(ROOT / "series/7.3/tools"))[CHECK], CHECK))}
EVERY = mutants.read(mutants.FOLDER / "cocci")


def code(text: str) -> list[str]:
    """Give the lines that are not blank: spatch 1.3 removes blank lines that 1.1.1 keeps."""
    return [line for line in text.splitlines() if line.strip()]


class Cocci(Repository):
    def spatch(self, script: Path, mode: str, *files: str) -> list[str]:
        done = subprocess.run(
            ["spatch", "--very-quiet", "--sp-file", script, "--local-includes", "-D", mode, *files],
            cwd=self.root, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return sorted(done.stdout.splitlines())

    def results(self, script: Path) -> dict[str, list[str]]:
        """Give what a script makes of its sources, by the name of the file that expects it."""
        name = "hmm_update" if script.stem == "hmm_update" else "mn_nonblock"
        shutil.copytree(TESTS / name, self.root / name, dirs_exist_ok=True)
        found = {f"{script.stem}.report": self.spatch(script, "report", "--dir", name)}
        if name == "hmm_update":
            self.spatch(script, "patch", "--in-place", "--dir", name)
            found |= {f"{name}/{path.stem}.converted": code(path.read_text())
                      for path in (self.root / name).glob("*.c")}
            found[f"{name}.left"] = self.spatch(script, "report", "--dir", name)
        return found

    def test_wrong_variants_are_noticed(self) -> None:
        for name, text in SCRIPTS.items():
            found = self.results(self.write(f"{name}.cocci", text))
            wanted = {file: code((TESTS / file).read_text()) for file in found}
            self.assertEqual(found, wanted)
            for one in EVERY:
                if Path(one.file).stem == name:
                    wrong = self.write(f"{name}.cocci", one.changed(text))
                    self.assertNotEqual(self.results(wrong), wanted, one.name)

    def test_example(self) -> None:
        # my_range.c is what hmm_update.cocci makes of my_update.c, and nothing is left to do.
        example = ROOT / "docs/example"
        work = self.write("driver.c", (example / "my_update.c").read_text())
        self.spatch(COCCI / "hmm_update.cocci", "patch", "--in-place", work.name)
        self.assertEqual(code(work.read_text()), code((example / "my_range.c").read_text()))
        self.assertEqual(self.spatch(COCCI / "hmm_update.cocci", "report", work.name),
                         ["no struct hmm_update found"])

    def test_modes(self) -> None:
        # Several processes and mode org find the same; mode org does not name the callbacks.
        script, name = COCCI / "mn_nonblock.cocci", "mn_nonblock"
        found = self.results(script)[f"{name}.report"]
        self.assertEqual(self.spatch(script, "report", "--jobs", "2", "--dir", name), found)
        found = [line for line in found if " was examined" not in line]
        self.assertEqual(sorted(re.findall(r"view:(\S+)::face=.*::linb=(\d+)::", "\n".join(
            self.spatch(script, "org", "--dir", name)))),
            sorted(tuple(line.split(":")[:2]) for line in found))
        # A sleeper in another file is seen if that is given. No callback is not an all-clear.
        files = [f"{name}/far_callback.c", f"{name}/far_helper.c"]
        self.assertIn("remap_chunk -> far_remap -> alloc_page(GFP_KERNEL), far_helper.c:6",
                      "\n".join(self.spatch(script, "report", *files)))
        self.assertEqual(self.spatch(script, "report", files[1]), ["no callback found"])

    def test_check_in_the_tree(self) -> None:
        # Modes org and context find the places that mode report finds.
        script = self.write(Path(CHECK).name, SCRIPTS[Path(CHECK).stem])
        found = self.results(script)[f"{script.stem}.report"]
        org = "\n".join(self.spatch(script, "org", "--dir", "mn_nonblock"))
        self.assertEqual(sorted(re.findall(r"view:(\S+)::face=.*::linb=(\d+)::", org)),
                         sorted(tuple(line.split(":")[:2]) for line in found))
        context = self.spatch(script, "context", "--dir", "mn_nonblock")
        self.assertEqual(sum(line[0] == "-" != line[1] for line in context if line), len(found))
