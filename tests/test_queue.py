# SPDX-License-Identifier: GPL-2.0-only
"""From a queue to a branch and back, on a base of one file."""

import contextlib
import io
import os
import subprocess
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from lab import job, queue, series
from lab.data import Base
from lab.errors import LabError, Status

STOCK = "one\ntwo\nthree\nfour\nfive\n"


class Queue(unittest.TestCase):
    """A repository with one base 1.0, whose queue has two patches, and a base 2.0 without one."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        self.queue = self.root / "series/1.0"
        (self.root / "kit").mkdir(parents=True)
        (self.root / "kit/cases").write_text("a fail first\n")
        for module in (job, queue):
            patch = mock.patch.object(module, "ROOT", self.root)
            patch.start()
            self.addCleanup(patch.stop)
        self.stock("1.0", STOCK)
        with contextlib.redirect_stdout(io.StringIO()):
            self.make_queue()

    def make_queue(self) -> None:
        """Write the queue the way its owner would: commits in a tree, then refresh."""
        tree = queue.Tree(self.job("1.0"))
        tree.make()
        for number, text in enumerate((STOCK.replace("one", "ONE"), STOCK.replace("one", "ONE").replace("five", "FIVE")), 1):
            (tree.path / "a.c").write_text(text)
            tree.git("commit", "-q", "-a", "-m", f"mm: change {number}")
        queue.refresh(self.job("1.0"))
        for path, name in zip(sorted(self.queue.glob("0*.patch")), ("0001-first.patch", "0002-second.patch"), strict=True):
            path.rename(self.queue / name)
        (self.queue / "series").write_text("0001-first.patch\n0002-second.patch\n")

    def stock(self, base: str, text: str) -> None:
        """Make a base's pristine tree."""
        folder = self.root / "build" / base / "stock/src"
        folder.mkdir(parents=True)
        (folder / "a.c").write_text(text)

    def job(self, base: str) -> job.Job:
        """Give the job of a base whose source is there."""
        one = job.Job(Base(base, "linux", "1", "-", ""), self.root / "build")
        setattr(one, "source", lambda: base)
        return one

    def run_quietly(self, verb: str, *bases: str) -> Path:
        """Do a verb; give the tree of the first base."""
        with contextlib.redirect_stdout(io.StringIO()):
            getattr(queue, verb)(*(self.job(base) for base in bases))
        return self.root / "build" / bases[0] / "tree"

    def contents(self) -> dict[str, str]:
        return {path.name: path.read_text() for path in self.queue.iterdir()}

    def renew(self) -> Path:
        subprocess.run(["rm", "-rf", str(self.root / "build/1.0/tree")], check=True)
        return self.run_quietly("tree", "1.0")

    def test_there_and_back_changes_nothing(self) -> None:
        (self.queue / series.COVER).write_text(
            "From 0\nFrom: a <a@b>\nDate: Sun, 22 Nov 2026 00:00:00 +0000\nSubject: [PATCH] mm: why\n\nBecause.\n\nSomebody (1):\n  x\n")
        self.renew()
        self.run_quietly("refresh", "1.0")
        before = self.contents()
        self.assertIn("Because.", before[series.COVER])
        self.assertIn("1 file changed", before[series.COVER])
        self.renew()
        self.run_quietly("refresh", "1.0")
        self.assertEqual(self.contents(), before)
        self.assertEqual(before["series"], "0001-first.patch\n0002-second.patch\n")

    def test_a_changed_patch_keeps_its_slug_and_a_new_one_gets_one(self) -> None:
        tree = self.renew()
        (tree / "b.c").write_text("new\n")
        for words in (["add", "-f", "b.c"], ["commit", "-q", "--amend", "--no-edit"]):
            subprocess.run(["git", "-C", str(tree), *words], check=True, env=self.environment(tree))
        (tree / "b.c").write_text("newer\n")
        subprocess.run(["git", "-C", str(tree), "commit", "-qam", "mm: change 3"], check=True, env=self.environment(tree))
        self.run_quietly("refresh", "1.0")
        names = (self.queue / "series").read_text().split()
        self.assertEqual(names, ["0001-first.patch", "0002-second.patch", "0003-mm-change-3.patch"])
        self.assertIn("+++ b/b.c", (self.queue / names[1]).read_text())
        self.assertEqual(series.mismatches(self.queue), [])

    @staticmethod
    def environment(tree: Path) -> dict[str, str]:
        who = {f"GIT_{role}_{part}": "x" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")}
        return {**os.environ, **series.git_env(tree), **who}

    def refused(self, verb: str, *bases: str) -> LabError:
        with self.assertRaises(LabError) as caught:
            self.run_quietly(verb, *bases)
        return caught.exception

    def test_work_in_a_tree_is_not_lost(self) -> None:
        self.assertIn("exists", self.refused("tree", "1.0").message)
        (self.root / "build/1.0/tree/a.c").write_text("half done\n")
        before = self.contents()
        self.assertIn("not committed", self.refused("refresh", "1.0").message)
        self.assertEqual(self.contents(), before)

    def test_nothing_to_refresh(self) -> None:
        self.assertEqual(self.refused("refresh", "2.0").status, Status.USAGE)

    def test_on_top_of_another_base(self) -> None:
        under = Base("1.0", "linux", "1", "-", "")
        one = job.Job(Base("1.0-more", "linux", "1", "-", "", under), self.root / "build")
        setattr(one, "source", lambda: "1.0")
        tree = self.root / "build/1.0-more/tree"
        with contextlib.redirect_stdout(io.StringIO()):
            queue.tree(one)
            self.assertEqual((tree / "a.c").read_text(), "ONE\ntwo\nthree\nfour\nFIVE\n")
            (tree / "a.c").write_text("ONE\ntwo\nTHREE\nfour\nFIVE\n")
            subprocess.run(["git", "-C", str(tree), "commit", "-qam", "mm: more"], check=True, env=self.environment(tree))
            queue.refresh(one)
        self.assertEqual((self.root / "series/1.0-more/series").read_text(), "0001-mm-more.patch\n")

    def test_port(self) -> None:
        self.stock("2.0", STOCK.replace("three", "three and a half"))  # in the context of both patches
        tree = self.run_quietly("port", "2.0", "1.0")
        self.assertEqual((tree / "a.c").read_text(), "ONE\ntwo\nthree and a half\nfour\nFIVE\n")
        self.run_quietly("refresh", "2.0")
        self.assertEqual(len((self.root / "series/2.0/series").read_text().split()), 2)

    def test_port_stops_at_a_conflict(self) -> None:
        self.stock("2.0", STOCK.replace("one", "eins"))
        error = self.refused("port", "2.0", "1.0")
        self.assertEqual(error.status, Status.NOT_APPLIED)
        self.assertIn("0001-first.patch does not fit 2.0", error.message)
        self.assertIn("git am --continue, then git am -3", error.advice)
        self.assertIn("0002-second.patch", error.advice)
        self.assertIn("<<<<<<<", (self.root / "build/2.0/tree/a.c").read_text())


if __name__ == "__main__":
    unittest.main()
