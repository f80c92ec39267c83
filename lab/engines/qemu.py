# SPDX-License-Identifier: GPL-2.0-only
"""The engine "qemu": boots on this machine, under KVM where that works, else under TCG."""

import os
from collections.abc import Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

from lab.base import packages
from lab.base.errors import LabError, Status
from lab.base.proc import Progress, Shell, ask, parallel
from lab.engines.boot import CONSOLE, IMAGE, INITRD, RESULTS, Boot, Folder, Machine
from lab.kernel.build import ARCHES

KVM_SECONDS = 10.0  # a kernel without a root file system that takes longer under KVM hangs
AT_ONCE = 4  # boots at the most; a guest seldom uses both of its CPUs


@cache
def version() -> str:
    return ask(["qemu-system-x86_64", "--version"], Status.TOOL_MISSING).partition("\n")[0]


def command(boot: Boot, accelerator: str) -> list[str]:
    """Give the command of a boot, to be run in its folder: no disk, no network, no ACPI.

    A socket for each CPU: without ACPI the kernel counts CPUs by the MP table.
    """
    machine, arch = boot.machine, ARCHES[boot.arch]
    return [
        arch.qemu, *arch.machine, "-smp", f"{machine.cpus},sockets={machine.cpus}",
        "-m", f"{machine.memory}", "-accel", accelerator, "-nodefaults", "-display", "none",
        "-no-reboot", "-kernel", IMAGE, *machine.options, "-initrd", INITRD,
        "-serial", f"file:{CONSOLE}", "-chardev", f"file,id=results,path={RESULTS}", *arch.results,
        "-append", machine.append]


class Qemu:
    """QEMU on this machine; it installs itself through `packages`."""

    def __init__(self, build: Path, arch: str) -> None:
        packages.need(dict(ARCHES[arch].packages), build / "packages.log")

    def version(self) -> str:
        return version()

    def accelerator(self, folder: Folder, boot: Boot) -> str:
        """Give "kvm" where this kernel ends under it without an initrd, else "tcg".

        A /dev/kvm that opens proves little: in a guest of a guest it may abort or hang.
        """
        if boot.machine.options or not os.access("/dev/kvm", os.R_OK | os.W_OK):
            return "tcg"
        # Without an initrd the kernel panics, and with panic=-1 QEMU exits.
        words = command(replace(boot, machine=Machine()), "kvm")
        words[words.index("-initrd"):words.index("-append")] = []
        try:
            ended = Shell(folder.place / "kvm.log").run(
                words, Status.GUEST, cwd=folder.place, timeout=KVM_SECONDS)
        except LabError:
            ended = False
        return "kvm" if ended else "tcg"

    def run(self, folders: Sequence[Folder]) -> None:
        todo = {}
        for folder in folders:
            if folder.is_done(self.version()):
                print(f"  {folder.title}: {results(folder.place)} results, cached", flush=True)
            else:
                todo[folder.place] = partial(self.boot, folder)
        parallel(todo, AT_ONCE)

    def boot(self, folder: Folder) -> None:
        """Run one boot; a guest that exceeds its time is stopped."""
        boot = folder.read()
        folder.begin()
        shell = Shell(folder.place / "qemu.log")
        shell.log.unlink(missing_ok=True)
        words = command(boot, self.accelerator(folder, boot))
        progress = Progress(folder.title, lambda: f"{results(folder.place)} results,")
        ended = shell.run(words, Status.GUEST, cwd=folder.place, progress=progress,
                          timeout=boot.seconds)
        (folder.place / "commands.txt").write_text(f"{shell.commands[-1]}\n", encoding="utf-8")
        folder.done(self.version(), ended)


def results(place: Path) -> int:
    log = place / RESULTS
    if not log.exists():
        return 0
    return sum(line.startswith((b"ok ", b"not ok ")) for line in log.read_bytes().splitlines())
