# SPDX-License-Identifier: GPL-2.0-only
"""A boot is a folder: image, initrd.cpio, boot.json; an engine adds two logs and ran.json.

boot.json says how to boot and for how long, judge.json what has to come out. ran.json says what was
booted, so logs of another boot are noticed.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from lab.base.errors import LabError, Status
from lab.base.memory import digest, read_json, write_json
from lab.judge.console import whole_records
from lab.judge.verdict import Logs

VERSION = 1
IMAGE, INITRD, BOOT, JUDGE, RAN = "image", "initrd.cpio", "boot.json", "judge.json", "ran.json"
CONSOLE, RESULTS = "console.log", "results.log"
# printk.devkmsg=on: the kit marks its cases in the log, and none of these lines may be dropped.
# log_buf_len: 7.3 prints from a thread, which falls far behind a kernel that prints much.
APPEND = "ignore_loglevel printk.devkmsg=on log_buf_len=16M reboot=t panic=-1 kunit.enable=0"


@dataclass(frozen=True)
class Machine:
    """The machine that a boot needs: CPUs, MiB of memory, the kernel's words, QEMU's options."""

    cpus: int = 2
    memory: int = 1280  # hmm-tests takes two times 256 MiB for its devices
    append: str = APPEND
    options: tuple[str, ...] = ()  # a boot that needs some needs TCG as well


@dataclass(frozen=True)
class Boot:
    """What boot.json holds: all that an engine needs."""

    suite: str
    kernel: str
    stack: str
    arch: str
    machine: Machine
    seconds: float
    image: str  # SHA-256
    initrd: str  # SHA-256
    version: int = VERSION


class Folder:
    """One boot in its folder."""

    def __init__(self, place: Path) -> None:
        self.place = place

    @property
    def title(self) -> str:
        return f"{self.place.name} {self.place.parent.name}"

    def read(self) -> Boot:
        """Read boot.json; USAGE if it is no boot of this version."""
        path = self.place / BOOT
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
        except (FileNotFoundError, json.JSONDecodeError) as error:
            raise LabError(Status.USAGE, f"{self.place} is no boot: {error}") from None
        if data.get("version") != VERSION:
            raise LabError(Status.USAGE, f"{path} has version {data.get('version')}, not {VERSION}",
                           "make the boot again with this version of the lab")
        try:
            machine: dict[str, Any] = dict(data["machine"])
            machine["options"] = tuple(machine["options"])
            fields: dict[str, Any] = {**data, "machine": Machine(**machine)}
            return Boot(**fields)
        except (KeyError, TypeError) as error:
            raise LabError(Status.USAGE, f"{path}: {error}") from None

    def write(self, boot: Boot, judge: Mapping[str, Any]) -> None:
        write_json(self.place / BOOT, asdict(boot))
        write_json(self.place / JUDGE, judge)

    def judge(self) -> dict[str, Any]:
        """Read judge.json; USAGE if it is damaged."""
        found = read_json(self.place / JUDGE)
        if not found:
            raise LabError(Status.USAGE, f"{self.place}: {JUDGE} is missing or damaged")
        return found

    def ran(self) -> dict[str, Any]:
        """Read what an engine left, {} for nothing."""
        return read_json(self.place / RAN)

    def is_done(self, engine: str) -> bool:
        """Say whether this engine ran this boot to its logs."""
        ran = self.ran()
        return (not ran.get("again") and ran.get("engine") == engine
                and ran.get("boot") == digest(self.place / BOOT)
                and all((self.place / name).exists() for name in (CONSOLE, RESULTS)))

    def begin(self) -> None:
        for name in (RAN, CONSOLE, RESULTS):
            (self.place / name).unlink(missing_ok=True)

    def done(self, engine: str, ended: bool) -> None:
        boot = self.read()
        write_json(self.place / RAN, {
            "boot": digest(self.place / BOOT), "image": boot.image, "initrd": boot.initrd,
            "engine": engine, "ended": ended})

    def forget(self) -> None:
        """Let the next run boot it again; the logs stay, to be judged."""
        if ran := self.ran():
            write_json(self.place / RAN, {**ran, "again": True})

    def verify(self) -> None:
        """Raise NO_RESULT unless the logs are those of this boot."""
        boot, ran = self.read(), self.ran()
        if not ran:
            raise LabError(Status.NO_RESULT, f"{self.place} was not booted: it has no {RAN}",
                           "run the boot, or bring its folder back whole")
        for name, wanted in ((IMAGE, boot.image), (INITRD, boot.initrd),
                             (BOOT, digest(self.place / BOOT))):
            if ran.get(name.partition(".")[0]) != wanted:
                raise LabError(Status.NO_RESULT,
                               f"the logs in {self.place} belong to another boot: {name} differs",
                               "bring back the logs of this boot, or run it again")

    def logs(self) -> Logs:
        def text(name: str) -> str:
            path = self.place / name
            return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

        return Logs(text(RESULTS), whole_records(text(CONSOLE)), bool(self.ran().get("ended")))

    def hashes(self) -> tuple[str, str]:
        return digest(self.place / IMAGE), digest(self.place / INITRD)


class Engine(Protocol):
    """Takes boots, and brings back two logs of each."""

    def run(self, folders: Sequence[Folder]) -> None:
        """Run each boot that has not run, several at a time."""
