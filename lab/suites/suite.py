# SPDX-License-Identifier: GPL-2.0-only
"""What every suite has: how it is booted on a kernel, and how its logs are judged."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab.base import memory
from lab.base.errors import Status
from lab.base.memory import key
from lab.base.proc import Shell
from lab.engines.boot import IMAGE, INITRD, Boot, Folder, Machine
from lab.judge.verdict import PATCHED, Logs, Verdict
from lab.kernel.kernel import Kernel

INIT = Path(__file__).with_name("guest-init.c")
SECONDS = 300.0  # a guest that takes longer hangs
# Every initrd: the places to mount on, and the init.
COMMON = """\
dir /dev 755 0 0
nod /dev/console 600 0 0 c 5 1
dir /proc 755 0 0
dir /sys 755 0 0
dir /tmp 1777 0 0
file /init {init} 755 0 0
"""
KIT_FILES = """\
dir /kit 755 0 0
file /kit/mn_kit.ko {kit}/mn_kit.ko 644 0 0
file /kit/mn-kit {kit}/mn-kit 755 0 0
"""
KIT_PRODUCTS = ("mn_kit.ko", "mn-kit")


@dataclass(frozen=True)
class Expect:
    """What has to come out: `kernel` is stock, patched, or the slug of the patch left out.

    `elsewhere`: another suite shows the lack of the patch. `allow_skip`: any case may be skipped.
    `whole`: only whether there is a result for each case counts. `allowed` matches splats that
    do not count.
    """

    kernel: str = PATCHED
    elsewhere: bool = False
    allow_skip: bool = False
    whole: bool = False
    allowed: tuple[str, ...] = ()


class Suite:
    """One thing that is booted. `name` names it in folders, records and reports."""

    name = ""
    seconds = SECONDS
    machine = Machine()

    def contents(self, kernel: Kernel) -> str:
        """Build what the initrd holds; give its lines for gen_init_cpio."""
        raise NotImplementedError

    def words(self) -> str:
        """Give words for the kernel's command line."""
        return ""

    def judge(self, logs: Logs, expect: Expect) -> Verdict:
        """Judge what a boot left."""
        raise NotImplementedError

    def details(self) -> dict[str, Any]:
        """Give what judge.json keeps."""
        return {}


@dataclass(frozen=True)
class Planned:
    """A boot of a plan: a suite on a kernel, and what has to come out."""

    kernel: Kernel
    suite: Suite
    expect: Expect = field(default_factory=Expect)
    seconds: float = 0.0

    def __str__(self) -> str:
        """Describe it in a line."""
        return f"{self.suite.name} on {self.kernel.name}, expected as {self.expect.kernel}"

    @property
    def folder(self) -> Folder:
        """Give its folder."""
        return Folder(self.kernel.source.place / "boots" / self.kernel.name / self.suite.name)

    def prepare(self, stack: str) -> Folder:
        """Build the kernel, and lay the boot out in its folder."""
        self.kernel.build()
        folder, suite = self.folder, self.suite
        folder.place.mkdir(parents=True, exist_ok=True)
        initrd(folder.place, self.kernel, suite.contents(self.kernel))
        link(self.kernel.image, folder.place / IMAGE)
        machine = suite.machine
        words = Machine(machine.cpus, machine.memory,
                        f"{machine.append} {suite.words()}".strip(), machine.options)
        boot = Boot(suite.name, self.kernel.name, stack, self.kernel.arch.name, words,
                    self.seconds or suite.seconds, *folder.hashes())
        folder.write(boot, {"expect": vars(self.expect), **suite.details()})
        return folder


def link(source: Path, target: Path) -> None:
    """Make target the same file as source."""
    target.unlink(missing_ok=True)
    target.hardlink_to(source)


def initrd(place: Path, kernel: Kernel, contents: str) -> None:
    """Make an initrd of the init and the contents, with the kernel's own gen_init_cpio."""
    tool, init = kernel_tool(kernel), compile_init(kernel)
    lines = COMMON.format(init=init.absolute()) + contents
    files = [line.split()[2] for line in lines.splitlines() if line.startswith("file ")]
    wanted = key(lines, *(memory.digest(Path(name)) for name in files))

    def work(shell: Shell) -> None:
        memory.write_atomic(place / "initrd.list", lines)
        partial = place / f".{INITRD}.tmp"
        command = f"{tool.absolute()} initrd.list > {partial.name}"
        shell.run(["sh", "-c", command], Status.NOT_BUILT, cwd=place)
        partial.replace(place / INITRD)

    memory.step(place, "initrd", wanted, place / INITRD, work)


def kernel_tool(kernel: Kernel) -> Path:
    """Give gen_init_cpio of the lowest kernel: it is the same in all of a base."""
    while kernel.donor and kernel.donor.fragments == kernel.fragments:
        kernel = kernel.donor
    return kernel.tool()


def compile_init(kernel: Kernel) -> Path:
    """Build the guest's init."""
    place = kernel.source.place / "init"
    place.mkdir(parents=True, exist_ok=True)
    made = place / "init"

    def work(shell: Shell) -> None:
        flags = ["-O2", "-Wall", "-Wextra", "-Werror", "-static"]
        shell.run(["gcc", *flags, "-o", "init", INIT.absolute()], Status.NOT_BUILT, cwd=place)

    memory.step(place, "init", key(INIT.read_text(encoding="utf-8")), made, work)
    return made


def forget(folders: Sequence[Folder], verdicts: Mapping[Path, Verdict]) -> None:
    """Let boots with a verdict that is not OK run again next time."""
    for folder in folders:
        if verdicts[folder.place].status:
            folder.forget()


def clean(place: Path) -> None:
    """Remove a folder of boots that are made anew."""
    shutil.rmtree(place, ignore_errors=True)
