# SPDX-License-Identifier: GPL-2.0-only
"""In-tree tests: a master and a base in, the base's file out; and what a series adds compared with it."""

import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from lab import intree
from lab.errors import LabError, Status

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
FEATURES = "feature   2.0  1.0\nBASE_NEW  yes  no\n"
FILES = "a.c  2.0  mm/tests/a.c\na.c  1.0  mm/a.c\n"


def patch(old: str, new: str, name: str) -> str:
    """Give a patch that turns one text into the other; from "" it adds the file."""
    lines = [f"-{line}" for line in old.splitlines()] + [f"+{line}" for line in new.splitlines()]
    sides = (1 if old else 0, old.count("\n"), 1 if new else 0, new.count("\n"))
    made = "" if old else "new file mode 100644\n"
    return (f"Subject: [PATCH] x\n\n---\n\ndiff --git a/{name} b/{name}\n{made}--- {f'a/{name}' if old else '/dev/null'}\n+++ b/{name}\n"
            + "@@ -{},{} +{},{} @@\n".format(*sides) + "\n".join(lines) + "\n")


class Intree(unittest.TestCase):
    """A repository with two bases, one master and a series for each."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        (self.root / "intree").mkdir()
        for name, text in (("a.c", MASTER), ("features", FEATURES), ("files", FILES)):
            (self.root / "intree" / name).write_text(text)
        self.series("2.0", patch("", NEW, "mm/tests/a.c"))
        self.series("1.0", patch("", OLD, "mm/a.c"))

    def series(self, base: str, *patches: str) -> None:
        """Write the queue of a base."""
        queue = self.root / "series" / base
        shutil.rmtree(queue, ignore_errors=True)
        queue.mkdir(parents=True)
        for number, text in enumerate(patches):
            (queue / f"{number}.patch").write_text(text)
        (queue / "series").write_text("".join(f"{number}.patch\n" for number in range(len(patches))))

    def found(self, base: str) -> list[str]:
        return list(intree.mismatches(self.root, base))

    def refused(self, name: str, text: str, said: str) -> None:
        """A data file or master is a USAGE error that says so."""
        path = self.root / "intree" / name
        good = path.read_text()
        path.write_text(text)
        with self.assertRaises(LabError) as caught:
            self.found("2.0")
        self.assertEqual(caught.exception.status, Status.USAGE)
        self.assertIn(said, caught.exception.message)
        path.write_text(good)

    def test_a_base_gets_its_own(self) -> None:
        self.assertEqual(intree.generated(self.root, "2.0"), {"mm/tests/a.c": NEW})
        self.assertEqual(intree.generated(self.root, "1.0"), {"mm/a.c": OLD})
        self.assertEqual(intree.generated(self.root, "0.5"), {})

    def test_the_series_has_it(self) -> None:
        for base in ("2.0", "1.0"):
            self.assertEqual(self.found(base), [])

    def test_a_later_patch_counts(self) -> None:
        self.series("2.0", patch("", "first();\n", "mm/tests/a.c"), patch("first();\n", NEW, "mm/tests/a.c"))
        self.assertEqual(self.found("2.0"), [])

    def test_edited_by_hand(self) -> None:
        self.series("1.0", patch("", OLD.replace("old", "mine"), "mm/a.c"))
        self.assertRegex(self.found("1.0")[0], "^series/1.0/0.patch: mm/a.c is not what intree/ makes: .*make intree BASE=1.0")

    def test_not_in_the_series(self) -> None:
        self.series("1.0", patch("", OLD, "mm/tests/a.c"))
        self.assertRegex(self.found("1.0")[0], "^series/1.0 does not add mm/a.c: .*make intree BASE=1.0")

    def test_two_copies_kept_by_hand(self) -> None:
        self.assertEqual(intree.copies(self.root, ["2.0", "1.0"]), [])
        (self.root / "intree/files").write_text("a.c  2.0  mm/tests/a.c\n")
        self.assertEqual(intree.copies(self.root, ["2.0", "1.0"]), [])
        (self.root / "intree/files").write_text("")
        self.assertRegex(intree.copies(self.root, ["2.0", "1.0"])[0], "^a.c is kept by hand in 2.0 and 1.0: ")

    def test_bad_data(self) -> None:
        for text, said in (
            ("BASE_NEW yes no\n", "a column for each of no base"), (FEATURES.replace("no", ""), "a feature is"),
            (FEATURES.replace("no", "maybe"), "a feature is"), (FEATURES.replace("BASE_NEW", "NEW"), "a feature is"),
            (FEATURES + "BASE_NEW yes yes\n", "listed twice"), ("feature 1.0\nBASE_NEW no\n", "no column"),
        ):
            self.refused("features", text, said)
        for text, said in ((FILES + "a.c 2.0 mm/tests/a.c\n", "listed twice"), ("a.c 2.0 /a.c\n", "a file is"),
                           ("a.c 2.0 ../a.c\n", "a file is"), ("a.c 2.0\n", "a file is"), ("b.c 2.0 b.c\n", "unifdef cannot")):
            self.refused("files", text, said)
        self.refused("a.c", "#ifdef BASE_NEWER\n#endif\n", "BASE_NEWER is not in intree/features")
        self.refused("a.c", "#ifdef BASE_NEW\n", "unifdef cannot")

    def test_write(self) -> None:
        tree = self.root / "tree"
        with self.assertRaises(LabError):
            intree.write(self.root, "2.0", tree)
        subprocess.run(["git", "init", "-q", tree], check=True)
        self.assertEqual(intree.write(self.root, "2.0", tree), ["mm/tests/a.c"])
        self.assertEqual((tree / "mm/tests/a.c").read_text(), NEW)


if __name__ == "__main__":
    unittest.main()
