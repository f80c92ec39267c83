# SPDX-License-Identifier: GPL-2.0-only
"""The base of the lab: memory, commands, packages, errors, data files."""

import errno
import io
import os
from contextlib import redirect_stdout
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

from lab import cli
from lab.base import data, memory, packages, proc
from lab.base.errors import ADVICE, MEANING, LabError, Status
from lab.base.proc import Shell
from lab.tests.fake import wait_for_end
from lab.tests.repository import Repository


class Base(Repository):
    """A shell for each test."""

    def setUp(self) -> None:
        super().setUp()
        self.shell = Shell(self.root / "log")


class Memory(Base):
    """Steps, notes, keys, atomic files."""

    def test_a_step_is_done_once_for_each_key(self) -> None:
        ran: list[str] = []
        made = self.root / "made"

        def step(key: str) -> bool:
            return memory.step(self.root, "kernel", key, made, partial(work, key))

        def work(key: str, shell: Shell) -> None:
            ran.append(key)
            shell.run(["touch", made], Status.NOT_BUILT)

        self.assertEqual([step(key) for key in "aaba"], [True, False, True, True])
        made.unlink()
        self.assertTrue(step("a"))
        self.assertEqual("".join(ran), "abaa")
        self.assertIn("touch", (self.root / "commands.txt").read_text())

    def test_a_step_that_failed_is_done_again(self) -> None:
        made = self.write("made", "by an earlier run")

        def step(key: str, program: str) -> bool:
            return memory.step(self.root, "kernel", key, made,
                               lambda shell: bool(shell.run([program], Status.NOT_BUILT)) and None)

        self.assertTrue(step("a", "true"))
        self.refused(Status.NOT_BUILT, "`false` exited with 1", step, "b", "false")
        self.assertIn("# kernel\nfalse\n", (self.root / "commands.txt").read_text())
        self.assertTrue(step("a", "true"))

    def test_a_note_is_kept_until_its_key_changes(self) -> None:
        notes = memory.Memory(self.root / "notes")
        self.assertIsNone(notes.recall("slug", "one"))
        notes.keep("slug", "one", {"case": "fail"})
        notes.keep("other", "one", 1)
        self.assertEqual(notes.recall("slug", "one"), {"case": "fail"})
        self.assertIsNone(notes.recall("slug", "two"))
        later = memory.Memory(self.root / "notes")
        self.write("notes/slug.json", '{"key": "one", "res')
        self.assertIsNone(later.recall("slug", "one"))
        later.sweep()
        self.assertIsNone(notes.recall("other", "one"))

    def test_a_failed_write_leaves_the_old_file(self) -> None:
        path = self.write("report.json", "old")
        with (mock.patch("os.replace", side_effect=OSError(errno.ENOSPC, "full")),
              self.assertRaises(OSError)):
            memory.write_atomic(path, "new")
        self.assertEqual([one.name for one in self.root.iterdir()], ["report.json"])
        self.assertEqual(path.read_text(), "old")

    def test_keys(self) -> None:
        self.assertNotEqual(memory.key("ab", "c"), memory.key("a", "bc"))
        keys = {memory.folder_key(self.write(name, text).parent)
                for name, text in (("k/a", "1"), ("k/a", "2"), ("k/b", "2"))}
        self.assertEqual(len(keys), 3)
        before = memory.folder_key(self.root / "k", ("*.o",))
        self.write("k/x.o", "built")
        self.assertEqual(memory.folder_key(self.root / "k", ("*.o",)), before)

    def test_no_space_before_the_work(self) -> None:
        with mock.patch("shutil.disk_usage", return_value=SimpleNamespace(free=1 << 20)):
            self.refused(Status.DISK_FULL, "1 MiB free", memory.need_space, self.root)

    def test_the_lock_names_its_holder(self) -> None:
        with memory.lock(self.root):
            self.refused(Status.LOCKED, f"process {os.getpid()}\nwait for", self.lock)
        self.lock()

    def lock(self) -> None:
        with memory.lock(self.root):
            pass


class Commands(Base):
    """What a shell runs, and how it fails."""

    def test_failures(self) -> None:
        for words, status, text in (
                (["sh", "-c", "echo first; exit 3"], Status.GUEST, "exited with 3"),
                (["sh", "-c", "echo 'x.o: No space left on device' >&2; exit 1"], Status.DISK_FULL,
                 "make clean"),
                (["no-such-tool"], Status.TOOL_MISSING, "no-such-tool is not installed")):
            for run in (self.shell.run, proc.ask):
                self.refused(status, text, run, words, Status.GUEST)
        self.assertEqual(len(self.shell.commands), 3)
        self.assertIn("first\n", self.shell.log.read_text())

    def test_the_lab_runs_out_of_space(self) -> None:
        for number, status in ((errno.ENOSPC, Status.DISK_FULL), (errno.EDQUOT, Status.DISK_FULL)):
            error = OSError(number, "full", "report.json")
            with mock.patch.object(cli, "dispatch", side_effect=error):
                with redirect_stdout(io.StringIO()) as output:
                    self.assertEqual(cli.main(["lint"]), status)
            self.assertIn("make clean", output.getvalue().splitlines()[-1])

    def test_a_command_that_takes_too_long_ends_with_its_children(self) -> None:
        self.assertFalse(self.shell.run(["sh", "-c", "sleep 1000 & wait"], Status.GUEST,
                                        timeout=0.1, env={"A": f"{self.root}/bin"}))
        wait_for_end(self.root)

    def test_parallel(self) -> None:
        self.assertEqual(proc.parallel({"a": lambda: 1, "b": lambda: 2}), {"a": 1, "b": 2})
        self.refused(Status.GUEST, "no", proc.parallel, {"a": lambda: 1, "b": self.fail_here})

    @staticmethod
    def fail_here() -> int:
        raise LabError(Status.GUEST, "no")

    def test_what_would_steer_make_and_git_is_left_out(self) -> None:
        foreign = {name: "x" for name in ("MAKEFLAGS", "GIT_DIR", "ARCH", "O", "KBUILD_OUTPUT")}
        with mock.patch.dict(os.environ, {**foreign, "HOME": "kept", "CCACHE": "kept"}):
            found = proc.environment({"V": "1"})
        self.assertFalse(set(foreign) & set(found))
        self.assertEqual([found[name] for name in ("HOME", "CCACHE", "V", "LC_ALL")],
                         ["kept", "kept", "1", "C"])


class Packages(Base):
    """What is not installed."""

    TOOLS = {"no-such-tool": "two", "/no/such/file": "one", "sh": "dash"}

    def test_a_user_gets_the_command(self) -> None:
        with mock.patch("os.geteuid", return_value=1000):
            self.refused(Status.TOOL_MISSING, "sudo apt-get install --no-install-recommends one two$",
                         packages.need, self.TOOLS, self.shell.log)

    def test_root_installs(self) -> None:
        apt = self.write("bin/apt-get", f'#!/bin/sh\necho "$@"\n: > {self.root}/bin/no-such-tool\n'
                                        f"chmod +x {self.root}/bin/no-such-tool\n")
        apt.chmod(0o755)
        with (mock.patch("os.geteuid", return_value=0),
              mock.patch.dict(os.environ, {"PATH": f"{apt.parent}:{os.environ['PATH']}"})):
            self.quietly(packages.need, {"no-such-tool": "two"}, self.shell.log)
            self.refused(Status.TOOL_MISSING, "missing: one\n", packages.need, self.TOOLS,
                         self.shell.log)
        self.assertIn("install --no-install-recommends two\n", self.shell.log.read_text())

    def test_nothing_missing_runs_nothing(self) -> None:
        packages.need({"sh": "dash"}, self.root / "packages.log")
        self.assertFalse((self.root / "packages.log").exists())


class Data(Base):
    """Rows, slugs and exit statuses."""

    def test_rows(self) -> None:
        path = self.write("list", "# no\n\none  two\n")
        self.assertEqual(list(data.rows(path)), [(f"{path}:3", ["one", "two"])])
        self.refused(Status.USAGE, "does not exist", list, data.rows(Path("/nothing")))
        self.refused(Status.USAGE, "list:1: \\(", data.pattern, "list:1", "(")
        self.assertEqual(data.slug("0012-end-the-tree.patch"), "end-the-tree")

    def test_each_status_has_meaning_and_advice(self) -> None:
        readme = (data.ROOT / "lab/README.md").read_text().partition("## Exit statuses")[2]
        for status in Status:
            self.assertTrue(MEANING[status] and ADVICE[status])
            self.assertRegex(readme, rf"\b{status.value} [a-z]", "lab/README.md")
