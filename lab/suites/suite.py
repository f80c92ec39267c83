# SPDX-License-Identifier: GPL-2.0-only
"""What every suite has: how it is booted on a kernel, and how its logs are judged."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

from lab.base import memory
from lab.base.data import ROOT
from lab.base.errors import Status
from lab.base.memory import key
from lab.base.proc import Shell
from lab.engines.boot import IMAGE, INITRD, Boot, Folder, Machine
from lab.judge.console import splats, unusable
from lab.judge.ktap import Plan, Results, read_program
from lab.judge.verdict import PATCHED, Logs, Splat, Verdict
from lab.kernel.build import Arch
from lab.kernel.kernel import Kernel

INIT = Path(__file__).with_name("guest-init.c")
SECONDS = 300.0  # a guest that takes longer hangs
# Every initrd has the places to mount on.
COMMON = """\
dir /dev 755 0 0
nod /dev/console 600 0 0 c 5 1
dir /proc 755 0 0
dir /sys 755 0 0
dir /tmp 1777 0 0
"""
Builds = Mapping[str, Sequence[str]]  # by folder of this repository what is built of it
Files = dict[str, Path]  # by their names in the guest
KIT: Builds = {"kit": ("mn_kit.ko", "mn-kit")}


@dataclass(frozen=True)
class Expect:
    """What has to come out."""

    kernel: str = PATCHED  # or STOCK, or the slug of the patch left out
    elsewhere: bool = False  # another suite shows the lack of the patch
    allow_skip: bool = False  # of any case
    whole: bool = False  # only whether there is a result for each case counts
    allowed: tuple[str, ...] = ()  # splats that do not count


class Suite:
    """One thing that is booted; if it does not say otherwise, a program that writes KTAP."""

    name = ""  # in folders, records and reports
    seconds = SECONDS
    machine = Machine()
    builds: Builds = {}
    line = ""  # for the kernel's command line
    plan = Plan.MET
    allowed: tuple[str, ...] = ()  # splats that never count

    def contents(self, kernel: Kernel) -> Files:
        files: Files = {}
        for folder, products in self.builds.items():
            origin = ROOT / folder
            kernel.programs(origin, products)
            files |= {f"/{origin.name}/{product}": kernel.place / origin.name / product
                      for product in products}
        return files

    def initrd(self, place: Path, kernel: Kernel, contents: Files) -> None:
        initrd(place, kernel, contents)

    def words(self) -> str:
        return self.line

    def details(self) -> dict[str, Any]:
        return {}

    def judge(self, logs: Logs, expect: Expect) -> Verdict:
        results = self.read(logs)
        verdict = Verdict(outcomes=results.outcomes, reasons=results.reasons)
        last = self.hear(logs.console, verdict, expect)
        after = f"; last case: {last}" if last else ""
        guest = [] if logs.ended else [f"the guest hung and was stopped{after}"]
        guest += [str(splat) for splat in verdict.splats if not splat.allowed]
        incomplete = unusable(logs.console) or results.incomplete
        deviations = [] if incomplete else self.compare(verdict, expect)
        return verdict.conclude(guest, incomplete, deviations)

    def read(self, logs: Logs) -> Results:
        return read_program(logs.results, self.name, self.plan)

    def hear(self, console: str, verdict: Verdict, expect: Expect) -> str:
        """Note the splats, and let cases fail whose reports did not come; give the last case."""
        patterns = (*self.allowed, *expect.allowed)
        verdict.splats = [Splat(line, self.name) for line in splats(console, patterns)]
        return ""

    def compare(self, _verdict: Verdict, _expect: Expect) -> list[str]:
        """Name, and note, what whole results have that was not expected."""
        return []


@dataclass(frozen=True)
class Planned:
    """A boot of a plan: a suite on a kernel, and what has to come out."""

    kernel: Kernel
    suite: Suite
    expect: Expect = field(default_factory=Expect)
    seconds: float = 0.0

    def __str__(self) -> str:
        return f"{self.suite.name} on {self.kernel.name}, expected as {self.expect.kernel}"

    @property
    def folder(self) -> Folder:
        return Folder(self.kernel.source.place / "boots" / self.kernel.name / self.suite.name)

    def prepare(self, stack: str) -> Folder:
        self.kernel.build()
        folder, suite = self.folder, self.suite
        folder.place.mkdir(parents=True, exist_ok=True)
        suite.initrd(folder.place, self.kernel, suite.contents(self.kernel))
        image = folder.place / IMAGE
        image.unlink(missing_ok=True)
        image.hardlink_to(self.kernel.image)
        arch = self.kernel.arch
        append = f"{arch.append} {suite.machine.append} {suite.words()}".strip()
        boot = Boot(suite.name, self.kernel.name, stack, arch.name,
                    replace(suite.machine, append=append), self.seconds or suite.seconds,
                    *folder.hashes())
        folder.write(boot, {"expect": vars(self.expect), **suite.details()})
        return folder


def initrd(place: Path, kernel: Kernel, contents: Files) -> None:
    """Make an initrd of the init and the contents, with the kernel's own gen_init_cpio."""
    tool = kernel_tool(kernel)
    init = program(kernel.arch, kernel.source.place / "init", "init",
                   INIT.read_text(encoding="utf-8"),
                   ["-Wall", "-Wextra", "-Werror", INIT.absolute()])
    files = {"/init": init, **contents}
    folders = sorted({str(PurePosixPath(name).parent) for name in files} - {"/"})
    lines = COMMON + "".join([
        *(f"dir {name} 755 0 0\n" for name in folders),
        *(f"file {name} {path.absolute()} 755 0 0\n" for name, path in files.items())])

    def work(shell: Shell) -> None:
        memory.write_atomic(place / "initrd.list", lines)
        command = f"{tool.absolute()} initrd.list > partial && mv partial {INITRD}"
        shell.run(["sh", "-c", command], Status.NOT_BUILT, cwd=place)

    wanted = key(lines, *(memory.digest(path) for path in files.values()))
    memory.step(place, "initrd", wanted, place / INITRD, work)


def kernel_tool(kernel: Kernel) -> Path:
    """Give gen_init_cpio of the lowest kernel that is built: it is the same in all of a base."""
    while kernel.donor and kernel.donor.bootable and kernel.donor.fragments == kernel.fragments:
        kernel = kernel.donor
    return kernel.tool()


def program(arch: Arch, place: Path, name: str, wanted: str, words: Sequence[str | Path],
            before: Callable[[], None] = lambda: None) -> Path:
    """Compile a static program of flags and files, unless that was done under this key."""
    def work(shell: Shell) -> None:
        before()
        shell.run([arch.gcc, "-static", "-O2", "-o", name, *words], Status.NOT_BUILT, cwd=place)

    place.mkdir(parents=True, exist_ok=True)
    memory.step(place, name, key(wanted), place / name, work)
    return place / name
