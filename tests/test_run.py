# SPDX-License-Identifier: GPL-2.0-only
"""The command line as a whole, with a QEMU that is a script."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

from lab import selftests
from lab.errors import MEANING, Status
from lab.job import Proof
from lab.station import lock
from tests.fake_lab import make_root

REPO = Path(__file__).resolve().parent.parent


class FakeLab(unittest.TestCase):
    """A made-up repository for each test."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        make_root(self.root)
        self.place = self.root / "build/6.12"

    def start(self, *argv: str) -> "subprocess.Popen[str]":
        """Start the lab."""
        command = [sys.executable, "-B", "-m", "tests.fake_lab", str(self.root), *argv]
        return subprocess.Popen(command, cwd=REPO, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def lab(self, *argv: str) -> tuple[int, list[str]]:
        """Run the lab; give its status and its output lines."""
        with self.start(*argv) as process:
            output = process.communicate()[0]
        return process.returncode, output.splitlines()

    def reports(self) -> list[str]:
        """Give the names of reports, finished or not."""
        return [name for name in os.listdir(self.place) if "report" in name]


class Run(FakeLab):
    """From the guest on."""

    def test_as_expected(self) -> None:
        status, output = self.lab("run")
        self.assertEqual((status, output[-1]), (0, "lab: everything as expected"))
        self.assertLessEqual(len(output), 25)
        data = json.loads((self.place / "report.json").read_text())
        self.assertEqual(data["flavours"]["stock"]["cases"]["refuser_first_among_1"]["result"], "fail")
        self.assertEqual(data["flavours"]["patched"]["status"], 0)
        ktap = (self.place / "report.ktap").read_text().splitlines()
        self.assertEqual(ktap[:2], ["KTAP version 1", "1..2"])
        self.assertEqual([line for line in ktap if not line.startswith((" ", "#"))][2:], ["ok 1 stock", "ok 2 patched"])

    def test_the_same_guest_is_not_run_again(self) -> None:
        ran = self.root / "pid"
        self.lab("run")
        ran.unlink()
        status, output = self.lab("run")
        self.assertEqual((status, ran.exists()), (0, False))
        self.assertTrue(any(line.endswith("results, cached") for line in output), output)
        (self.place / "patched/src/O/arch/x86/boot/bzImage").write_text("another one")
        self.assertEqual((self.lab("run")[0], ran.exists()), (0, True))

    def test_a_guest_that_failed_is_run_again(self) -> None:
        (self.root / "cut").touch()
        self.assertEqual(self.lab("run")[0], Status.NO_RESULT)
        (self.root / "cut").unlink()
        self.assertEqual(self.lab("run")[0], 0)

    def test_on_top_of_another_base(self) -> None:
        with (self.root / "series/bases").open("a") as bases:
            bases.write("6.12-more linux-source-6.12 6.12.117-1 - on top of it\n")
        shutil.copytree(self.root / "series/6.12", self.root / "series/6.12-more")
        status, output = self.lab("run", "--base", "6.12-more")
        self.assertEqual((status, output[-1]), (0, "lab: everything as expected"))
        self.assertIn("base 6.12-more: 1 patches on top of 6.12", output)
        data = json.loads((self.root / "build/6.12-more/report.json").read_text())
        self.assertEqual(list(data["flavours"]), ["patched"])

    def selftest(self) -> tuple[int, list[str]]:
        """Run the lab with a program in the stock tree; give its status and its output lines."""
        src = self.place / "stock/src"
        for name, text in ((f"{selftests.FOLDER}/mm/hmm-tests.c", "int main(void) { return 0; }\n"),
                           ("O/usr/gen_init_cpio", "#!/bin/sh\ncat $1\n")):
            (src / name).parent.mkdir(parents=True, exist_ok=True)
            (src / name).write_text(text)
        (src / "O/usr/gen_init_cpio").chmod(0o755)
        (self.root / "configs/selftests").write_text("hmm-tests stock mm -\nin_no_tree stock mm -\n")
        return self.lab("run")

    def test_selftests_alike(self) -> None:
        status, output = self.selftest()
        self.assertEqual(status, Status.OK)
        self.assertIn("  hmm-tests: stock 3 pass, 1 skip; patched 3 pass, 1 skip: same", output)
        self.assertEqual(list(json.loads((self.place / "report.json").read_text())["selftests"]), ["hmm-tests"])

    def test_selftest_that_fails_with_the_series(self) -> None:
        (self.root / "lose").touch()
        status, output = self.selftest()
        self.assertEqual(status, Status.TEST_FAILED)
        self.assertIn("  hmm.hmm_device_private.anon_read: pass on stock, fail with the series", output)
        self.assertEqual(json.loads((self.place / "report.json").read_text())["selftests"]["hmm-tests"]["status"], Status.TEST_FAILED)

    def test_commands_are_kept(self) -> None:
        self.lab("run")
        self.assertIn("qemu-system-x86_64 -machine pc", (self.place / "stock/commands.txt").read_text())

    def test_another_qemu_runs_the_guest_anew(self) -> None:
        self.lab("run")
        (self.root / "bin/qemu-system-x86_64").write_text("#!/bin/sh\n[ \"$1\" = --version ] && exit\n: > console.log; : > results.log\n")
        self.assertEqual(self.lab("run")[0], Status.NO_RESULT)

    def test_qemu_that_fails(self) -> None:
        (self.root / "bin/qemu-system-x86_64").write_text("#!/bin/sh\n[ \"$1\" = --version ] && exit\necho no such machine >&2; exit 1\n")
        status, output = self.lab("run")
        self.assertEqual(status, Status.GUEST)
        self.assertIn("no such machine", output)
        self.assertEqual(self.reports(), [])

    def test_unknown_base(self) -> None:
        status, output = self.lab("run", "--base", "9.9")
        self.assertEqual((status, output[-1]), (Status.USAGE, "lab: BASE is one of: 6.12"))

    def test_unknown_patch(self) -> None:
        status, output = self.lab("revert", "--patch", "nothing")
        self.assertEqual((status, output[-1]), (Status.USAGE, "lab: PATCH is one of: exact-pairs"))

    def test_series_that_differs_from_its_folder(self) -> None:
        (self.root / "series/6.12/0002-more.patch").touch()
        status, output = self.lab("run")
        self.assertEqual(status, Status.NOT_APPLIED)
        self.assertIn("echo 0002-more.patch >> ", output[-1])
        self.assertFalse(self.place.exists())

    def test_second_run_touches_nothing(self) -> None:
        with lock(self.place):
            before = sorted(self.root.rglob("*"))
            status, output = self.lab("run")
            self.assertEqual(status, Status.LOCKED)
            self.assertIn(f"process {os.getpid()}", output[-2])
            self.assertEqual(sorted(self.root.rglob("*")), before)

    def test_judge_again(self) -> None:
        self.lab("run")
        logs = [str(self.place / "stock" / name) for name in ("results.log", "console.log")]
        self.assertEqual(self.lab("judge", "--flavour", "stock", *logs)[0], Status.OK)
        self.assertEqual(self.lab("judge", "--flavour", "patched", *logs)[0], Status.GUEST)


class Documented(unittest.TestCase):
    """lab/README.md against the code."""

    def test_exit_statuses(self) -> None:
        readme = (REPO / "lab/README.md").read_text()
        for status, meaning in MEANING.items():
            self.assertIn(f"| {status.value} | {meaning} |\n", readme)


class Interrupted(FakeLab):
    """No child and no report outlives the lab."""

    def setUp(self) -> None:
        super().setUp()
        (self.root / "hang").touch()

    def end(self, number: signal.Signals) -> tuple[int, str]:
        """Start a lab whose guest hangs, send it a signal; give its status and output when the guest is gone."""
        with self.start("run") as process:
            wait_for(lambda: (self.root / "pid").exists() and (self.root / "pid").read_text())  # there, and written
            guest = int((self.root / "pid").read_text())
            process.send_signal(number)
            output = process.communicate()[0]
        wait_for(lambda: not alive(guest))
        self.assertEqual(self.reports(), [])
        return process.returncode, output

    def test_signals(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            with self.subTest(signal=number.name):
                (self.root / "pid").unlink(missing_ok=True)
                status, output = self.end(number)
                self.assertEqual(status, Status.INTERRUPTED)
                self.assertIn("run the same command again", output.splitlines()[-1])

    def test_sigkill(self) -> None:
        self.assertEqual(self.end(signal.SIGKILL)[0], -signal.SIGKILL)

    def test_lock_is_free_afterwards(self) -> None:
        self.end(signal.SIGKILL)
        (self.root / "hang").unlink()
        self.assertEqual(self.lab("run")[0], Status.OK)


class Proofs(unittest.TestCase):
    """What was proven once is believed while nothing changes."""

    def test_kept_until_the_key_changes(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "revert/slug.json")
            self.assertIsNone(Proof(path, "one").get())
            Proof(path, "one").put({"fails": {"case": "fail"}})
            self.assertEqual(Proof(path, "one").get(), {"fails": {"case": "fail"}})
            self.assertIsNone(Proof(path, "two").get())


def alive(pid: int) -> bool:
    """Say whether a process runs (a zombie does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_for(condition: object) -> None:
    """Wait until a condition holds, a minute at most."""
    assert callable(condition)
    for _ in range(6000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("what was waited for did not happen")
