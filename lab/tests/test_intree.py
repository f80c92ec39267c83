# SPDX-License-Identifier: GPL-2.0-only
"""In-tree tests: a master and a base in, the base's file out, compared with what the parts add."""

import shutil

from lab.base.errors import Status
from lab.kernel.bases import Series
from lab.kernel.source import Source
from lab.tests.fake import mail
from lab.tests.repository import Repository, base, part
from lab.verbs import intree

MASTER = ("#include <linux/mm.h>\n\n#ifdef BASE_NEW\nnew();\n\n#endif\n"
          "#ifdef CONFIG_X\n#ifndef BASE_NEW\nold();\n#else\nnewer();\n#endif\n#endif\n")
NEW = "#include <linux/mm.h>\n\nnew();\n\n#ifdef CONFIG_X\nnewer();\n#endif\n"
OLD = "#include <linux/mm.h>\n\n#ifdef CONFIG_X\nold();\n#endif\n"
NEW_TEST, OLD_TEST = ('tests."mm/tests/a.c" = "a.c"', 'tests."mm/a.c" = "a.c"')


class Intree(Repository):
    """Two bases with a part each, which add a file of one master; base 0.5 has no test."""

    def setUp(self) -> None:
        super().setUp()
        self.write("intree/a.c", MASTER)
        self.part("2.0", ("mm/tests/a.c", "", NEW))
        self.part("1.0", ("mm/a.c", "", OLD))
        self.series = self.read(NEW_TEST, OLD_TEST)

    def part(self, name: str, *changes: tuple[str, str, str]) -> None:
        self.queue(f"{name}/core", *((f"{number}", mail("x", change))
                                     for number, change in enumerate(changes, 1)))

    def read(self, new: str, old: str) -> Series:
        """Give the bases, with the tests of 2.0 and 1.0."""
        return self.list_bases(base("2.0", part("core", new), more='features = ["NEW"]'),
                               base("1.0", part("core", old)), base("0.5", part("core")))

    def found(self) -> str:
        return "\n".join(intree.mismatches(self.series))

    def test_a_base_gets_its_own(self) -> None:
        for name, text in (("2.0", NEW), ("1.0", OLD)):
            self.assertEqual(intree.resolve(self.series, self.series.bases[name], "a.c"), text)
        self.part("2.0", ("mm/tests/a.c", "", "first();\n"), ("mm/tests/a.c", "first();\n", NEW))
        self.assertEqual(self.found(), "")
        self.part("2.0", ("mm/tests/a.c", "", "first();\n"))
        self.queue("2.0/more", ("2", mail("x", ("mm/tests/a.c", "first();\n", NEW))))
        self.series = self.list_bases(base("2.0", part("core", NEW_TEST, "false"), part("more"),
                                           more='features = ["NEW"]'))
        self.assertEqual(self.found(), "")

    def test_edited_by_hand_or_not_in_the_part(self) -> None:
        for name, text, words in (
                ("mm/a.c", OLD.replace("old", "mine"), "^series/1.0/core/1.patch: mm/a.c differs "
                 "from what intree/a.c makes: .*make intree BASE=1.0"),
                ("mm/tests/a.c", OLD, "^series/1.0/core does not add mm/a.c: .*make intree "
                 "BASE=1.0; commit it in build/1.0/tree; make refresh BASE=1.0$")):
            self.part("1.0", (name, "", text))
            self.assertRegex(self.found(), words)
        shutil.rmtree(self.root / "series/1.0")
        self.assertRegex(self.found(), "does not add mm/a.c")

    def test_two_copies_kept_by_hand(self) -> None:
        self.assertEqual(intree.copies(self.series), [])
        self.assertEqual(intree.copies(self.read(NEW_TEST, "")), [])
        self.assertRegex(intree.copies(self.read("", ""))[0], "^a.c is kept by hand in 2.0 and 1.0")

    def test_bad_data(self) -> None:
        for path in ("/a.c", "../a"):
            self.refused(Status.USAGE, "no path", self.read, f'tests."{path}" = "a.c"', OLD_TEST)
        for master, name, words in (
                (MASTER, "b.c", "unifdef"), ("#ifdef BASE_NEW\n", "a.c", "unifdef"),
                ("#ifdef BASE_X\n#endif\n", "a.c", "BASE_X is a feature of no base")):
            self.write("intree/a.c", master)
            self.refused(Status.USAGE, words, intree.resolve, self.series,
                         self.series.bases["2.0"], name)

    def test_write(self) -> None:
        stack = self.series.stack("2.0")
        source, tree = Source(stack.base, self.root / "build"), self.root / "build/2.0/tree"
        self.refused(Status.USAGE, "make tree BASE=2.0", intree.intree, self.series, stack, source)
        (tree / ".git").mkdir(parents=True)
        self.assertEqual(self.quietly(intree.intree, self.series, stack, source),
                         f"  {tree / 'mm/tests/a.c'}\n")
        self.assertEqual((tree / "mm/tests/a.c").read_text(), NEW)
