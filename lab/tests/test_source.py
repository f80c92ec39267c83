# SPDX-License-Identifier: GPL-2.0-only
"""Kernel trees out of Debian packages and TREE=DIR, and their configurations."""

import subprocess
from functools import partial
from pathlib import Path
from unittest import mock

from lab.base import memory, proc
from lab.base.errors import Status
from lab.kernel import build, source
from lab.kernel.source import Apt, Source
from lab.tests.repository import Repository, base, part

CONTROL = "Package: linux\nVersion: 1\nArchitecture: all\nMaintainer: x <x@y>\nDescription: x\n"
CONFIG = "CONFIG_A=y\nCONFIG_N=4\n# CONFIG_OFF is not set\nCONFIG_AB=y\n"


class Trees(Repository):
    """A tiny kernel tree, and an apt that offers it as version 1-2; 1 is proven."""

    def setUp(self) -> None:
        super().setUp()
        for name, text in (("linux/Makefile", "VERSION = 6\n"), ("package/DEBIAN/control", CONTROL),
                           (f"linux/{source.TABLES}/huge.h", ""), ("package/usr/src/x", ""),
                           ("linux/scripts/kconfig/merge_config.sh", "#!/bin/sh\n")):
            self.write(name, text)
        self.tree, self.src = self.root / "linux", self.root / "build/6.12/stock/src"
        self.base = self.list_bases(base("6.12", part("core"))).bases["6.12"]
        for patch in (mock.patch.object(memory, "NEEDED", 0), mock.patch.multiple(
                Apt, download=self.download, candidate=lambda *_: "1-2")):
            patch.start()
            self.addCleanup(patch.stop)

    def download(self, _shell: object, package: str, version: str) -> Path:
        """Make a package that holds the tree as linux-source does."""
        path = self.root / f"build/cache/{package}_{version}_all.deb"
        for words in (["tar", "-cJf", "package/usr/src/linux.tar.xz", "linux"],
                      ["dpkg-deb", "--build", "package", f"{path}"]):
            subprocess.run(words, cwd=self.root, check=True, stdout=subprocess.DEVNULL)
        return path

    def fetch(self, tree: Path | None = None) -> str:
        files = partial(proc.ask, ["sh", "-c", f"ls -lAR --full-time {tree or self.tree} ||:"],
                        Status.USAGE)
        one, before = Source(self.base, self.root / "build", tree), files()
        output = self.quietly(one.fetch)
        self.src = one.src
        self.assertEqual((files(), (self.src / "Makefile").read_text()), (before, "VERSION = 6\n"))
        return output

    def test_a_package_is_unpacked_once(self) -> None:
        """What is half done is done again."""
        self.assertIn("linux is 1-2; last proven on 1; going on", self.fetch())
        self.assertFalse((self.src / source.TABLES).exists())
        self.assertIn("source: linux 1-2 (cached)", self.fetch())
        (self.src.parent / ".done/source.json").unlink()
        self.write("build/6.12/stock/.src.tmp/Makefile", "half")
        self.write("build/6.12/stock/src/Makefile", "of unknown origin")
        self.write("build/cache/linux_1-2_all.deb", "damaged")
        self.assertIn("damaged; fetching it again", self.fetch())
        self.assertFalse((self.src.parent / ".src.tmp").exists())

    def test_what_is_no_tree(self) -> None:
        self.write("other/README", "no kernel")
        for name, words in (("nothing", "not a directory"), ("other", "not a kernel tree")):
            self.refused(Status.NO_SOURCE, words, self.fetch, self.root / name)
        self.refused(Status.NO_SOURCE, "exited with", source.unpack, proc.Shell(self.root / "log"),
                     f"tar -c -C {self.tree} . | head -c 1300", self.src)
        with (mock.patch.object(Apt, "candidate", return_value=""),
              mock.patch.object(Apt, "update", return_value=False)):
            self.refused(Status.NO_SOURCE, r"no package linux in .*\(base 6.12\)\n.*apt-get update",
                         self.fetch)
        (self.tree / "scripts/kconfig/merge_config.sh").unlink()
        self.refused(Status.NO_SOURCE, "does not write a kernel tree", self.fetch)
        self.assertFalse(self.src.exists())

    def test_trees(self) -> None:
        self.write("linux/mm/x.o", "left by a build")
        self.assertIn(f"source: {self.tree}\n", self.fetch(self.tree))
        self.assertFalse((self.src / "mm/x.o").exists())
        self.assertIn("cached", self.fetch(self.tree))
        self.write("linux/mm/new.c", "")
        self.assertNotIn("cached", self.fetch(self.tree))
        self.assertTrue((self.src / "mm/new.c").exists())
        for words in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "x"],
                      ["clone", "-q", "--bare", ".", "../bare"],
                      ["worktree", "add", "-q", "../worktree"]):
            self.git_in(self.tree, *words)
        self.write("linux/Makefile", "uncommitted\n")
        for name in ("linux", "bare", "worktree"):
            self.assertIn(f"source: {self.root / name}\n", self.fetch(self.root / name))
            self.assertFalse((self.src / ".git").exists())


class Config(Repository):
    """Fragments: of a `#WHERE#` line all files have to be there; a second is another place."""

    def test_fragments(self) -> None:
        for name in ("vm", "vm-1.0", "vm-2.0", "vm-x86_64", "vm-arm64"):
            self.write(f"{name}.config", "CONFIG_A=y\n")
        self.write("more.config", "# c\n#WHERE# lib/one.c lib/two.c\n#WHERE# mm/a.c\nCONFIG_B=y\n")
        for name, version, found in (("1/lib/one.c", "1.0", ["vm", "vm-arm64", "vm-1.0"]),
                                     ("1/lib/two.c", "1.0", ["vm", "vm-arm64", "vm-1.0", "more"]),
                                     ("2/mm/a.c", "3.0", ["vm", "vm-arm64", "more"])):
            tree = self.write(name, "").parents[1]
            every, few = (build.fragments(self.root, version, "arm64", tree, one)
                          for one in (False, True))
            self.assertEqual([one.stem for one in every], found)
            self.assertEqual(few, [one for one in every if one.stem != "more"])

    def test_lost_options(self) -> None:
        for line in ("CONFIG_A=y", "CONFIG_N=4", "# CONFIG_OFF is not set", "CONFIG_UNKNOWN=n",
                     "# CONFIG_UNKNOWN is not set", "# a comment", "CONFIG_X=y\n#IF#CONFIG_X=y",
                     "#CHECK#CONFIG_X=y\n# CONFIG_X is not set"):
            self.assertEqual(build.lost_options(CONFIG, line), [], line)
        for line in ("CONFIG_A=m", "CONFIG_N=5", "CONFIG_OFF=y", "CONFIG_GONE=y",
                     "# CONFIG_A is not set", "CONFIG_AB=n"):
            for before in ("", "#CHECK#", f"#IF#{line}\n"):
                self.assertEqual(build.lost_options(CONFIG, f"{before}{line}\n"), [line])
