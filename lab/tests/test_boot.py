# SPDX-License-Identifier: GPL-2.0-only
"""The boot folder: made here, booted elsewhere, and judged when it is back."""

import subprocess

from lab.base.errors import Status
from lab.tests.fake import GUARD, NEW, FakeLab

SLEEPS = "after() { exec sleep 10000; }\n"


class Boots(FakeLab):
    """The engine "qemu", and the verbs `pack` and `judge`."""

    def test_a_guest_that_does_not_end(self) -> None:
        suite = self.edit("lab/suites/suite.py", "SECONDS = 300.0 ", "SECONDS = 0.1 ")
        self.write("bin/mood", NEW + SLEEPS)
        self.assertIn("the guest hung and was stopped", self.lab("run", status=Status.GUEST))
        self.write("bin/mood", NEW)
        self.booted()
        self.write("lab/suites/suite.py", suite)
        self.lab("run")
        self.assertEqual(len(self.booted()), 6)

    def elsewhere(self, *boots: str) -> int:
        return subprocess.call([self.root / "build/pack/6.12/run", *boots], cwd="/", env=self.path,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=GUARD)

    def judge(self, status: int, words: str, last: str = "") -> None:
        self.assertRegex(self.lab("judge", "LOGS=build/pack/6.12", status=status, last=last), words)

    def test_there_and_back(self) -> None:
        self.lab("pack")
        self.booted()
        self.judge(Status.NO_RESULT, "was not booted", "bring its folder back whole$")
        self.assertEqual((self.elsewhere(), len(self.booted())), (0, 6))
        self.judge(0, "6.12: hmm-tests on patched: 3 pass, 1 skip\n(?s:.*)19 passed, 0 failed, 4 ")
        stock = self.root / "build/pack/6.12/stock/kit"
        for name, old, new, status, words, last in (
                ("ran.json", "", (stock / "ran.json").read_text(), Status.NO_RESULT,
                 "logs in .*patched/kit belong to another boot: image differs", "bring back"),
                ("boot.json", '"cpus": 2', '"cpus": 1', Status.NO_RESULT, "boot.json differs",
                 "run it again"),
                ("boot.json", '"version": 1', '"version": 0', Status.USAGE, "has version 0, not 1",
                 "make the boot again"),
                ("judge.json", '"expect"', '"x"', Status.USAGE, "judge.json: 'expect'", "correct"),
                ("results.log", "", (stock / "results.log").read_text(), Status.TEST_FAILED,
                 "refuser_first_among_1: fail, but expected to pass", "results.log has the reason"),
                ("results.log", "lab: kit exited 0\n", "", Status.NO_RESULT, "are cut", "")):
            path = f"build/pack/6.12/patched/kit/{name}"
            before = self.edit(path, old or (self.root / path).read_text(), new)
            self.judge(status, words, last)
            self.write(path, before)
        # What goes wrong elsewhere is noticed here.
        self.write("build/pack/6.12/patched/kit/limit", "0.1\n")
        self.write("bin/mood", SLEEPS)
        self.assertEqual(self.elsewhere("patched/kit"), 0)
        self.judge(Status.GUEST, "the guest hung and was stopped; last case: victim_exits")
        self.write("bin/mood", "before() { exit 3; }\n")
        self.assertEqual(self.elsewhere("patched/kit"), 1)
        self.judge(Status.NO_RESULT, "patched/kit was not booted")
