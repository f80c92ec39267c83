# SPDX-License-Identifier: GPL-2.0-only
"""Stations "initrd" and "guest": put kernel and kit into QEMU and wait for the end."""

import os
from collections.abc import Sequence
from pathlib import Path

from lab import results, station
from lab.errors import LabError, Status
from lab.proc import Progress, Shell, ask

SECONDS = 300.0  # a guest that takes longer hangs
KVM_SECONDS = 10.0  # a kernel without a root that takes longer under KVM hangs
# printk.devkmsg=on: the kit marks its cases in the log, none of these lines may be dropped.
# log_buf_len: 7.3 prints from a thread, which a kernel that has much to say leaves far behind.
APPEND = "console=ttyS0 ignore_loglevel printk.devkmsg=on log_buf_len=16M reboot=t panic=-1"
NO_KUNIT = "kunit.enable=0"  # what KUnit provokes at boot is reported once, and then not to the kit any more
INIT = Path(__file__).with_name("guest-init.c")
# Every initrd: the places to mount on, and the init.
COMMON = """\
dir /dev 755 0 0
nod /dev/console 600 0 0 c 5 1
dir /proc 755 0 0
dir /sys 755 0 0
dir /tmp 1777 0 0
file /init init 755 0 0
"""
KIT = """\
dir /kit 755 0 0
file /kit/mn_kit.ko kit/mn_kit.ko 644 0 0
file /kit/mn-kit kit/mn-kit 755 0 0
"""


def initrd(place: Path, src: Path, identity: str, contents: str = KIT, name: str = "initrd") -> None:
    """Make place/NAME.cpio of the init and the contents, with the kernel's own gen_init_cpio."""
    identity = station.key(identity, INIT.read_bytes(), COMMON + contents)

    def work(shell: Shell) -> None:
        flags = ["-O2", "-Wall", "-Wextra", "-Werror", "-static"]
        shell.run(["gcc", *flags, "-o", "init", INIT.absolute()], Status.NOT_BUILT, cwd=place)
        station.write_atomic(place / f"{name}.list", COMMON + contents)
        tool = os.path.relpath(src / "O/usr/gen_init_cpio", place)
        shell.run(["sh", "-c", f"{tool} {name}.list > {name}.cpio"], Status.NOT_BUILT, cwd=place)

    station.station(place, name, identity, place / f"{name}.cpio", work)


def version() -> str:
    """Give QEMU's version line."""
    return ask(["qemu-system-x86_64", "--version"], Status.TOOL_MISSING).partition("\n")[0]


def qemu(accelerator: str, kernel: str) -> list[str]:
    """Give the QEMU command of a guest without disk, network or ACPI, up to its initrd.

    Two sockets: without ACPI the kernel counts CPUs by the MP table. Of the memory hmm-tests has two
    times 256 MiB for its devices (configs/selftests).
    """
    return [
        "qemu-system-x86_64", "-machine", "pc", "-cpu", "max", "-smp", "2,sockets=2", "-m", "1280", "-accel", accelerator,
        "-nodefaults", "-display", "none", "-no-reboot", "-kernel", kernel,
    ]


def accelerator(place: Path, kernel: str) -> str:
    """Give "kvm" where this kernel comes to its (early) end under it, else "tcg".

    A /dev/kvm that opens proves little: in a guest of a guest it may abort or hang.
    """
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return "tcg"
    try:
        # Without an initrd the kernel panics, and with panic=-1 QEMU exits.
        ended = Shell(place / "kvm.log").run(
            [*qemu("kvm", kernel), "-append", APPEND], Status.GUEST, cwd=place, timeout=KVM_SECONDS)
    except LabError:
        ended = False
    return "kvm" if ended else "tcg"


def boot(place: Path, src: Path, name: str = "", words: str = NO_KUNIT, *, initrd: str = "initrd.cpio",
         machine: Sequence[str] = (), append: str = APPEND, seconds: float = SECONDS) -> bool:
    """Run a guest to its end, with more words on its boot line; False when it did not end in time and was stopped.

    More of QEMU's options are in `machine`; whoever needs some needs TCG, too.

    The logs of the same kernel and initrd under the same QEMU are kept, unless forget() is called.

    Kernel messages are in place/console.log, the program's results in place/results.log; with a
    name, in place/NAME-console.log and place/NAME-results.log. The initrd is named as seen from place.
    """
    prefix, job = (f"{name}-", name) if name else ("", "guest")
    logs = [place / f"{prefix}console.log", place / f"{prefix}results.log"]
    kernel = os.path.relpath(src / "O/arch/x86/boot/bzImage", place)
    command = [
        *qemu("tcg" if machine else accelerator(place, kernel), kernel), *machine, "-initrd", initrd,
        "-serial", f"file:{logs[0].name}", "-serial", f"file:{logs[1].name}", "-append", f"{append} {words}",
    ]
    progress = Progress(f"{job} {place.name}", lambda: f"{results_so_far(logs[1])} results,")
    ended = True

    def work(shell: Shell) -> None:
        nonlocal ended
        for log in logs:
            log.unlink(missing_ok=True)
        ended = shell.run(command, Status.GUEST, cwd=place, progress=progress, timeout=seconds)

    identity = station.key(version(), *command, *((place / file).read_bytes() for file in (kernel, initrd)))
    if not logs[0].exists():
        forget(place, name)
    if not station.station(place, job, identity, logs[1], work):
        print(f"  {job} {place.name}: {results_so_far(logs[1])} results, cached")
    if not ended:
        forget(place, name)
    return ended


def logs(place: Path, name: str = "") -> tuple[str, str]:
    """Give what boot() left: the results, and the console in whole records; "" for a log that is not there."""
    paths = (place / f"{name and f'{name}-'}{log}.log" for log in ("results", "console"))
    text, console = (path.read_text(encoding="utf-8", errors="replace") if path.exists() else "" for path in paths)
    return text, results.whole_records(console)


def forget(place: Path, name: str = "") -> None:
    """Let the next boot() of this name run its guest anew: what it gave is not as it should be."""
    (place / ".done" / (name or "guest")).unlink(missing_ok=True)


def results_so_far(log: Path) -> int:
    """Count the result lines a guest has written."""
    if not log.exists():
        return 0
    return sum(line.startswith((b"ok ", b"not ok ")) for line in log.read_bytes().splitlines())
