# SPDX-License-Identifier: GPL-2.0-only
"""From queues to a branch and back, on bases of one file."""

import shutil
from pathlib import Path
from unittest import mock

from lab.base.errors import LabError, Status
from lab.base.proc import ask
from lab.kernel import bases, queue
from lab.kernel.queue import COVER, GIT, git_env
from lab.kernel.source import Source
from lab.tests.repository import Repository, base, part
from lab.verbs import tree

STOCK = "one\ntwo\nthree\nfour\nfive\n"
BOTH = "ONE\ntwo\nthree\nfour\nFIVE\n"
DATE = "Date: Sun, 22 Nov 2026 00:00:00 +0000\n"
LETTER = f"From: a <a@b>\n{DATE}Subject: [PATCH] mm: why\n\nBecause.\n\nA Name (1):\n  x\n"
UNSPLIT = (part("core"), part("more"))
SPLIT = (part("fixes", checked="false"), part("core"))


class Trees(Repository):
    """Base 1.0 has a part with two patches, and a part on top of it; the part of 2.0 is empty."""

    def setUp(self) -> None:
        super().setUp()
        fetch = mock.patch.object(Source, "fetch")
        fetch.start()
        self.addCleanup(fetch.stop)
        self.list_bases(base("1.0", *UNSPLIT), base("2.0", part("core")))
        self.write("build/1.0/stock/src/a.c", STOCK)
        # Write the queue the way its owner would: commits in a tree, then refresh.
        self.quietly(tree.Tree(*self.of("1.0")).make)
        self.commit(STOCK.replace("one", "ONE"), "mm: change 1")
        self.commit(BOTH, "mm: change 2")
        self.do("refresh")
        core = self.root / "series/1.0/core"
        self.queue("1.0/core", *((f"000{number}-{name}", (
            core / f"000{number}-mm-change-{number}.patch").read_text())
            for number, name in ((1, "first"), (2, "second"))))
        for path in core.glob("*-mm-*"):
            path.unlink()

    def of(self, name: str, part_name: str = "") -> tuple[bases.Stack, Source]:
        stack = bases.read(self.root).stack(name, part_name)
        return stack, Source(stack.base, self.root / "build")

    def do(self, verb: str, name: str = "1.0", part_name: str = "") -> Path:
        """Do tree or refresh, and give the tree; a port is of 1.0."""
        more = self.of("1.0") if verb == "port" else ()
        self.quietly(getattr(tree, verb), *self.of(name, part_name), *more)
        return tree.tree_folder(*self.of(name, part_name))

    def not_done(self, words: str, *arguments: str, status: Status = Status.USAGE) -> None:
        self.refused(status, words, self.do, *arguments)

    def git(self, *words: str, folder: str = "tree") -> str:
        path = self.root / "build/1.0" / folder
        return ask([*GIT, *tree.WHO, "-C", path, *words], Status.NOT_APPLIED, git_env(path))

    def commit(self, text: str, title: str, folder: str = "tree") -> None:
        self.write(f"build/1.0/{folder}/a.c", text)
        self.git("commit", "-qam", title, folder=folder)

    def renew(self) -> Path:
        shutil.rmtree(self.root / "build/1.0/tree")
        return self.do("tree")

    def contents(self) -> dict[str, str]:
        return {f"{path.relative_to(self.root / 'series/1.0')}": path.read_text()
                for path in self.root.glob("series/1.0/*/*")}

    def assert_names(self, **parts: list[str]) -> None:
        for name, slugs in parts.items():
            folder = self.root / "series/1.0" / name
            self.assertEqual(queue.mismatches(folder), [])
            self.assertEqual(queue.listed(folder), [f"{number:04}-{slug}.patch"
                                                    for number, slug in enumerate(slugs, 1)])

    def assert_stays(self) -> None:
        """A tree and a refresh change nothing."""
        before = self.contents()
        self.renew()
        self.do("refresh")
        self.assertEqual(self.contents(), before)

    def test_there_and_back_changes_nothing(self) -> None:
        self.write(f"series/1.0/core/{COVER}", LETTER)
        self.renew()
        self.do("refresh")
        for text in ("Because.", "1 file changed", DATE):
            self.assertIn(text, self.contents()[f"core/{COVER}"])
        self.assert_stays()
        self.assert_names(core=["first", "second"])

    def test_a_changed_patch_keeps_its_slug_and_a_new_one_gets_one(self) -> None:
        self.renew()
        self.write("build/1.0/tree/b.c", "new\n")
        self.git("add", "-f", "b.c")
        self.git("commit", "-q", "--amend", "--no-edit")
        self.commit(BOTH.replace("two", "TWO"), "mm: change 3")
        self.do("refresh")
        self.assert_names(core=["first", "second", "mm-change-3"])
        self.assertIn("+++ b/b.c", self.contents()["core/0002-second.patch"])

    def test_work_in_a_tree_is_not_lost(self) -> None:
        before = self.contents()
        self.not_done("exists", "tree")
        self.write("build/1.0/tree/a.c", "half done\n")
        self.not_done("not committed", "refresh")
        self.git("checkout", "a.c")
        (self.root / "build/1.0/tree/.git/rebase-merge").mkdir()
        self.not_done("not committed", "refresh")
        self.assertEqual(self.contents(), before)

    def test_nothing_to_refresh(self) -> None:
        self.not_done("make tree BASE=2.0", "refresh", "2.0")
        self.git("reset", "-q", "--hard", "base")
        self.not_done("no commit of part core", "refresh")

    def test_on_top_of_another_stack(self) -> None:
        self.not_done("make tree BASE=1.0 PART=more", "refresh", "1.0", "more")
        self.queue("1.0/more", ("0001-x", "From: a <a@b>\nSubject: x\n\nno patch\n"))
        self.not_done("more/0001-x.patch does not fit 1.0", "tree", "1.0", "more",
                      status=Status.NOT_APPLIED)
        folder = self.root / "build/1.0/tree-more"
        self.assertEqual((folder / "a.c").read_text(), BOTH)
        self.git("am", "--abort", folder=folder.name)
        self.commit(BOTH.replace("three", "THREE"), "mm: more", folder.name)
        self.do("refresh", "1.0", "more")
        self.assert_names(core=["first", "second"], more=["mm-more"])

    def split(self) -> None:
        """Make the first patch a part of its own, and give each part a cover letter."""
        self.list_bases(base("1.0", *SPLIT), base("2.0", *SPLIT))
        self.git("tag", "fixes", "series~1")
        for name in ("fixes", "core"):
            self.write(f"series/1.0/{name}/{COVER}", LETTER.replace("Because", f"Of {name}"))
        self.do("refresh")

    def test_two_parts(self) -> None:
        self.split()
        self.assert_names(fixes=["first"], core=["second"])
        for name, other in (("fixes", "core"), ("core", "fixes")):
            letter = self.contents()[f"{name}/{COVER}"]
            self.assertRegex(letter, f"(?s)\nOf {name}\\.\n.*\n{tree.NAME} \\(1\\):\n")
            self.assertNotIn(other, letter)
        self.assert_stays()
        for name, commit in (("fixes", "series~1"), ("core", "series")):
            self.assertEqual(self.git("rev-parse", f"refs/tags/{name}"),
                             self.git("rev-parse", commit))

    def test_a_tag_that_a_rebase_left_behind(self) -> None:
        self.split()
        self.git("checkout", "-q", "-b", "new", "base")
        self.commit(f"ONE AND ONLY\n{STOCK.partition(chr(10))[2]}", "mm: change 1")
        self.git("cherry-pick", "-X", "theirs", "series")
        self.git("checkout", "-q", "-B", "series")
        self.do("refresh")
        self.assert_names(fixes=["first"], core=["second"])
        self.assertIn("+ONE AND ONLY", self.contents()["fixes/0001-first.patch"])
        self.assertEqual(self.git("rev-parse", "fixes"), self.git("rev-parse", "series~1"))
        before = self.contents()
        self.git("tag", "-f", "fixes", "base")
        self.not_done("git tag -f fixes COMMIT", "refresh")
        self.git("tag", "-d", "fixes")
        self.assertRaises(LabError, self.do, "refresh")
        self.assertEqual(self.contents(), before)

    def test_port(self) -> None:
        self.write("build/2.0/stock/src/a.c", STOCK.replace("three", "3"))  # context of both
        work = self.do("port", "2.0")
        self.assertEqual((work / "a.c").read_text(), BOTH.replace("three", "3"))
        self.do("refresh", "2.0")
        self.assertEqual(len(queue.listed(self.root / "series/2.0/core")), 2)

    def test_port_stops_at_a_conflict(self) -> None:
        self.split()
        for word, advice in (
                ("one", "fixes/0001-first.patch does not fit 2.0(?s:.*)git am --continue; git tag "
                 "fixes; git am .*core/0001-second.patch; git tag core; then make refresh"),
                ("five", "core/0001-second.patch does not fit 2.0")):
            shutil.rmtree(self.root / "build/2.0", ignore_errors=True)
            self.write("build/2.0/stock/src/a.c", STOCK.replace(word, "other"))
            self.not_done(advice, "port", "2.0", status=Status.NOT_APPLIED)
            self.assertIn("<<<<<<<", (self.root / "build/2.0/tree/a.c").read_text())
