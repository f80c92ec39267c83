# SPDX-License-Identifier: GPL-2.0-only
"""In-tree tests: a master and a base in, the base's file out, compared with what the parts add."""

import shutil

from lab.base.errors import Status
from lab.kernel.bases import Series
from lab.kernel.source import Source
from lab.tests.repository import Repository, base, part
from lab.verbs import intree

MASTER = """\
#include <linux/mm.h>

#ifdef BASE_NEW
new();

#endif
#ifdef CONFIG_X
#ifndef BASE_NEW
old();
#else
newer();
#endif
#endif
"""
NEW = "#include <linux/mm.h>\n\nnew();\n\n#ifdef CONFIG_X\nnewer();\n#endif\n"
OLD = "#include <linux/mm.h>\n\n#ifdef CONFIG_X\nold();\n#endif\n"
NEW_TEST, OLD_TEST = ('tests."mm/tests/a.c" = "a.c"', 'tests."mm/a.c" = "a.c"')


def patch(old: str, new: str, name: str) -> str:
    """Give a patch that turns one text into the other; from "" it adds the file."""
    lines = [*(f"-{line}" for line in old.splitlines()), *(f"+{line}" for line in new.splitlines())]
    sides = (1 if old else 0, old.count("\n"), 1 if new else 0, new.count("\n"))
    made, side = ("", f"a/{name}") if old else ("new file mode 100644\n", "/dev/null")
    return (f"Subject: x\n\n---\n\ndiff --git a/{name} b/{name}\n{made}--- {side}\n+++ b/{name}\n"
            + "@@ -{},{} +{},{} @@\n".format(*sides) + "\n".join(lines) + "\n")


class Intree(Repository):
    """Two bases with a part each, which add a file of one master; base 0.5 has no test."""

    def setUp(self) -> None:
        super().setUp()
        self.write("intree/a.c", MASTER)
        self.queue("2.0/core", ("1", patch("", NEW, "mm/tests/a.c")))
        self.queue("1.0/core", ("1", patch("", OLD, "mm/a.c")))
        self.series = self.read(NEW_TEST, OLD_TEST)

    def read(self, new: str, old: str) -> Series:
        """Give the bases, with the tests of 2.0 and 1.0."""
        return self.list_bases(base("2.0", part("core", new), more='features = ["NEW"]'),
                               base("1.0", part("core", old)), base("0.5", part("core")))

    def found(self, name: str) -> list[str]:
        return intree.mismatches(self.series, self.series.stack(name))

    def test_a_base_gets_its_own(self) -> None:
        for name, made in (("2.0", {"mm/tests/a.c": NEW}), ("1.0", {"mm/a.c": OLD}), ("0.5", {})):
            self.assertEqual(intree.generated(self.series, self.series.stack(name)), made)
            self.assertEqual(self.found(name), [])

    def test_a_later_patch_counts(self) -> None:
        self.queue("2.0/core", ("1", patch("", "first();\n", "mm/tests/a.c")),
                   ("2", patch("first();\n", NEW, "mm/tests/a.c")))
        self.assertEqual(self.found("2.0"), [])

    def test_edited_by_hand(self) -> None:
        self.queue("1.0/core", ("1", patch("", OLD.replace("old", "mine"), "mm/a.c")))
        self.assertRegex(self.found("1.0")[0], "^series/1.0/core/1.patch: mm/a.c differs from what "
                         "intree/a.c makes: .*make intree BASE=1.0")

    def test_not_in_the_part(self) -> None:
        self.queue("1.0/core", ("1", patch("", OLD, "mm/tests/a.c")))
        self.assertRegex(
            self.found("1.0")[0], "^series/1.0/core does not add mm/a.c: .*make intree BASE=1.0; "
            "commit it in build/1.0/tree; make refresh BASE=1.0$")
        shutil.rmtree(self.root / "series/1.0")
        self.assertRegex(self.found("1.0")[0], "does not add mm/a.c")

    def test_two_copies_kept_by_hand(self) -> None:
        self.assertEqual(intree.copies(self.series), [])
        self.assertEqual(intree.copies(self.read(NEW_TEST, "")), [])
        self.assertRegex(intree.copies(self.read("", ""))[0], "^a.c is kept by hand in 2.0 and 1.0")

    def test_bad_data(self) -> None:
        for master, test, words in (
                (MASTER, 'tests."/a.c" = "a.c"', "no path"),
                (MASTER, 'tests."../a" = "a.c"', "no path"),
                (MASTER, 'tests."mm/tests/a.c" = "b.c"', "unifdef"),
                ("#ifdef BASE_NEW\n", NEW_TEST, "unifdef"),
                ("#ifdef BASE_OTHER\n#endif\n", NEW_TEST, "BASE_OTHER is a feature of no base")):
            self.write("intree/a.c", master)
            self.refused(Status.USAGE, words, lambda: intree.generated(
                series := self.read(test, OLD_TEST), series.stack("2.0")))

    def test_write(self) -> None:
        stack = self.series.stack("2.0")
        source, tree = Source(stack.base, self.root / "build"), self.root / "build/2.0/tree"
        self.refused(Status.USAGE, "make tree BASE=2.0", intree.intree, self.series, stack, source)
        (tree / ".git").mkdir(parents=True)
        self.assertEqual(self.quietly(intree.intree, self.series, stack, source),
                         f"  {tree / 'mm/tests/a.c'}\n")
        self.assertEqual((tree / "mm/tests/a.c").read_text(), NEW)
