# SPDX-License-Identifier: GPL-2.0-only
"""A made-up repository, kernel tree and QEMU, in which the whole lab runs in seconds.

What is neither data of a test nor a patch is in lab/tests/skeleton.
"""

import atexit
import compileall
import difflib
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from functools import cache
from glob import glob
from pathlib import Path

from lab.base.data import ROOT
from lab.base.proc import environment
from lab.tests.repository import Repository, base, part

GUARD = 300.0  # seconds after which a wait has failed
GOLDEN = Path(__file__).with_name("golden")
SELFTESTS = "tools/testing/selftests/mm"
STOCK = {name: f"int {name} = 0;\n" for name in ("tree", "pairs", "code")}
DRIVER, PROGRAM = "int driver;\n", "int main(void) { return 0; }\n"
NEW = "version=2\n"  # everything boots again
FILES = {
    "linux/arch/x86/realmode/rm.S": "", "linux/lib/test_hmm.c": DRIVER, "intree/reports": "",
    f"linux/{SELFTESTS}/hmm-tests.c": PROGRAM, "kit/mn_kit.c": "", "kit/mn-kit.c": "",
    "kit/cases": (GOLDEN / "cases").read_text(),
    **{f"linux/mm/{name}.c": text for name, text in STOCK.items()},
    # Without a package, so the base needs TREE=.
    "series/bases.toml": base("6.12", part("core"), part("more")).replace("package =", "suite =")}
# By slug what a patch changes: path, old and new text.
CORE = {
    "end-interval-tree": ("mm/tree.c", STOCK["tree"], "int tree = 1;\n"),
    "exact-pairs": ("mm/pairs.c", STOCK["pairs"], "int pairs = 1;\n"),
    "callback-errors": ("mm/code.c", STOCK["code"], "int code = 1;\n"),
    "kunit": ("mm/Kconfig", "", "config MMU_NOTIFIER_KUNIT_TEST\n"),
    "reap-test": (f"{SELFTESTS}/hmm_reap_test.c", "", PROGRAM),
    "words": ("Documentation/x.rst", "", "Words.\n")}
MORE = {"more": ("mm/more.c", "", "int more = 1;\n")}


def mail(title: str, *changes: tuple[str, str, str]) -> str:
    text = (f"From {'0' * 40} Mon Sep 17 00:00:00 2001\nFrom: a <a@example.org>\n"
            f"Subject: [PATCH] {title}\n\nText.\n---\n")
    for name, old, new in changes:
        lines = difflib.unified_diff(old.splitlines(True), new.splitlines(True),
                                     f"a/{name}" if old else "/dev/null", f"b/{name}")
        mode = "" if old else "new file mode 100644\n"
        text += f"diff --git a/{name} b/{name}\n{mode}{''.join(lines)}"
    return text


def numbered(patches: dict[str, tuple[str, str, str]]) -> list[tuple[str, str]]:
    return [(f"{number:04}-{slug}", mail(slug, change))
            for number, (slug, change) in enumerate(patches.items(), 1)]


def wait_for_end(root: Path) -> None:
    """Wait for the lab and its children, which have ROOT/bin in their environment.

    A killed child may still write in ROOT. Zombies have no environment.
    """
    end = time.monotonic() + GUARD
    while not subprocess.call(["grep", "-qsF", f"{root}/bin", *glob("/proc/[0-9]*/environ")]):
        assert time.monotonic() < end, "a process outlives the lab"
        time.sleep(0.01)


class FakeLab(Repository):
    """A copy of the repository for each test: `run` was done in it."""

    def setUp(self) -> None:
        super().setUp()
        self.addCleanup(wait_for_end, self.root)  # before the folder is removed
        self.place = self.root / "build/6.12"
        self.tree = ready()[0] / "linux"
        subprocess.run(["cp", "-a", f"{ready()[0]}/.", self.root], check=True)

    @property
    def path(self) -> dict[str, str]:
        """Give the environment of a lab, in which the fake QEMU comes first."""
        return environment({"PATH": f"{self.root}/bin:{os.environ['PATH']}"})

    def start(self, *argv: str) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, "-B", "-m", "lab", *argv], cwd=self.root, env=self.path, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        return process

    def end(self, process: "subprocess.Popen[str]") -> tuple[int, list[str]]:
        output = process.communicate(timeout=GUARD)[0]
        return process.returncode, output.splitlines()

    def lab(self, verb: str, *words: str, status: int = 0, last: str = "") -> str:
        own = verb == "judge" or any("TREE=" in one for one in words)
        found, lines = self.end(self.start(verb, *([] if own else [f"TREE={self.tree}"]), *words))
        text = "\n".join(lines)
        self.assertEqual(found, status, text)
        self.assertRegex(lines[-1], last or ("^lab: " if status else "^lab: everything as"))
        self.assertNotIn("Traceback", text)
        return text

    def edit(self, name: str, old: str, new: str) -> str:
        text = (self.root / name).read_text()
        assert old in text
        self.write(name, text.replace(old, new))
        return text

    def booted(self) -> list[str]:
        """Give what was booted since the last call: kernel and suite."""
        with (self.root / "bin/booted").open("a+") as file:
            file.seek(0)
            found = sorted(file.read().splitlines())
            file.truncate(0)
        return found

    def hang(self, verb: str) -> "subprocess.Popen[str]":
        """Start a lab, and wait until it has started a guest, which does not end."""
        fifo = self.root / "bin/hangs"
        fifo.unlink(missing_ok=True)
        os.mkfifo(fifo)
        self.write("bin/mood", 'version=3\nbefore() { echo > "$here/hangs"; exec sleep 10000; }\n')
        process = self.start(verb, f"TREE={self.tree}")
        guest, lab = os.open(fifo, os.O_RDWR), os.pidfd_open(process.pid)
        for file in (guest, lab):
            self.addCleanup(os.close, file)
        if guest not in select.select([guest, lab], [], [], GUARD)[0]:
            raise AssertionError(f"no guest was started: {self.end(process)}")
        return process


@cache
def ready() -> tuple[Path, str]:
    """Make the repository and do `run`, once for all tests; give its folder and the output."""
    one = FakeLab()
    one.root = Path(tempfile.mkdtemp())
    one.tree = one.root / "linux"
    atexit.register(shutil.rmtree, one.root, ignore_errors=True)
    shutil.copytree(ROOT / "lab", one.root / "lab",
                    ignore=shutil.ignore_patterns("tests", "configs", "__pycache__"))
    # No test depends on the size of the disk.
    one.edit("lab/base/memory.py", "NEEDED = 4 << 30 ", "NEEDED = 0 ")
    compileall.compile_dir(one.root / "lab", quiet=1)
    shutil.copytree(GOLDEN.with_name("skeleton"), one.root, dirs_exist_ok=True)
    for name, text in FILES.items():
        one.write(name, text)
    (one.root / "bin/golden").symlink_to(GOLDEN)
    one.queue("6.12/core", *numbered(CORE))
    one.queue("6.12/more", *numbered(MORE))
    return one.root, one.lab("run")
