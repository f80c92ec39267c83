# SPDX-License-Identifier: GPL-2.0-only
"""The base of the lab: memory, commands, packages, errors."""

import errno
import io
import os
from contextlib import redirect_stdout
from unittest import mock

from lab import cli
from lab.base import data, memory, packages, proc
from lab.base.errors import Status
from lab.base.proc import Shell
from lab.tests.fake import wait_for_end
from lab.tests.repository import Repository

TOOLS = {"no-such-tool": "two", "/no/such/file": "one", "sh": "dash"}


class Base(Repository):
    def test_a_step_that_failed_is_done_again(self) -> None:
        def step(key: str, program: str) -> bool:
            def work(shell: Shell) -> None:
                shell.run([program], Status.NOT_BUILT)

            return memory.step(self.root, "kernel", key, self.root, work)

        self.assertEqual([step(key, "true") for key in "aaba"], [True, False, True, True])
        self.refused(Status.NOT_BUILT, "`false` exited with 1", step, "b", "false")
        self.assertTrue(step("a", "true"))

    def test_a_note_is_kept_until_its_key_changes(self) -> None:
        notes, later = (memory.Memory(self.root / "notes") for _ in range(2))
        for name in ("slug", "other"):
            self.assertIsNone(notes.recall(name, "one"))
            notes.keep(name, "one", {"case": "fail"})
        self.assertEqual(notes.recall("slug", "one"), {"case": "fail"})
        self.assertIsNone(notes.recall("slug", "two"))
        self.write("notes/slug.json", '{"key": "one", "res')
        self.assertIsNone(later.recall("slug", "one"))
        later.sweep()
        self.assertIsNone(notes.recall("other", "one"))

    def test_files_and_keys(self) -> None:
        path = self.write("report.json", "old")
        with mock.patch("os.replace", side_effect=OSError(errno.ENOSPC, "full")):
            self.assertRaises(OSError, memory.write_atomic, path, "new")
        self.assertEqual([one.read_text() for one in self.root.iterdir()], ["old"])
        self.assertNotEqual(memory.key("ab", "c"), memory.key("a", "bc"))
        keys = {memory.folder_key(self.write(name, text).parent, ("*.o",)) for name, text in
                (("k/a", "1"), ("k/a", "2"), ("k/b", "2"), ("k/x.o", "left out"))}
        self.assertEqual(len(keys), 3)

    def test_what_fails(self) -> None:
        for words, status, text in (
                (["sh", "-c", "exit 3"], Status.GUEST, "exited with 3"),
                (["sh", "-c", "echo 'x.o: No space left on device' >&2; exit 1"], Status.DISK_FULL,
                 "make clean"),
                (["no-such-tool"], Status.TOOL_MISSING, "no-such-tool is not installed")):
            self.refused(status, text, Shell(self.root / "log").run, words, Status.GUEST)
            self.refused(status, text, proc.ask, words, Status.GUEST)
        # A command that takes too long ends with its children.
        self.assertFalse(Shell(self.root / "log").run(
            ["sh", "-c", "sleep 10000 & wait"], Status.GUEST, timeout=0.1,
            env={"A": f"{self.root}/bin"}))
        wait_for_end(self.root)
        with mock.patch.dict(os.environ, {"CCACHE_PREFIX": "distcc", "KBUILD_X": "1"}):
            passed = proc.environment({})
        self.assertEqual((passed.get("CCACHE_PREFIX"), passed.get("KBUILD_X")), ("distcc", None))
        for number in (errno.ENOSPC, errno.EDQUOT):
            full = mock.patch.object(cli, "dispatch", side_effect=OSError(number, "full", "x"))
            with full, redirect_stdout(io.StringIO()) as output:
                self.assertEqual(cli.main(["lint"]), Status.DISK_FULL)
            self.assertIn("make clean", output.getvalue().splitlines()[-1])

    def test_packages(self) -> None:
        """A user gets the command, root has it run; nothing missing runs nothing."""
        log = self.root / "log"
        packages.need({"sh": "dash"}, log)
        with mock.patch("os.geteuid", return_value=1000):
            self.refused(Status.TOOL_MISSING, "sudo apt-get install --no-install-recommends one tw",
                         packages.need, TOOLS, log)
        self.assertFalse(log.exists())
        tool = f"{self.root}/bin/no-such-tool"
        apt = self.write("bin/apt-get", f'#!/bin/sh\necho "$@"\n: > {tool}; chmod +x {tool}\n')
        apt.chmod(0o755)
        path = {"PATH": f"{apt.parent}:{os.environ['PATH']}"}
        with mock.patch("os.geteuid", return_value=0), mock.patch.dict(os.environ, path):
            self.refused(Status.TOOL_MISSING, "missing: one\n", packages.need, TOOLS, log)
        self.assertIn("install --no-install-recommends one two\n", log.read_text())

    def test_data(self) -> None:
        path = self.write("list", "# no\n\none  two\n")
        self.assertEqual(list(data.rows(path)), [(f"{path}:3", ["one", "two"])])
        self.refused(Status.USAGE, "list:1: \\(", data.pattern, "list:1", "(")
        self.assertEqual(data.slug("0012-end-the-tree.patch"), "end-the-tree")
        self.assertTrue(all(status.meaning and status.advice for status in Status))
