# SPDX-License-Identifier: GPL-2.0-only
"""Each station's bad input: half-done work, full disks, trees that do not fit."""

import contextlib
import errno
import io
import json
import os
import shutil
import subprocess
import tempfile
import unittest
from collections import namedtuple
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any
from unittest import mock

from lab import cli, docs, host, kbuild, lint, series, source, station
from lab.data import Base, read_bases, read_cases, read_unproven, slug
from lab.errors import LabError, Status
from lab.proc import Shell

GIT_ENV = {**os.environ, **series.ALONE}


class Scratch(unittest.TestCase):
    """A folder, and a shell that logs there, for each test."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.shell = Shell(self.folder / "log")

    @contextlib.contextmanager
    def refused(self, status: Status, words: str) -> Iterator[None]:
        """Expect a LabError with this status whose message or advice has these words."""
        with contextlib.redirect_stdout(io.StringIO()), self.assertRaises(LabError) as caught:
            yield
        self.assertEqual(caught.exception.status, status)
        self.assertIn(words, f"{caught.exception.message}\n{caught.exception.advice}")

    def write(self, name: str, text: str) -> Path:
        """Write a file below the folder."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path


class Data(Scratch):
    """The data files."""

    def test_bases(self) -> None:
        bases = read_bases(self.write("bases", "# comment\n\n6.12 pkg 1.2-3 - for all of us\n"))
        self.assertEqual(bases, {"6.12": Base("6.12", "pkg", "1.2-3", "-", "for all of us")})

    def test_bad_bases(self) -> None:
        for text, words in (("6.12 pkg\n", "bases:1"), ("a b c -\na b c -\n", "bases:2: base a is listed twice")):
            with self.subTest(text=text), self.refused(Status.USAGE, words):
                read_bases(self.write("bases", text))
        with self.refused(Status.USAGE, "does not exist"):
            read_bases(self.folder / "nothing")

    def test_a_base_on_top_of_another(self) -> None:
        bases = read_bases(self.write("bases", "6.1 pkg 1 - below\n6.1-more pkg 1 - above\n"))
        self.assertEqual((bases["6.1-more"].under, bases["6.1"].under), (bases["6.1"], None))
        for text in ("6.1-more pkg 1 -\n", "6.1-more pkg 1 -\n6.1 pkg 1 -\n", "6.1 pkg 1 -\n6.1-more other 1 -\n"):
            with self.subTest(text=text), self.assertRaises(LabError) as caught:
                read_bases(self.write("bases", text))
            self.assertEqual(caught.exception.status, Status.USAGE)

    def test_unproven(self) -> None:
        self.assertEqual(read_unproven(self.write("unproven", "# c\na for this reason\n")), {"a": "for this reason"})
        with self.assertRaises(LabError):
            read_unproven(self.write("unproven", "a\n"))

    def test_cases(self) -> None:
        cases = read_cases(self.write("cases", "a fail one,two reports=x.*y\nb pass -\n"))
        self.assertEqual((cases["a"].cures, cases["b"].cures), (("one", "two"), ()))
        self.assertTrue(cases["a"].reports and cases["a"].reports.search("x and y"))

    def test_cases_of_a_base(self) -> None:
        path = self.write("cases", "a skip one 7.3=fail\n")
        self.assertEqual([read_cases(path, base)["a"].stock for base in ("", "6.12", "7.3")], ["skip", "skip", "fail"])

    def test_bad_cases(self) -> None:
        for text in ("a perhaps -\n", "a pass\n", "a pass -\na pass -\n", "a pass - reports=(\n", "a pass - 7.3=no\n", "a pass - b\n", "# none\n"):
            with self.subTest(text=text), self.refused(Status.USAGE, "cases"):
                read_cases(self.write("cases", text))

    def test_slug(self) -> None:
        self.assertEqual(slug("0012-end-the-tree.patch"), "end-the-tree")


class Stations(Scratch):
    """Caching, atomic files, the lock."""

    def test_done_once_for_each_identity(self) -> None:
        ran: list[str] = []

        def go(identity: str) -> bool:
            return station.station(self.folder, "kernel", identity, self.folder / "made", lambda shell: work(shell, identity))

        def work(shell: Shell, identity: str) -> None:
            ran.append(identity)
            shell.run(["touch", self.folder / "made"], Status.NOT_BUILT)

        self.assertEqual([go("a"), go("a"), go("b"), go("a")], [True, False, True, True])
        (self.folder / "made").unlink()
        self.assertTrue(go("a"))
        self.assertEqual(ran, ["a", "b", "a", "a"])
        self.assertIn("touch", (self.folder / "commands.txt").read_text())

    def test_failed_work_is_done_again(self) -> None:
        made = self.write("made", "by an earlier run")

        def fail(shell: Shell) -> None:
            shell.run(["false"], Status.NOT_BUILT)

        station.station(self.folder, "kernel", "a", made, lambda shell: None)
        with self.refused(Status.NOT_BUILT, "`false` exited with 1"):
            station.station(self.folder, "kernel", "b", made, fail)
        self.assertTrue(station.station(self.folder, "kernel", "a", made, lambda shell: None))

    def test_failed_write_leaves_the_old_file(self) -> None:
        path = self.write("report.json", "old")
        with mock.patch("os.replace", side_effect=OSError(errno.ENOSPC, "full")), self.assertRaises(OSError):
            station.write_atomic(path, "new")
        self.assertEqual([file.name for file in self.folder.iterdir() if "report" in file.name], ["report.json"])
        self.assertEqual(path.read_text(), "old")

    def test_keys_tell_parts_apart(self) -> None:
        self.assertNotEqual(station.key("ab", "c"), station.key("a", "bc"))

    def test_folder_key_sees_names_and_contents(self) -> None:
        keys = {station.folder_key(self.write(name, text).parent) for name, text in (("k/a", "1"), ("k/a", "2"), ("k/b", "2"))}
        self.assertEqual(len(keys), 3)


class Disk(Scratch):
    """ENOSPC, wherever it comes from."""

    def test_no_space_before_the_work(self) -> None:
        usage = namedtuple("usage", "total used free")
        with mock.patch("shutil.disk_usage", return_value=usage(9, 9, 1 << 20)), self.refused(Status.DISK_FULL, "1 MiB free"):
            station.need_space(self.folder)

    def test_child_that_runs_out(self) -> None:
        with self.refused(Status.DISK_FULL, "make clean"):
            self.shell.run(["sh", "-c", "echo 'cc: x.o: No space left on device'; exit 1"], Status.NOT_BUILT)

    def test_lab_that_runs_out(self) -> None:
        output = io.StringIO()
        full = OSError(errno.ENOSPC, "No space left on device", "report.json")
        with mock.patch.object(cli, "dispatch", side_effect=full), contextlib.redirect_stdout(output):
            self.assertEqual(cli.main(["lint"]), Status.DISK_FULL)
        self.assertIn("make clean", output.getvalue().splitlines()[-1])


class Tools(Scratch):
    """What is not installed."""

    def test_user_is_told_the_command(self) -> None:
        with mock.patch("os.geteuid", return_value=1000), self.refused(
            Status.TOOL_MISSING, "sudo apt-get install --no-install-recommends one two"
        ):
            host.need({"no-such-tool": "two", "/no/such/file": "one", "sh": "dash"}, self.folder / "host.log")

    def test_nothing_missing_runs_nothing(self) -> None:
        host.need({"sh": "dash"}, self.folder / "host.log")
        self.assertFalse((self.folder / "host.log").exists())

    def test_command_that_is_not_there(self) -> None:
        with self.refused(Status.TOOL_MISSING, "no-such-tool is not installed"):
            self.shell.run(["no-such-tool"], Status.GUEST)


class Source(Scratch):
    """Debian packages and trees."""

    BASE = Base("6.12", "linux-source-6.12", "1-1", "-", "")

    def setUp(self) -> None:
        super().setUp()
        self.write("linux/Makefile", "VERSION = 6\n")
        self.write("linux/scripts/kconfig/merge_config.sh", "#!/bin/sh\n")
        self.write("linux/drivers/gpu/drm/amd/include/asic_reg/huge.h", "#define HUGE\n")
        self.tree = self.folder / "linux"
        self.place = self.folder / "build/6.12/stock"
        self.place.mkdir(parents=True)
        space = mock.patch.object(station, "NEEDED", 0)
        space.start()
        self.addCleanup(space.stop)

    def deb(self, path: Path) -> Path:
        """Make a package that holds the tree as linux-source does."""
        package = self.folder / "package"
        (package / "usr/src").mkdir(parents=True)
        (package / "DEBIAN").mkdir()
        (package / "DEBIAN/control").write_text(
            "Package: linux-source-6.12\nVersion: 1-2\nArchitecture: all\nMaintainer: x <x@example.org>\nDescription: x\n")
        tarball = package / "usr/src/linux-source-6.12.tar.xz"
        subprocess.run(["tar", "-cJf", tarball, "-C", self.folder, "linux"], check=True)
        subprocess.run(["dpkg-deb", "--build", package, path], check=True, stdout=subprocess.DEVNULL)
        shutil.rmtree(package)
        return path

    def from_debian(self) -> str:
        """Get the source with an apt that offers version 1-2; give what was printed."""

        def download(apt: source.Apt, shell: Shell, package: str, version: str) -> Path:
            return self.deb(apt.stored(package, version))

        with mock.patch.object(source.Apt, "candidate", return_value="1-2"), \
                mock.patch.object(source.Apt, "download", download), contextlib.redirect_stdout(io.StringIO()) as output:
            self.assertEqual(source.from_debian(self.BASE, self.folder / "cache", self.place), "linux-source-6.12 1-2")
        return output.getvalue()

    def test_package_is_unpacked_once(self) -> None:
        self.assertIn("last proven on 1-1; going on", self.from_debian())
        self.assertTrue((self.place / "src/Makefile").exists())
        self.assertFalse((self.place / "src/drivers/gpu/drm/amd/include/asic_reg").exists())
        self.assertIn("(cached)", self.from_debian())

    def test_half_unpacked_tree_is_done_again(self) -> None:
        self.write("build/6.12/stock/.src.tmp/Makefile", "half")
        self.write("build/6.12/stock/src/Makefile", "of unknown origin")
        self.from_debian()
        self.assertEqual((self.place / "src/Makefile").read_text(), "VERSION = 6\n")
        self.assertFalse((self.place / ".src.tmp").exists())

    def test_damaged_package_is_fetched_again(self) -> None:
        self.write("cache/linux-source-6.12_1-2_all.deb", "damaged")
        self.assertIn("damaged; fetching it again", self.from_debian())
        self.assertTrue((self.place / "src/Makefile").exists())

    def test_no_package(self) -> None:
        with mock.patch.object(source.Apt, "candidate", return_value=""), mock.patch.object(
            source.Apt, "update", return_value=False
        ), self.refused(Status.NO_SOURCE, "no package linux-source-6.12"):
            source.from_debian(self.BASE, self.folder / "cache", self.place)

    def test_cut_tarball_leaves_no_tree(self) -> None:
        with self.refused(Status.NO_SOURCE, "exited with"):
            source.unpack(self.shell, f"tar -c -C {self.tree} . | head -c 1300", self.place / "src")
        self.assertFalse((self.place / "src").exists())

    def check_tree(self, tree: Path) -> None:
        """Copy a tree and see that it was only read."""
        before = sorted((path, path.lstat().st_mtime_ns) for path in tree.rglob("*"))
        with contextlib.redirect_stdout(io.StringIO()):
            source.from_tree(tree, self.place)
        self.assertEqual(sorted((path, path.lstat().st_mtime_ns) for path in tree.rglob("*")), before)
        self.assertEqual((self.place / "src/Makefile").read_text(), "VERSION = 6\n")
        self.assertFalse((self.place / "src/.git").exists())

    def test_plain_tree(self) -> None:
        self.write("linux/mm/x.o", "left by a build")
        self.check_tree(self.tree)
        self.assertFalse((self.place / "src/mm/x.o").exists())

    def test_plain_tree_that_changes(self) -> None:
        first = source.plain_token(self.tree)
        self.write("linux/mm/new.c", "")
        self.assertNotEqual(source.plain_token(self.tree), first)

    def test_git_trees(self) -> None:
        git(self.tree, "init", "-q")
        git(self.tree, "add", "-A")
        git(self.tree, "commit", "-q", "-m", "x")
        self.write("linux/Makefile", "uncommitted\n")
        git(self.folder, "clone", "-q", "--bare", "linux", "bare")
        for tree in (self.tree, self.folder / "bare"):
            with self.subTest(tree=tree.name):
                shutil.rmtree(self.place / "src", ignore_errors=True)
                self.check_tree(tree)

    def test_no_tree(self) -> None:
        self.write("other/README", "no kernel")
        for name, words in (("nothing", "not a directory"), ("other", "not a kernel tree")):
            with self.subTest(name=name), self.refused(Status.NO_SOURCE, words):
                source.from_tree(self.folder / name, self.place)


def git(folder: Path, *words: str) -> None:
    """Run git as nobody in particular."""
    subprocess.run([*series.GIT, "-C", str(folder), *words], env=GIT_ENV, check=True, stdout=subprocess.DEVNULL)


class Series(Scratch):
    """A queue of two patches for a tree of two files."""

    def setUp(self) -> None:
        super().setUp()
        work = self.folder / "work"
        self.queue = self.folder / "queue"
        self.tree = self.folder / "stock/src"
        for root in (work, self.tree):
            (root / "mm").mkdir(parents=True)
            (root / "mm/a.c").write_text("one\ntwo\nthree\n")
            (root / "mm/b.c").write_text("untouched\n")
        (self.tree / "O").mkdir()
        (self.tree / "O/a.o").write_text("object")
        git(work, "init", "-q")
        git(work, "add", "-A")
        git(work, "commit", "-q", "-m", "stock")
        for number, text in enumerate(("ONE\ntwo\nthree\n", "Ones\ntwo\nthree\n"), 1):
            (work / "mm/a.c").write_text(text)
            git(work, "commit", "-q", "-a", "-m", f"change {number}")
        git(work, "format-patch", "-q", "-2", "-o", str(self.queue))
        self.names = sorted(path.name for path in self.queue.iterdir())
        self.write("queue/series", "# order\n" + "\n".join(self.names) + "\n")
        self.write("queue/0000-cover-letter.patch", "cover")

    def test_queue_matches(self) -> None:
        self.assertEqual([path.name for path in series.check(self.queue)], self.names)

    def test_patch_not_listed(self) -> None:
        self.write("queue/0003-new.patch", "")
        with self.refused(Status.NOT_APPLIED, f"echo 0003-new.patch >> {self.queue}/series"):
            series.check(self.queue)

    def test_patch_not_there(self) -> None:
        (self.queue / self.names[0]).unlink()
        with self.refused(Status.NOT_APPLIED, f"git checkout -- {self.queue}/{self.names[0]}"):
            series.check(self.queue)

    def test_patch_listed_twice_and_empty_series(self) -> None:
        self.write("queue/series", "\n".join([*self.names, self.names[0]]))
        with self.refused(Status.NOT_APPLIED, f"{self.names[0]} is listed 2 times"):
            series.check(self.queue)
        self.write("queue/series", "")
        self.assertIn("lists no patch", series.mismatches(self.queue)[-1])

    def test_applied_to_a_copy_the_stock_tree_stays(self) -> None:
        patched = self.folder / "patched/src"
        series.copy_tree(self.shell, self.tree, patched)
        self.assertTrue((patched / "mm/b.c").samefile(self.tree / "mm/b.c"))
        self.assertFalse((patched / "O/a.o").samefile(self.tree / "O/a.o"))
        series.apply(self.shell, patched, series.check(self.queue))
        self.assertEqual((patched / "mm/a.c").read_text(), "Ones\ntwo\nthree\n")
        self.assertEqual((self.tree / "mm/a.c").read_text(), "one\ntwo\nthree\n")

    def test_objects_of_a_copy_are_not_those_that_were_built_there(self) -> None:
        """What was built in an earlier copy is gone, so it must not count as done."""
        for name in ("config", "kernel", "guest"):
            self.write(f"patched/.done/{name}", "identity\n")
        series.copy_tree(self.shell, self.tree, self.folder / "patched/src")
        self.assertEqual([path.name for path in (self.folder / "patched/.done").iterdir()], ["guest"])

    def test_applied_on_top_of_another_queue(self) -> None:
        series.apply(self.shell, self.tree, series.check(self.queue), below=1)
        for branch, text in (("stock~1", "one\n"), ("stock", "ONE\n"), ("series", "Ones\n")):
            git(self.tree, "checkout", "-q", "--detach", branch)
            self.assertTrue((self.tree / "mm/a.c").read_text().startswith(text))

    def test_copy_of_a_tree_nothing_was_built_in(self) -> None:
        shutil.rmtree(self.tree / "O")
        series.copy_tree(self.shell, self.tree, self.folder / "patched/src")
        self.assertTrue((self.folder / "patched/src/mm/b.c").samefile(self.tree / "mm/b.c"))

    def test_patch_that_does_not_fit(self) -> None:
        self.write("stock/src/mm/a.c", "something\nelse\n")
        with self.refused(Status.NOT_APPLIED, f"{self.names[0]} does not apply at mm/a.c"):
            series.apply(self.shell, self.tree, series.check(self.queue))

    def test_file_that_is_not_there(self) -> None:
        (self.tree / "mm/a.c").unlink()
        with self.refused(Status.NOT_APPLIED, "does not apply at mm/a.c"):
            series.apply(self.shell, self.tree, series.check(self.queue))

    def test_revert(self) -> None:
        series.apply(self.shell, self.tree, series.check(self.queue))
        series.revert(self.shell, self.tree, 1, self.names[1])
        self.assertEqual((self.tree / "mm/a.c").read_text(), "ONE\ntwo\nthree\n")

    def test_revert_below_a_patch_of_words(self) -> None:
        """A comment on the same line of a later patch is no conflict: it goes first."""
        series.apply(self.shell, self.tree, series.check(self.queue))
        for line in ("/* say */\nOnes\n", "/* say it again */\nOnes\n"):
            (self.tree / "mm/a.c").write_text(f"{line}two\nthree\n")
            git(self.tree, "commit", "-q", "-a", "-m", "words")
        series.revert(self.shell, self.tree, 1, self.names[1])
        self.assertEqual((self.tree / "mm/a.c").read_text(), "ONE\ntwo\nthree\n")

    def test_revert_that_conflicts(self) -> None:
        series.apply(self.shell, self.tree, series.check(self.queue))
        with self.refused(Status.NOT_APPLIED, f"{self.names[0]} cannot be reverted alone: conflict in mm/a.c"):
            series.revert(self.shell, self.tree, 0, self.names[0])


    def test_only_comments_keep_the_time(self) -> None:
        texts = {"same.h": "int a; /* b */\n", "code.h": "int a; /* b */\n", "macro.h": "#define A 1 /* b */\n",
                 "string.h": 'char *a = "/* b */";\n', "twice.h": "#ifdef B\n#define A 1\n#else\n#define A(b) b\n#endif\n"}
        for name, text in texts.items():
            os.utime(self.write(name, text), ns=(10**18, 10**18))
        with series.comments_rebuild_nothing(self.folder, [*texts, "gone.h"]):
            self.write("same.h", "int a; /* b\n * and c */\n")
            self.write("code.h", "long a; /* b */\n")
            self.write("macro.h", "#define A 2 /* b */\n")
            self.write("string.h", 'char *a = "/* c */";\n')
            self.write("twice.h", "// it's\n" + texts["twice.h"])
        kept = [name for name in texts if (self.folder / name).stat().st_mtime_ns == 10**18]
        self.assertEqual(kept, ["same.h", "twice.h"])


class OnlyTests(Scratch):
    """Which patches need no case that fails without them."""

    def only_tests(self, *names: str) -> bool:
        self.write("x.patch", self.patch("int a;", *names))
        return series.only_tests(self.folder / "x.patch")

    @staticmethod
    def patch(line: str, *names: str) -> str:
        """Give a patch that adds a line to each file."""
        return "".join(f"diff --git a/{name} b/{name}\n--- /dev/null\n+++ b/{name}\n@@ -0,0 +1 @@\n+{line}\n" for name in names)

    def test_comments(self) -> None:
        """A comment cures nothing; what only looks like one may."""
        for line in (" * words", "/* words */", "\t/**", " */", "\t * *p = 1;", ""):
            self.assertTrue(series.only_words(self.patch(line, "mm/hmm.c", "Documentation/mm/hmm.rst")), line)
            self.write("x.patch", self.patch(line, "mm/hmm.c"))
            self.assertTrue(series.only_tests(self.folder / "x.patch"), line)
        for line in ("*p = 1;", "/* words */ p = 1;", "p = 1; /* words */", "**p = 1;"):
            self.assertFalse(series.only_words(self.patch(line, "mm/hmm.c")), line)
        self.assertFalse(series.only_words(self.patch("int a;", "lib/test_hmm.c")))

    def test_beside_the_code(self) -> None:
        for name in ("mm/tests/a_kunit.c", "mm/mmu_notifier_kunit.c", "mm/Kconfig", "mm/Makefile", "lib/test_hmm.c", "lib/test_hmm_uapi.h",
                     "tools/testing/selftests/vm/config", "Documentation/mm/hmm.rst", "MAINTAINERS", "mm/tests/.kunitconfig"):
            self.assertTrue(self.only_tests(name), name)

    def test_code(self) -> None:
        for name in ("mm/hmm.c", "include/linux/hmm.h", "lib/test_bits.c", "tools/mm/x.c", "mm/Documentation/x", "drivers/x/MAINTAINERS"):
            self.assertFalse(self.only_tests(name), name)
            self.assertFalse(self.only_tests(name, "mm/Kconfig"), name)

    def test_nothing(self) -> None:
        self.assertFalse(self.only_tests())


class Fragments(Scratch):
    """Which config fragments a tree gets."""

    def test_where_all_files_must_be_there(self) -> None:
        for name in ("vm", "vm-1.0", "vm-2.0"):
            self.write(f"configs/{name}.config", "CONFIG_A=y\n")
        self.write("configs/drivers.config", "# comment\n#WHERE# lib/one.c lib/two.c\nCONFIG_B=y\n")
        self.write("src/lib/one.c", "")

        def names(base: str) -> list[str]:
            return [path.name for path in kbuild.fragments(self.folder / "configs", base, self.folder / "src")]

        self.assertEqual(names("1.0"), ["vm.config", "vm-1.0.config"])
        self.write("src/lib/two.c", "")
        self.assertEqual(names("1.0"), ["vm.config", "vm-1.0.config", "drivers.config"])
        self.assertEqual(names("3.0"), ["vm.config", "drivers.config"])

    def test_a_second_line_is_another_place(self) -> None:
        self.write("configs/kunit.config", "#WHERE# mm/tests/a.c\n#WHERE# mm/a.c\n")
        for number, (name, there) in enumerate((("mm/b.c", False), ("mm/a.c", True), ("mm/tests/a.c", True))):
            self.write(f"{number}/{name}", "")
            found = kbuild.fragments(self.folder / "configs", "1.0", self.folder / str(number))
            self.assertEqual([path.name for path in found[1:]], ["kunit.config"] if there else [])


class Config(unittest.TestCase):
    """Fragments that set and assert."""

    CONFIG = "CONFIG_A=y\nCONFIG_N=4\n# CONFIG_OFF is not set\nCONFIG_AB=y\n"

    def test_held(self) -> None:
        fragment = "# a comment\nCONFIG_A=y\nCONFIG_N=4\n# CONFIG_OFF is not set\n# CONFIG_UNKNOWN is not set\n#CHECK#CONFIG_AB=y\n"
        self.assertEqual(kbuild.lost_options(self.CONFIG, fragment), [])

    def test_lost(self) -> None:
        for line in ("CONFIG_A=m", "CONFIG_N=5", "CONFIG_OFF=y", "CONFIG_GONE=y", "# CONFIG_A is not set", "CONFIG_AB=n"):
            for prefix in ("", "#CHECK#"):
                with self.subTest(line=prefix + line):
                    self.assertEqual(kbuild.lost_options(self.CONFIG, f"{prefix}{line}\n"), [line])

    def test_last_line_says_whether_an_option_may_lack(self) -> None:
        for fragment, lost in (("CONFIG_GONE=y\n#IF#CONFIG_GONE=y\n", []), ("#IF#CONFIG_GONE=y\nCONFIG_GONE=y\n", ["CONFIG_GONE=y"]),
                               ("#CHECK#CONFIG_GONE=y\n# CONFIG_GONE is not set\n", [])):
            with self.subTest(fragment=fragment):
                self.assertEqual(kbuild.lost_options(self.CONFIG, fragment), lost)


class Lint(Scratch):
    """The checks that are the lab's own."""

    def test_strange_hosts_and_machine_paths(self) -> None:
        self.write("good.md", "see https://lore.kernel.org/r/x and a/home/page\n")
        self.write("bad.md", "http" + "://mirror.example.net/x\n" + "/ho" + "me/me/linux\n")
        self.assertEqual([finding.split(":")[:2] for finding in lint.strangers(self.folder)], [["bad.md", "1"], ["bad.md", "2"]])

    def test_selftest_that_nobody_builds_or_runs(self) -> None:
        base = read_bases(self.write("series/bases", "6.12 linux-source-6.12 1 - the live one\n"))
        self.write("series/6.12/series", "0001-x.patch\n")
        head = "--- /dev/null\n+++ b/tools/testing/selftests/mm/x_test.c\n@@ -0,0 +1 @@\n+int x;\n"
        built, called = "+TEST_GEN_FILES += x_test\n", '+\t"$(dirname "$0")"/x_test\n'
        given: list[tuple[str, list[str]]] = [
            (head, ["Makefile", "no script"]), (head + built, ["no script"]), (head + called, ["Makefile"]), (head + built + called, [])]
        for text, words in given:
            self.write("series/6.12/0001-x.patch", text)
            found = lint.unwired(self.folder, base)
            self.assertEqual(len(found), len(words))
            self.assertTrue(all(word in line for word, line in zip(words, found, strict=True)), found)

    def test_sign_off(self) -> None:
        self.write("series/6.12/0001-x.patch", "text\n\nSigned-off-by: A <a@example.org>\n")
        self.write("series/6.12/0002-y.patch", "text, no Signed-off-by: here\n")
        self.assertEqual(len(lint.sign_offs(self.folder)), 1)

    def test_checker_that_fails_silently(self) -> None:
        self.assertEqual(lint.command(self.folder, "false"), ["false exited with 1"])
        self.assertEqual(lint.command(self.folder, "sh", "-c", "echo chatter"), [])

    def test_scripts_are_known_by_their_first_line(self) -> None:
        self.write("run", "#!/bin/sh\n")
        self.write("tool", "#!/usr/bin/env python3\n")
        self.write("build/run", "#!/bin/sh\n")
        self.assertEqual([path.name for path in lint.scripts(self.folder)], ["run"])


class Docs(Scratch):
    """Tables out of data."""

    REPORT = {
        "base": "6.12", "source": "linux-source-6.12 6.12.117-1", "series": "abc", "compiler": "gcc", "qemu": "QEMU", "patches": ["0001-one.patch"],
        "flavours": {
            "stock": {"status": 0, "cases": {"a": {"result": "fail", "reason": "hangs"}}},
            "patched": {"status": 0, "cases": {"a": {"result": "pass", "reason": ""}}},
        },
        "selftests": {"hmm-tests": {"tree": "stock", "status": 0, "left_out": {"slow": "takes a minute"},
                                    "stock": {"x": "pass", "y": "skip"}, "patched": {"x": "pass", "y": "skip"}}},
    }

    def setUp(self) -> None:
        super().setUp()
        self.write("series/bases", "6.12 linux-source-6.12 1 - the live one\n")
        self.write("series/6.12/series", "0001-one.patch\n")
        self.write("series/6.12/0001-one.patch", "Subject: [PATCH] mm: end\n what was started\n\nBody\n")
        self.write("kit/cases", "a fail one\n")
        for name in docs.PAGES:
            self.write(name, "# Page\n<!-- generated: python3 -m lab docs -->\nold\n<!-- end of generated -->\nrest\n")

    def record(self, report: dict[str, Any]) -> None:
        self.write("build/6.12/report.json", json.dumps(report))
        self.write("build/6.12/revert.json", json.dumps({"source": report["source"], "series": "abc", "fails": {"one": ["a"]},
                                                         "before": {"KUnit": {"x": "fail", "y": "pass"}}}))
        docs.record(self.folder, self.folder / "build", "6.12")

    def test_what_was_not_run_says_so(self) -> None:
        docs.write(self.folder)
        self.assertIn("| 6.12 | not run |", (self.folder / "README.md").read_text())

    def test_tables(self) -> None:
        self.record(self.REPORT)
        self.assertEqual(len(docs.stale(self.folder)), len(docs.PAGES))
        docs.write(self.folder)
        readme = (self.folder / "README.md").read_text()
        self.assertIn("| 6.12 | linux-source-6.12 6.12.117-1 | 1 fail | 1 pass, 0 fail | the live one |", readme)
        self.assertIn("| [mm: end what was started](series/6.12/0001-one.patch) | 1: `a` |", readme)
        self.assertTrue(readme.endswith("<!-- end of generated -->\nrest\n") and "old" not in readme)
        self.assertIn("| hmm-tests | the stock tree | 1 pass, 0 fail, 1 skipped | 1 pass, 0 fail, 1 skipped |\n"
                      "\nhmm-tests runs without `slow`: takes a minute.\n", (self.folder / "docs/results.md").read_text())
        self.assertIn("| a | fail | pass | hangs |", (self.folder / "docs/results.md").read_text())
        self.assertEqual(docs.stale(self.folder), [])

    def test_an_earlier_revert_is_kept_with_its_date(self) -> None:
        """A run alone does not forget which case needs which patch; without any revert nothing is claimed."""
        self.record(self.REPORT)
        kept = self.folder / "docs/results/6.12.json"
        kept.write_text(kept.read_text().replace(f'"reverted": "{date.today().isoformat()}"', '"reverted": "2026-01-02"'))
        (self.folder / "build/6.12/revert.json").unlink()
        docs.record(self.folder, self.folder / "build", "6.12")
        docs.write(self.folder)
        self.assertIn("`make revert BASE=6.12` on 2026-01-02;", (self.folder / "docs/results.md").read_text())
        self.assertIn("| 1: `a` |", (self.folder / "README.md").read_text())
        kept.unlink()
        docs.record(self.folder, self.folder / "build", "6.12")
        docs.write(self.folder)
        self.assertNotIn("make revert", (self.folder / "docs/results.md").read_text())
        self.assertNotIn("`a`", (self.folder / "README.md").read_text())

    def test_a_failed_run_is_not_recorded(self) -> None:
        report = json.loads(json.dumps(self.REPORT))
        report["flavours"]["patched"]["status"] = 6
        with self.refused(Status.NO_RESULT, "not as expected"):
            self.record(report)
        report = json.loads(json.dumps(self.REPORT))
        report["selftests"]["hmm-tests"]["status"] = 1
        with self.refused(Status.NO_RESULT, "not as expected"):
            self.record(report)
        with self.refused(Status.NO_RESULT, "not as expected"):
            self.record({**self.REPORT, "kunit": {"status": 6, "cases": {"x": "pass"}}})

    def test_a_revert_of_another_series_is_not_recorded(self) -> None:
        self.record({**self.REPORT, "series": "def"})
        docs.write(self.folder)
        self.assertNotIn("make revert", (self.folder / "docs/results.md").read_text())
        self.assertNotIn("`a`", (self.folder / "README.md").read_text())

    def test_before_and_skips(self) -> None:
        self.record({**self.REPORT, "kunit": {"status": 0, "cases": {"x": "pass", "y": "skip"}}})
        docs.write(self.folder)
        self.assertIn("KUnit on stock with nothing of the series but its tests: 1 pass, 1 fail.", (self.folder / "docs/results.md").read_text())
        self.assertIn("; KUnit 1 pass, 0 fail, 1 skipped |", (self.folder / "README.md").read_text())

    def test_nothing_to_record(self) -> None:
        with self.refused(Status.NO_RESULT, "report.json is missing"):
            docs.record(self.folder, self.folder / "build", "6.12")
