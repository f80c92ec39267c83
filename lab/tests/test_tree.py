# SPDX-License-Identifier: GPL-2.0-only
"""From queues to a branch and back, on bases of one file."""

import re
import shutil
from pathlib import Path
from unittest import mock

from lab.base.errors import LabError, Status
from lab.kernel import bases, queue
from lab.kernel.queue import COVER
from lab.kernel.source import Source
from lab.tests.fake import mail
from lab.tests.repository import Repository, base, part
from lab.verbs import tree

STOCK = "one\ntwo\nthree\nfour\nfive\n"
ONE = STOCK.replace("one", "ONE")
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
        self.queue("1.0/core", ("0001-first", mail("mm: change 1", ("a.c", STOCK, ONE))),
                   ("0002-second", mail("mm: change 2", ("a.c", ONE, BOTH))))
        self.do("tree")
        self.do("refresh")  # writes them as git does

    def do(self, verb: str, name: str = "1.0", part_name: str = "") -> Path:
        """Do tree or refresh, and give the tree; a port is of 1.0."""
        series = bases.read(self.root)
        words = [(stack, Source(stack.base, self.root / "build"))
                 for stack in (series.stack(name, part_name), series.stack("1.0"))]
        self.quietly(getattr(tree, verb), *words[0], *(words[1] if verb == "port" else ()))
        return tree.Tree(*words[0]).path

    def not_done(self, words: str, *arguments: str, status: Status = Status.USAGE) -> None:
        self.refused(status, words, self.do, *arguments)

    def git(self, *words: str, folder: str = "tree") -> str:
        return self.git_in(self.root / "build/1.0" / folder, *words)

    def commit(self, text: str, title: str, folder: str = "tree") -> None:
        self.write(f"build/1.0/{folder}/a.c", text)
        self.git("commit", "-qam", title, folder=folder)

    def contents(self) -> dict[str, str]:
        return {f"{path.relative_to(self.root / 'series/1.0')}": path.read_text()
                for path in self.root.glob("series/1.0/*/*")}

    def assert_names(self, **parts: str) -> None:
        for name, names in parts.items():
            found = [path.stem for path in queue.check(self.root / "series/1.0" / name)]
            self.assertEqual(found, names.split())

    def assert_stays(self) -> None:
        """A tree and a refresh change nothing."""
        before = self.contents()
        shutil.rmtree(self.root / "build/1.0/tree")
        self.do("tree")
        self.do("refresh")
        self.assertEqual(self.contents(), before)

    def test_a_changed_patch_keeps_its_slug_and_a_new_one_gets_one(self) -> None:
        """Names are the placeholders for any committer. There and back changes nothing."""
        self.write(f"series/1.0/core/{COVER}", LETTER)
        self.write("build/1.0/tree/b.c", "new\n")
        self.git("add", "-f", "b.c")
        self.git("commit", "-q", "--amend", "--no-edit", "--author=Me <me@example.org>")
        self.commit(BOTH.replace("two", "TWO"), "mm: change 3")
        self.do("refresh")
        self.assert_names(core="0001-first 0002-second 0003-mm-change-3")
        self.assertIn("+++ b/b.c", self.contents()["core/0002-second.patch"])
        for text in ("Because.", f"\n{tree.NAME} (3):\n", "2 files changed", DATE):
            self.assertIn(text, self.contents()[f"core/{COVER}"])
        self.assert_stays()
        for name, text in self.contents().items():
            if name.endswith(".patch"):
                self.assertEqual(re.findall("^From: (.*)", text, re.M),
                                 [f"{tree.NAME} <{tree.MAIL}>"])

    def test_work_in_a_tree_is_not_lost(self) -> None:
        before = self.contents()
        self.not_done("exists", "tree")
        self.write("build/1.0/tree/a.c", "half done\n")
        self.not_done("not committed", "refresh")
        self.git("checkout", "a.c")
        self.write("build/1.0/tree/.git/rebase-merge/x", "")
        self.not_done("not committed", "refresh")
        shutil.rmtree(self.root / "build/1.0/tree/.git/rebase-merge")
        self.git("reset", "-q", "--hard", "base")
        self.not_done("no commit of part core", "refresh")
        self.not_done("make tree BASE=2.0", "refresh", "2.0")
        self.assertEqual(self.contents(), before)

    def test_on_top_of_another_stack(self) -> None:
        self.not_done("make tree BASE=1.0 PART=more", "refresh", "1.0", "more")
        self.queue("1.0/more", ("0001-x", "From: a <a@b>\nSubject: x\n\nno patch\n"))
        self.not_done("more/0001-x.patch does not fit 1.0", "tree", "1.0", "more",
                      status=Status.NOT_APPLIED)
        self.git("am", "--abort", folder="tree-more")
        self.commit(BOTH.replace("three", "THREE"), "mm: more", "tree-more")
        self.do("refresh", "1.0", "more")
        self.assert_names(core="0001-first 0002-second", more="0001-mm-more")
        self.assertIn("\n ONE\n two\n-three\n+THREE\n", self.contents()["more/0001-mm-more.patch"])

    def split(self) -> None:
        self.list_bases(base("1.0", *SPLIT), base("2.0", *SPLIT))
        self.git("tag", "fixes", "series~1")
        for name in ("fixes", "core"):
            self.write(f"series/1.0/{name}/{COVER}", LETTER.replace("Because", f"Of {name}"))
        self.do("refresh")

    def assert_split(self) -> None:
        self.assert_names(fixes="0001-first", core="0001-second")
        for name, commit in (("fixes", "series~1"), ("core", "series")):
            self.assertEqual(self.git("rev-parse", name), self.git("rev-parse", commit))

    def test_two_parts(self) -> None:
        self.split()
        self.assert_split()
        for name, other in (("fixes", "core"), ("core", "fixes")):
            letter = self.contents()[f"{name}/{COVER}"]
            self.assertRegex(letter, f"(?s)\nOf {name}\\.\n.*\n{tree.NAME} \\(1\\):\n")
            self.assertNotIn(other, letter)
        self.assert_stays()
        self.assert_split()

    def test_a_tag_that_a_rebase_left_behind(self) -> None:
        self.split()
        self.git("checkout", "-q", "-b", "new", "base")
        self.commit(ONE.replace("ONE", "ONE AND ONLY"), "mm: change 1")
        self.git("cherry-pick", "-X", "theirs", "series")
        self.git("checkout", "-q", "-B", "series")
        self.do("refresh")
        self.assert_split()
        self.assertIn("+ONE AND ONLY", self.contents()["fixes/0001-first.patch"])
        before = self.contents()
        self.git("tag", "-f", "fixes", "base")
        self.not_done("git tag -f fixes COMMIT", "refresh")
        self.git("tag", "-d", "fixes")
        self.assertRaises(LabError, self.do, "refresh")
        self.assertEqual(self.contents(), before)

    def test_port(self) -> None:
        """It may differ in the context of both patches, and stops at a conflict."""
        self.write("build/2.0/stock/src/a.c", STOCK.replace("three", "3"))
        work = self.do("port", "2.0")
        self.assertEqual((work / "a.c").read_text(), BOTH.replace("three", "3"))
        self.do("refresh", "2.0")
        self.assertEqual(len(queue.listed(self.root / "series/2.0/core")), 2)
        self.split()
        for word, advice in (
                ("one", "fixes/0001-first.patch does not fit 2.0(?s:.*)git am --continue; git tag "
                 "fixes; git am .*core/0001-second.patch; git tag core; then make refresh"),
                ("five", "core/0001-second.patch does not fit 2.0")):
            shutil.rmtree(self.root / "build/2.0", ignore_errors=True)
            self.write("build/2.0/stock/src/a.c", STOCK.replace(word, "other"))
            self.not_done(advice, "port", "2.0", status=Status.NOT_APPLIED)
            self.assertIn("<<<<<<<", (self.root / "build/2.0/tree/a.c").read_text())
        # Only the parts that the other base has.
        shutil.rmtree(self.root / "build/2.0")
        self.list_bases(base("1.0", *SPLIT), base("2.0", SPLIT[0], part("tests")))
        self.write("build/2.0/stock/src/a.c", STOCK)
        self.assertEqual((self.do("port", "2.0") / "a.c").read_text(), ONE)
