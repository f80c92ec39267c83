# SPDX-License-Identifier: GPL-2.0-only
"""Runs commands so that they can be repeated by hand and never outlive the lab."""

import ctypes
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import TypeVar

from lab.base.errors import LabError, Status

K = TypeVar("K")
T = TypeVar("T")
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)
# What a make, a git hook or a user's kernel habits leave in the environment must not steer ours.
FOREIGN = re.compile(r"GIT_|KBUILD_|MAKE|MFLAGS|ARCH$|CROSS_COMPILE$|CC$|LLVM|O$|V$|C$|W$|KDIR$"
                     r"|LOCALVERSION$")
STOP = threading.Event()  # set when the lab is interrupted: commands of other threads end, too
QUIET = 30.0  # seconds between two progress lines without a terminal


def environment(extra: Mapping[str, str]) -> dict[str, str]:
    """Give the caller's environment without what would steer make or git, plus `extra`."""
    kept = {name: value for name, value in os.environ.items() if not FOREIGN.match(name)}
    return {**kept, "LC_ALL": "C", **extra}


def die_with_parent() -> None:
    """Run in the child: SIGTERM when the lab dies, even by SIGKILL."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def stop(child: "subprocess.Popen[bytes]") -> None:
    """End the child's whole process group: SIGTERM, after 5 s SIGKILL."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(child.pid, number)
        except ProcessLookupError:
            break
        try:
            child.wait(5)
        except subprocess.TimeoutExpired:
            continue
    child.wait()


class Progress:
    """One line for a long step: its label, how far it is, how long it takes."""

    def __init__(self, label: str, count: Callable[[], str] | None = None) -> None:
        self.label = label
        self.count = count or (lambda: "")
        self.start = self.shown = time.monotonic()

    def text(self) -> str:
        return f"  {self.label}: {self.count()} {time.monotonic() - self.start:.0f} s"

    def tick(self) -> None:
        if sys.stdout.isatty():
            print(f"\r\033[K{self.text()}", end="", flush=True)
        elif time.monotonic() - self.shown >= QUIET:
            self.shown = time.monotonic()
            print(self.text(), flush=True)

    def done(self) -> None:
        print(("\r\033[K" if sys.stdout.isatty() else "") + self.text(), flush=True)


class Shell:
    """Runs the commands of one step: keeps them in `commands`, their output in `log`."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self.commands: list[str] = []
        log.parent.mkdir(parents=True, exist_ok=True)

    def run(self, argv: Sequence[str | Path], failure: Status, *, cwd: Path | None = None,
            env: Mapping[str, str] | None = None, progress: Progress | None = None,
            timeout: float | None = None) -> bool:
        """Run a command to its end; False when it was stopped after `timeout` seconds.

        Raises LabError `failure` when it exits non-zero, DISK_FULL when its output says so.
        """
        words = [str(word) for word in argv]
        settings = [f"{name}={shlex.quote(value)}" for name, value in (env or {}).items()]
        shown = " ".join([*settings, shlex.join(words)])
        self.commands.append(f"(cd {shlex.quote(str(cwd))} && {shown})" if cwd else shown)
        with self.log.open("ab") as log:
            log.write(f"+ {self.commands[-1]}\n".encode())
            log.flush()
            begin = log.tell()
            try:
                child = subprocess.Popen(
                    words, cwd=cwd, env=environment(env or {}), stdin=subprocess.DEVNULL,
                    stdout=log, stderr=log, process_group=0, preexec_fn=die_with_parent)
            except FileNotFoundError:
                raise missing(words[0]) from None
            if not await_end(child, progress, timeout):
                return False
        if progress:
            progress.done()
        if child.returncode:
            output = self.log.read_bytes()[begin:].decode(errors="replace")
            check_space(output)
            detail = "\n".join(output.splitlines()[-15:])
            message = f"`{shown}` exited with {child.returncode}; its output is in {self.log}"
            raise LabError(failure, message, detail=detail)
        return True


def await_end(child: "subprocess.Popen[bytes]", progress: Progress | None,
              timeout: float | None) -> bool:
    """Wait for a child; False when it was stopped after `timeout` seconds."""
    deadline = None if timeout is None else time.monotonic() + timeout
    try:
        while child.poll() is None:
            if deadline is not None and time.monotonic() > deadline:
                return False
            if STOP.is_set():
                raise KeyboardInterrupt
            if progress:
                progress.tick()
            try:
                child.wait(0.25)
            except subprocess.TimeoutExpired:
                pass
        return True
    finally:
        if child.returncode is None:
            stop(child)


def ask(argv: Sequence[str | Path], failure: Status, env: Mapping[str, str] | None = None) -> str:
    """Give what a short command prints; LabError `failure` when it exits non-zero."""
    try:
        done = subprocess.run(
            [str(word) for word in argv], env=environment(env or {}), stdin=subprocess.DEVNULL,
            capture_output=True, text=True, errors="replace", check=False)
    except FileNotFoundError:
        raise missing(str(argv[0])) from None
    if done.returncode:
        check_space(done.stderr)
        command = shlex.join(str(word) for word in argv)
        said = done.stderr.strip()[-500:]
        raise LabError(failure, f"`{command}` exited with {done.returncode}: {said}")
    return done.stdout


def missing(tool: str) -> LabError:
    return LabError(Status.TOOL_MISSING, f"{tool} is not installed")


def check_space(output: str) -> None:
    if "No space left on device" in output or "Disk quota exceeded" in output:
        raise LabError(Status.DISK_FULL, "a command ran out of disk space")


def parallel(jobs: Mapping[K, Callable[[], T]], most: int = 0) -> dict[K, T]:
    """Do several things at a time, as many as there are processors, or `most`."""
    with ThreadPoolExecutor(min(os.cpu_count() or 1, most or len(jobs) or 1)) as pool:
        try:
            waiting = {name: pool.submit(job) for name, job in jobs.items()}
            # A signal just before a wait is handled when the wait ends: keep the waits short.
            while wait(waiting.values(), timeout=0.25).not_done:
                pass
            return {name: job.result() for name, job in waiting.items()}
        except KeyboardInterrupt:
            STOP.set()
            pool.shutdown(cancel_futures=True)
            raise
