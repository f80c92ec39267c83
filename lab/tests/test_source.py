# SPDX-License-Identifier: GPL-2.0-only
"""Kernel trees out of Debian packages and TREE=DIR."""

import shutil
import subprocess
from pathlib import Path
from unittest import mock

from lab.base import memory, proc
from lab.base.errors import Status
from lab.kernel import source
from lab.kernel.queue import ALONE, GIT
from lab.kernel.source import Apt, Source
from lab.tests.repository import Repository, base, part

CONTROL = ("Package: linux\nVersion: 1-2\nArchitecture: all\nMaintainer: x <x@example.org>\n"
           "Description: x\n")


class Trees(Repository):
    """A tiny kernel tree, and an apt that offers it as version 1-2; 1 is proven."""

    def setUp(self) -> None:
        super().setUp()
        for name, text in (("Makefile", "VERSION = 6\n"), (f"{source.TABLES}/huge.h", ""),
                           ("scripts/kconfig/merge_config.sh", "#!/bin/sh\n")):
            self.write(f"linux/{name}", text)
        self.tree, self.src = self.root / "linux", self.root / "build/6.12/stock/src"
        self.base = self.list_bases(base("6.12", part("core"))).bases["6.12"]
        for target, name, value in ((memory, "NEEDED", 0), (Apt, "download", self.download),
                                    (Apt, "candidate", lambda *_: "1-2")):
            patch = mock.patch.object(target, name, value)
            patch.start()
            self.addCleanup(patch.stop)

    def download(self, _shell: object, package: str, version: str) -> Path:
        """Make a package that holds the tree as linux-source does."""
        path = self.root / f"build/cache/{package}_{version}_all.deb"
        self.write("package/DEBIAN/control", CONTROL)
        self.write("package/usr/src/x", "")
        for words in (["tar", "-cJf", "package/usr/src/linux.tar.xz", "linux"],
                      ["dpkg-deb", "--build", "package", path]):
            subprocess.run(words, cwd=self.root, check=True, stdout=subprocess.DEVNULL)
        return path

    def fetch(self, tree: Path | None = None) -> str:
        """Fetch; give what was printed."""
        one = Source(self.base, self.root / "build", tree)
        self.src = one.src
        return self.quietly(one.fetch)

    def test_a_package_is_unpacked_once(self) -> None:
        self.assertIn("linux is 1-2; last proven on 1; going on", self.fetch())
        self.assertEqual((self.src / "Makefile").read_text(), "VERSION = 6\n")
        self.assertFalse((self.src / source.TABLES).exists())
        self.assertIn("source: linux 1-2 (cached)", self.fetch())

    def test_what_is_half_done_is_done_again(self) -> None:
        self.write("build/6.12/stock/.src.tmp/Makefile", "half")
        self.write("build/6.12/stock/src/Makefile", "of unknown origin")
        self.write("build/cache/linux_1-2_all.deb", "damaged")
        self.assertIn("damaged; fetching it again", self.fetch())
        self.assertEqual((self.src / "Makefile").read_text(), "VERSION = 6\n")
        self.assertFalse((self.src.parent / ".src.tmp").exists())

    def test_no_package(self) -> None:
        with (mock.patch.object(Apt, "candidate", return_value=""),
              mock.patch.object(Apt, "update", return_value=False)):
            self.refused(Status.NO_SOURCE, r"no package linux in .*\(base 6.12\)\n.*apt-get update",
                         self.fetch)

    def test_a_cut_tarball_leaves_no_tree(self) -> None:
        self.refused(Status.NO_SOURCE, "exited with", source.unpack, proc.Shell(self.root / "log"),
                     f"tar -c -C {self.tree} . | head -c 1300", self.src)
        self.assertFalse(self.src.exists())

    def copy(self, tree: Path) -> None:
        """Copy a tree, which is only read."""
        def state() -> list[tuple[Path, int]]:
            return sorted((path, path.lstat().st_mtime_ns) for path in tree.rglob("*"))

        before = state()
        self.assertIn(f"source: {tree}\n", self.fetch(tree))
        self.assertEqual(state(), before)
        self.assertEqual((self.src / "Makefile").read_text(), "VERSION = 6\n")
        for name in (".git", "mm/x.o"):
            self.assertFalse((self.src / name).exists())

    def test_a_plain_tree(self) -> None:
        self.write("linux/mm/x.o", "left by a build")
        self.copy(self.tree)
        self.assertIn("cached", self.fetch(self.tree))
        self.write("linux/mm/new.c", "")
        self.assertNotIn("cached", self.fetch(self.tree))
        self.assertTrue((self.src / "mm/new.c").exists())

    def test_git_trees(self) -> None:
        for words in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "x"],
                      ["clone", "-q", "--bare", ".", "../bare"],
                      ["worktree", "add", "-q", "../worktree"]):
            subprocess.run([*GIT, *words], cwd=self.tree, env=proc.environment(ALONE), check=True)
        self.write("linux/Makefile", "uncommitted\n")
        for name in ("linux", "bare", "worktree"):
            with self.subTest(name=name):
                self.copy(self.root / name)

    def test_no_tree(self) -> None:
        self.write("other/README", "no kernel")
        for name, words in (("nothing", "not a directory"), ("other", "not a kernel tree")):
            self.refused(Status.NO_SOURCE, words, self.fetch, self.root / name)
        shutil.rmtree(self.tree / "scripts")
        self.refused(Status.NO_SOURCE, "does not write a kernel tree", self.fetch)
