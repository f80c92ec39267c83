# SPDX-License-Identifier: GPL-2.0-only
"""Patch queues: their folder, applying them, and the one change on top."""

import os
from pathlib import Path

from lab.base.errors import Status
from lab.base.proc import Shell
from lab.kernel import queue, tree
from lab.kernel.tree import Mutant, Prefix, Without
from lab.tests.fake import mail, numbered
from lab.tests.repository import Repository

A = "mm/a.c"
STOCK = "one\ntwo\nthree\n"
ONE, TWO = STOCK.replace("one", "ONE"), STOCK.replace("one", "Ones")
SAID, AGAIN = f"/* say */\n{TWO}", f"/* say again */\n{TWO}"
PATCHES = {"one": (A, STOCK, ONE), "two": (A, ONE, TWO), "say": (A, TWO, SAID),
           "again": (A, SAID, AGAIN)}


class Queue(Repository):
    """A queue of two patches of code and two of words, for a tree of two files."""

    def setUp(self) -> None:
        super().setUp()
        self.shell = Shell(self.root / "log")
        self.queue("q", *numbered(PATCHES))
        self.write(f"series/q/{queue.COVER}", "cover")
        self.folder, self.tree = self.root / "series/q", self.root / "stock/src"
        for name, text in ((A, STOCK), ("mm/b.c", "same\n"), ("O/mm/a.o", "object"),
                           ("O/.a.o.cmd", f"cmd := {self.tree}/x\n")):
            self.write(f"stock/src/{name}", text)

    def apply(self, below: int = 0) -> None:
        queue.apply(self.shell, self.tree, queue.check(self.folder), below)

    def assert_text(self, text: str) -> None:
        self.assertEqual((self.tree / A).read_text(), text)

    def test_series_and_folder(self) -> None:
        names = queue.listed(self.folder)
        self.assertEqual([path.name for path in queue.check(self.folder)], names)
        first, lines = names[0], "\n".join(names)
        for text, words in ((lines.replace(first, ""), f"echo {first} >> {self.folder}/series"),
                            (f"{lines}\n9.patch", f"git checkout -- {self.folder}/9.patch"),
                            (f"{lines}\n{first}", f"{first} is listed 2 times"), ("", "echo 0001")):
            self.write("series/q/series", text)
            self.refused(Status.NOT_APPLIED, words, queue.check, self.folder)
        self.assertIn("lists no patch", queue.mismatches(self.folder)[-1])
        self.write("series/q/series", lines)
        (self.tree / A).unlink()
        self.refused(Status.NOT_APPLIED, f"{first} does not apply at {A}", self.apply)

    def test_on_a_copy_the_stock_tree_stays(self) -> None:
        stock, self.tree = self.tree, self.root / "patched/src"
        self.quietly(tree.copy, self.shell, stock, self.tree, True)
        self.assertTrue((self.tree / "mm/b.c").samefile(stock / "mm/b.c"))
        self.assertFalse((self.tree / "O/mm/a.o").samefile(stock / "O/mm/a.o"))
        self.assertEqual((self.tree / "O/.a.o.cmd").read_text(), f"cmd := {self.tree}/x\n")
        self.apply(below=1)
        for branch, text in (("stock~1", STOCK), ("stock", ONE), ("series", AGAIN)):
            self.assertEqual(tree.git(self.tree, "show", f"{branch}:{A}"), text)
        self.assertEqual((stock / A).read_text(), STOCK)
        Mutant("m", A, (("two\n", "2\n"),)).apply(self.shell, self.tree)
        self.assert_text(AGAIN.replace("two", "2"))
        tree.reset(self.shell, self.tree)
        self.assert_text(AGAIN)
        for old, new in (("no", "x"), ("e", "x"), ("two", "two")):
            self.refused(Status.USAGE, "m does not fit", Mutant("m", A, ((old, new),)).apply,
                         self.shell, self.tree)
        self.quietly(tree.copy, self.shell, stock, self.tree, False)
        self.assertFalse((self.tree / "O").exists())

    def test_changes(self) -> None:
        """A later patch of words on the same lines goes as well; a patch of code conflicts."""
        self.apply()
        paths = queue.check(self.folder)
        for change, text, left in ((Without("w", (1,)), ONE, "023"),
                                   (Without("w", (3,)), SAID, "012"),
                                   (Without("w", (0, 1, 2, 3)), STOCK, ""),
                                   (Prefix("p", 1), ONE, "0"), (Prefix("p", 0), STOCK, "")):
            tree.reset(self.shell, self.tree)
            self.assert_text(AGAIN)
            made = self.write("stock/src/O/mm/a.o", "object")
            change.apply(self.shell, self.tree)
            self.assert_text(text)
            self.assertFalse(made.exists())
            self.assertEqual([*change.present(tuple(paths))], [paths[int(at)] for at in left])
        tree.reset(self.shell, self.tree)
        self.refused(Status.NOT_APPLIED, f"without-one is not possible alone: conflict in {A}",
                     Without("without-one", (0,)).apply, self.shell, self.tree)

    def test_only_comments_keep_the_time(self) -> None:
        for name, old, new, kept in (
                ("same", "int a; /* b */\n", "int a; /* b\n * and c */\n", True),
                ("twice", "#define A 1\n#define A(b) b\n", "// it's\n#define A 1\n#define A(b) b\n",
                 True), ("code", "int a; /* b */\n", "long a; /* b */\n", False),
                ("macro", "#define A 1 /* b */\n", "#define A 2 /* b */\n", False),
                ("string", 'char *a = "/* b */";\n', 'char *a = "/* c */";\n', False)):
            path = self.write(f"{name}.h", old)
            os.utime(path, ns=(10**18, 10**18))
            with queue.comments_rebuild_nothing(self.root, [path.name, "gone.h"]):
                path.write_text(new)
            self.assertEqual(path.stat().st_mtime_ns == 10**18, kept, name)

    def test_a_patch_below_comments_that_later_ones_edit(self) -> None:
        text = ("/* {} */\n{}" + "x\n" * 9 + "{}\n").format
        texts = [text(1, "", "old"), text(2, "", "new"), text(3, "", "new"), text(4, "y\n", "new")]
        self.queue("r", *numbered({f"p{at}": (A, texts[at], texts[at + 1]) for at in range(3)}))
        self.folder = self.root / "series/r"
        self.write(f"stock/src/{A}", texts[0])
        self.apply()
        Without("w", (0,)).apply(self.shell, self.tree)
        self.assert_text(text(4, "y\n", "old"))

    def adds(self, line: str, *names: str) -> Path:
        return self.write("x.patch", mail("x", *((name, "", f"{line}\n") for name in names)))

    def test_which_patches_need_no_case(self) -> None:
        words = (" * words", "/* words */", "\t/**", " */", "\t * *p = 1;", "")
        for line in (*words, "*p = 1;", "/* words */ p = 1;", "p = 1; /* words */", "**p = 1;"):
            patch = self.adds(line, "mm/hmm.c", "Documentation/mm/hmm.rst")
            self.assertEqual(queue.only_words(patch.read_text()), line in words, line)
            self.assertEqual(queue.only_tests(patch), line in words, line)
        for name in ("mm/tests/a_kunit.c", "mm/mmu_notifier_kunit.c", "mm/Kconfig", "mm/Makefile",
                     "lib/test_hmm.c", "lib/test_hmm_uapi.h", "tools/testing/selftests/vm/config",
                     "Documentation/mm/hmm.rst", "MAINTAINERS", "mm/tests/.kunitconfig"):
            self.assertTrue(queue.only_tests(self.adds("int a;", name)), name)
        for name in ("mm/hmm.c", "include/linux/hmm.h", "lib/test_bits.c", "tools/mm/x.c",
                     "mm/Documentation/x", "drivers/x/MAINTAINERS"):
            self.assertFalse(queue.only_tests(self.adds("int a;", name, "mm/Kconfig")), name)
        self.assertFalse(queue.only_tests(self.adds("int a;")))
