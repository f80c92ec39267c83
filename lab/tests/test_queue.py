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

STOCK = "one\ntwo\nthree\n"
ONE, TWO = STOCK.replace("one", "ONE"), STOCK.replace("one", "Ones")
SAID, AGAIN = f"/* say */\n{TWO}", f"/* say again */\n{TWO}"
A = "mm/a.c"
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
        for name, text in ((A, STOCK), ("mm/b.c", "untouched\n"), ("O/mm/a.o", "object")):
            self.write(f"stock/src/{name}", text)

    def apply(self, below: int = 0) -> None:
        queue.apply(self.shell, self.tree, queue.check(self.folder), below)

    def text(self) -> str:
        return (self.tree / A).read_text()

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

    def test_on_a_copy_the_stock_tree_stays(self) -> None:
        stock, self.tree = self.tree, self.root / "patched/src"
        self.write("stock/src/O/.a.o.cmd", f"cmd := {stock}/x\n")
        tree.copy(self.shell, stock, self.tree, True)
        self.assertTrue((self.tree / "mm/b.c").samefile(stock / "mm/b.c"))
        self.assertFalse((self.tree / "O/mm/a.o").samefile(stock / "O/mm/a.o"))
        self.assertEqual((self.tree / "O/.a.o.cmd").read_text(), f"cmd := {self.tree}/x\n")
        self.apply()
        self.assertEqual((self.text(), (stock / A).read_text()), (AGAIN, STOCK))
        Mutant("m", A, (("two\n", "2\n"),)).apply(self.shell, self.tree)
        self.assertEqual((self.text(), (self.tree / "O/mm/a.o").exists()),
                         (AGAIN.replace("two", "2"), False))
        tree.reset(self.shell, self.tree)
        self.assertEqual(self.text(), AGAIN)
        tree.copy(self.shell, stock, self.tree, False)
        self.assertFalse((self.tree / "O").exists())

    def test_branches(self) -> None:
        self.apply(below=1)
        for branch, text in (("stock~1", STOCK), ("stock", ONE), ("series", AGAIN)):
            self.assertEqual(tree.git(self.tree, "show", f"{branch}:{A}"), text)

    def test_a_patch_that_does_not_fit(self) -> None:
        for text in ("something\nelse\n", None):
            (self.tree / A).unlink() if text is None else (self.tree / A).write_text(text)
            self.refused(Status.NOT_APPLIED, f"0001-one.patch does not apply at {A}", self.apply)
            self.refused(Status.NOT_APPLIED, f"does not apply at {A}", queue.try_on, self.shell,
                         self.tree, self.root / "fit", queue.check(self.folder))

    def test_changes(self) -> None:
        """A later patch of words on the same lines goes as well; a patch of code conflicts."""
        self.apply()
        paths = tuple(queue.check(self.folder))
        for change, text, left in ((Without("w", (1,)), ONE, [0, 2, 3]),
                                   (Without("w", (3,)), SAID, [0, 1, 2]),
                                   (Without("w", (0, 1, 2, 3)), STOCK, []),
                                   (Prefix("p", 1), ONE, [0]), (Prefix("p", 0), STOCK, [])):
            self.write("stock/src/O/mm/a.o", "object")
            change.apply(self.shell, self.tree)
            self.assertEqual((self.text(), (self.tree / "O/mm/a.o").exists()), (text, False))
            self.assertEqual(change.present(paths), tuple(paths[at] for at in left))
            tree.reset(self.shell, self.tree)
            self.assertEqual(self.text(), AGAIN)
        self.refused(Status.NOT_APPLIED, f"without-one is not possible alone: conflict in {A}",
                     Without("without-one", (0,)).apply, self.shell, self.tree)

    def test_a_mutant_that_does_not_fit(self) -> None:
        for old, new in (("no", "x"), ("e\n", "x"), ("two", "two")):
            self.refused(Status.USAGE, "bad does not fit", Mutant("bad", A, ((old, new),)).changed,
                         STOCK)

    def test_only_comments_keep_the_time(self) -> None:
        texts = {"same.h": "int a; /* b */\n", "code.h": "int a; /* b */\n",
                 "macro.h": "#define A 1 /* b */\n", "string.h": 'char *a = "/* b */";\n',
                 "twice.h": "#ifdef B\n#define A 1\n#else\n#define A(b) b\n#endif\n"}
        for name, text in texts.items():
            os.utime(self.write(name, text), ns=(10**18, 10**18))
        with queue.comments_rebuild_nothing(self.root, [*texts, "gone.h"]):
            for name, text in {"same.h": "int a; /* b\n * and c */\n", "code.h": "long a;\n",
                               "macro.h": "#define A 2 /* b */\n", "twice.h": "// it's\n" + text,
                               "string.h": 'char *a = "/* c */";\n'}.items():
                self.write(name, text)
        kept = [name for name in texts if (self.root / name).stat().st_mtime_ns == 10**18]
        self.assertEqual(kept, ["same.h", "twice.h"])


class Kinds(Repository):
    """Which patches need no case that fails without them."""

    def patch(self, line: str, *names: str) -> Path:
        """Write a patch that adds a line to each file."""
        return self.write("x.patch", "".join(mail("x", name, "", f"{line}\n") for name in names))

    def test_words(self) -> None:
        for line, words in ((" * words", True), ("/* words */", True), ("\t/**", True),
                            (" */", True), ("\t * *p = 1;", True), ("", True), ("*p = 1;", False),
                            ("/* words */ p = 1;", False), ("p = 1; /* words */", False),
                            ("**p = 1;", False)):
            patch = self.patch(line, "mm/hmm.c", "Documentation/mm/hmm.rst")
            self.assertEqual(queue.only_words(patch.read_text()), words, line)
            self.assertEqual(queue.only_tests(patch), words, line)

    def test_tests(self) -> None:
        for name in ("mm/tests/a_kunit.c", "mm/mmu_notifier_kunit.c", "mm/Kconfig", "mm/Makefile",
                     "lib/test_hmm.c", "lib/test_hmm_uapi.h", "tools/testing/selftests/vm/config",
                     "Documentation/mm/hmm.rst", "MAINTAINERS", "mm/tests/.kunitconfig"):
            self.assertTrue(queue.only_tests(self.patch("int a;", name)), name)
        for name in ("mm/hmm.c", "include/linux/hmm.h", "lib/test_bits.c", "tools/mm/x.c",
                     "mm/Documentation/x", "drivers/x/MAINTAINERS"):
            self.assertFalse(queue.only_tests(self.patch("int a;", name, "mm/Kconfig")), name)
        self.assertFalse(queue.only_tests(self.patch("int a;")))
