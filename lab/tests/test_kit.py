# SPDX-License-Identifier: GPL-2.0-only
"""The kit's `run`, Makefile and report, on a machine and a kernel that skeleton-kit makes up."""

import os
import re
import shlex
import shutil
import signal
import subprocess

from lab.base.data import ROOT
from lab.tests.fake import GUARD, wait_for_end
from lab.tests.repository import Repository


class Kit(Repository):
    def setUp(self) -> None:
        super().setUp()
        shutil.copytree(ROOT / "lab/tests/skeleton-kit", self.root, dirs_exist_ok=True)
        shutil.copytree(ROOT / "kit", self.root / "kit")
        self.machine = self.root / "machine"

    def start(self, command: str, *words: str) -> "subprocess.Popen[str]":
        path = f"{self.root}/bin"
        given = dict(word.split("=", 1) for word in words if "=" in word)
        for name in filter(lambda name: "/" in name, given):
            self.write(f"machine/{name}", given[name])
        fakes = {f"FAKE_{name}": text for name, text in given.items() if "/" not in name}
        return subprocess.Popen(
            [f"{path}/{command}", *(word for word in words if "=" not in word)], text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env={"PATH": f"{path}:{os.environ['PATH']}", "MN_KIT_ROOT": f"{self.machine}", **fakes})

    def check(self, command: str, line: str) -> None:
        status, expected, *words = shlex.split(line)
        with self.subTest(line), self.start(command, *words) as process:
            self.assertRegex(process.communicate(timeout=GUARD)[0], f"(?m){expected}")
            self.assertEqual(process.returncode, int(status))

    def test_what_they_say(self) -> None:
        for table in self.root.glob("*.cases"):
            for line in table.read_text().splitlines()[2:]:
                self.check(table.stem, line)
                self.assertFalse((self.machine / "sys/module/mn_kit").exists())
                shutil.rmtree(self.machine, ignore_errors=True)

    def test_run_leaves_nothing(self) -> None:
        for number, status in ((signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)):
            with self.start("run", "HANG=1") as process:
                assert process.stdout and process.stdout.readline()
                self.check("run", "3 'another run is under way'")
                process.send_signal(number)
                self.assertEqual(process.wait(GUARD), status)
            wait_for_end(self.root)
            self.assertFalse((self.machine / "sys/module/mn_kit").exists())

    def test_each_cured_case_counts(self) -> None:
        cures = dict(re.findall(r"(?m)^(\w+) +\w+ +(\S+)", (ROOT / "kit/cases").read_text()))
        controls = re.findall(r'"(\w+)", \w+, CONTROL', (ROOT / "kit/mn-kit.c").read_text())
        self.assertEqual({cures[name] for name in controls}, {"-"})

    def test_reap(self) -> None:
        """A process that is held in its exit is reaped on any kernel since v5.15."""
        subprocess.run(["make", "-sC", self.root / "kit", "reap"], check=True)
        reap = self.root / "kit/reap"
        for words in ((), ("--hold",), ("x",), ("1",), ("--hold", "2147483647")):
            self.assertEqual(subprocess.run([reap, *words], capture_output=True).returncode, 2)
        with subprocess.Popen(["sleep", "10000"]) as victim:
            done = subprocess.run([reap, "--hold", str(victim.pid)], capture_output=True, text=True)
            self.assertEqual(victim.wait(GUARD), -signal.SIGKILL)
        if "not implemented" in done.stdout:
            self.skipTest("no process_mrelease() in this kernel")
        self.assertEqual((done.stdout, done.returncode), ("reaped\n", 0))
