# SPDX-License-Identifier: GPL-2.0-only
"""series/bases.toml: what it means, and what is wrong with it."""

from functools import partial

from lab.base.data import ROOT
from lab.base.errors import Status
from lab.kernel import bases
from lab.tests.repository import Repository, base, part

TWO = (part("fixes", checked="false"), part("core"), part("debug"))
QUEUES = ("6.12/fixes", "6.12/core", "6.12/debug")


class Bases(Repository):
    """A base with three parts, two of them checked."""

    def test_stacks(self) -> None:
        """What is checked together, from the bottom; a base that needs a tree comes last."""
        tree = base("5.3", part("mirror"), more="kit = false").replace('package = "linux"\n', "")
        series = self.list_bases(tree, base("6.12", *TWO, more='features = ["A"]'))
        self.assertEqual([(one.name, one.command) for one in series.all_stacks()], [
            ("6.12", "BASE=6.12"), ("6.12-debug", "BASE=6.12 PART=debug"), ("5.3", "BASE=5.3")])
        for patch, queue in zip(("one", "two", "three"), QUEUES, strict=True):
            self.queue(queue, (f"0001-{patch}", ""))
        debug = series.stack("6.12", "debug")
        self.assertEqual([path.name for path in debug.queue],
                         ["0001-one.patch", "0001-two.patch", "0001-three.patch"])
        self.assertEqual((len(debug.patches), debug.file("report.json"), debug.base.features),
                         (1, "report-debug.json", {"BASE_A"}))
        for name in ("", "fixes", "core"):
            self.assertEqual(series.stack("6.12", name).name, "6.12")
        for arguments, words in ((("9.9",), "BASE is one of: 5.3 6.12$"),
                                 (("6.12", "x"), "PART is one of: fixes core debug$")):
            self.refused(Status.USAGE, words, series.stack, *arguments)
        for verb in ("steps", "bench", "soak", "mutants"):
            self.refused(Status.USAGE, f"^{verb} is not for base 5.3: .*\nchoose a base with",
                         series.stack("5.3").allows, verb)
            series.stack("6.12").allows(verb)
        series.stack("5.3").allows("run")

    def test_what_is_wrong_is_named(self) -> None:
        good = base("6.12", *TWO)
        bases.read(self.list_bases(good).root)
        for old, new, words in (
                ('purpose = "x"', 'purposes = "x"', "6.12: unknown key 'purposes'\n.*: purpose pa"),
                ('purpose = "x"', "purpose = 1", "6.12: purpose has to be a str"),
                ('purpose = "x"', "", "6.12: purpose is missing"),
                ('purpose = "x"', "purpose = x", "bases.toml: .*line 2"),
                ('purpose = "x"', 'purpose = "x"\nstock = { a = "no" }', "stock: a is one of pass"),
                ('arch = ["x86_64"]', 'arch = ["vax"]', "arch has to list some of: x86_64"),
                ("upstream = true", "upstream = 1", "a part: upstream has to be a bool"),
                ("upstream = true", "", "a part: upstream is missing"),
                ("upstream = true", "upstream = true\nx = 1", "a part: unknown key 'x'"),
                ("upstream = true", 'upstream = true\ntests = { "../a" = "a" }', "../a is no path"),
                ('name = "core"', 'name = "debug"', "parts need different names"),
                ("checked = true", "checked = false", "the last one has to be checked"),
                ('[bases."6.12"]', '[other]\n[bases."6.12"]', "unknown key 'other'"),
                (good, "", "bases is missing"), (good, "[bases]", "lists no base"),
                (good, "bases.x = 1", "base x is no table")):
            with self.subTest(new=new):
                self.assertIn(old, good)
                self.refused(Status.USAGE, words, self.list_bases, good.replace(old, new))
        (self.root / "series/bases.toml").unlink()
        self.refused(Status.USAGE, "bases.toml does not exist", bases.read, self.root)

    def test_parts_and_folders_agree(self) -> None:
        series = self.list_bases(base("6.12", *TWO))
        for queue in QUEUES:
            self.queue(queue, (f"0001-{queue[-4:]}", ""))
        bases.check(series)
        refused = partial(self.refused, Status.NOT_APPLIED)
        self.queue("6.12/new", ("0001-new", ""))
        refused("series/6.12/new is not listed\nfix it: add it to", bases.check, series)
        (self.root / "series/6.12/new").rename(self.root / "old")
        self.queue("6.12/debug", ("0001-core", ""))
        self.queue("6.12/core", ("0007-core", ""))
        refused("core and debug of series/6.12 both have a patch core\nfix it: rename one", bases.check, series)
        (self.root / "series/6.12/debug").rename(self.root / "debug")
        refused("6.12/debug is listed in .* but missing\nfix it: git checkout --", bases.check,
                series)

    def test_own_file(self) -> None:
        series = bases.read(ROOT)
        bases.check(series)
        self.assertTrue(all(one.patches for one in series.all_stacks()))
