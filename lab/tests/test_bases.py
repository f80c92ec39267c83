# SPDX-License-Identifier: GPL-2.0-only
"""series/bases.toml: what it means, and what is wrong with it."""

from lab.base.errors import Status
from lab.kernel import bases
from lab.kernel.kernel import patched
from lab.kernel.source import Source
from lab.tests.repository import Repository, base, part

PARTS = (part("fixes", checked="false"), part("core"), part("debug"))
GOOD = base("6.12", *PARTS, more='features = ["A"]')


class Bases(Repository):
    """A base with three parts, two of them checked."""

    def setUp(self) -> None:
        super().setUp()
        for name in ("fixes", "core", "debug"):
            self.queue(f"6.12/{name}", (f"0001-in-{name}", ""))

    def test_stacks(self) -> None:
        """A stack is what is checked together; a base that needs a tree comes last."""
        tree = base("5.3", part("mirror"), more="kit = false").replace('package = "linux"\n', "")
        series = self.list_bases(tree, GOOD)
        self.assertEqual([(one.name, one.command) for one in series.all_stacks()], [
            ("6.12", "BASE=6.12"), ("6.12-debug", "BASE=6.12 PART=debug"), ("5.3", "BASE=5.3")])
        debug = series.stack("6.12", "debug")
        self.assertEqual([path.parent.name for path in debug.queue], ["fixes", "core", "debug"])
        self.assertEqual((len(debug.patches), debug.file("report.json"), debug.base.features),
                         (1, "report-debug.json", {"BASE_A"}))
        for name in ("", "fixes", "core"):
            self.assertEqual(series.stack("6.12", name), debug.lower)

    def test_variants(self) -> None:
        """Another architecture or kernel has names, a place and records of its own."""
        text = GOOD.replace('arch = ["x86_64"]', 'arch = ["x86_64", "arm64"]\nkernels = ["rt"]')
        series = self.list_bases(text)
        self.assertEqual([(one.name, one.command) for one in series.recorded()], [
            ("6.12", "BASE=6.12"), ("6.12-debug", "BASE=6.12 PART=debug"),
            ("6.12-arm64", "BASE=6.12 ARCH=arm64"), ("6.12-rt", "BASE=6.12 KERNEL=rt")])
        for words, name, fragments in ((("arm64",), "6.12-arm64-debug", ()),
                                       (("x86_64",), "6.12-debug", ()),
                                       (("", "rt"), "6.12-rt-debug", ("soak-rt", "soak-users"))):
            stack = series.stack("6.12", "debug", *words)
            kernel = patched(stack, Source(stack.base, self.root / "build"))
            self.assertEqual((stack.name, kernel.fragments), (name, fragments))
            self.assertEqual((kernel.place.parent.name, kernel.arch.name),
                             (name.removesuffix("-debug"), stack.base.arch[0]))
        self.assertEqual(series.stack("6.12", "debug", "x86_64"), series.all_stacks()[1])
        for words, wrong in ((("vax",), "no ARCH=vax\n.*: x86_64 arm64"),
                             (("", "kasan"), "no KERNEL=kasan\n.*: rt")):
            self.refused(Status.USAGE, wrong, series.stack, "6.12", "", *words)

    def test_what_is_wrong_is_named(self) -> None:
        purpose, up = 'purpose = "x"', "upstream = true"
        for old, new, words in (
                (purpose, 'purposes = "x"', "6.12: unknown key 'purposes'\n.*: purpose pa"),
                (purpose, "purpose = 1", "6.12: purpose has to be a str"),
                (purpose, "", "6.12: purpose is missing"),
                (purpose, "purpose = x", "bases.toml: .*line 2"),
                (purpose, f'{purpose}\nstock = {{ a = "no" }}', "stock: a is one of pass"),
                ('arch = ["x86_64"]', 'arch = ["vax"]', "arch has to list some of: x86_64"),
                (up, "upstream = 1", "a part: upstream has to be a bool"),
                (up, "", "a part: upstream is missing"),
                (up, f"{up}\nx = 1", "a part: unknown key 'x'"),
                (up, f'{up}\ntests = {{ "../a" = "a" }}', "../a is no path"),
                ('name = "core"', 'name = "debug"', "parts need different names"),
                ("checked = true", "checked = false", "the last one has to be checked"),
                ('[bases."6.12"]', '[other]\n[bases."6.12"]', "unknown key 'other'"),
                (GOOD, "", "bases is missing"), (GOOD, "[bases]", "lists no base"),
                (GOOD, "bases.x = 1", "base x is no table")):
            with self.subTest(new=new):
                self.assertIn(old, GOOD)
                self.refused(Status.USAGE, words, self.list_bases, GOOD.replace(old, new))
        (self.root / "series/bases.toml").unlink()
        self.refused(Status.USAGE, "bases.toml does not exist", bases.read, self.root)

    def test_parts_and_folders_agree(self) -> None:
        series = self.list_bases(GOOD)
        bases.check(series)
        for folder, patch, words in (
                ("core", "in-debug", "core and debug of .* both have a patch in-debug\nfix it: re"),
                ("new", "new", "series/6.12/new is not listed\nfix it: add it to the parts of")):
            self.queue(f"6.12/{folder}", (f"0007-{patch}", ""))
            self.refused(Status.NOT_APPLIED, words, bases.check, series)
        (self.root / "series/6.12/core").rename(self.root / "core")
        self.refused(Status.NOT_APPLIED, "6.12/core is listed in .* but missing\nfix it: git check",
                     bases.check, series)
