# SPDX-License-Identifier: GPL-2.0-only
"""Kernel trees out of Debian packages and TREE=DIR."""

import subprocess
from functools import partial
from pathlib import Path
from unittest import mock

from lab.base import memory, proc
from lab.base.errors import Status
from lab.kernel import source
from lab.kernel.queue import ALONE, GIT
from lab.kernel.source import Apt, Source
from lab.tests.repository import Repository, base, part

CONTROL = "Package: linux\nVersion: 1\nArchitecture: all\nMaintainer: x <x@y>\nDescription: x\n"


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
        """Fetch a tree, which is only read; give what was printed."""
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
            subprocess.run([*GIT, *words], cwd=self.tree, env=proc.environment(ALONE), check=True)
        self.write("linux/Makefile", "uncommitted\n")
        for name in ("linux", "bare", "worktree"):
            self.assertIn(f"source: {self.root / name}\n", self.fetch(self.root / name))
            self.assertFalse((self.src / ".git").exists())
