# SPDX-License-Identifier: GPL-2.0-only
"""All that make builds: configuration, kernel image, modules and their programs."""

import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lab.base import memory
from lab.base.errors import LabError, Status
from lab.base.proc import Progress, Shell, ask

# Files in kit/ and proof/ that no build depends on, and what make leaves there.
IGNORED = (".*", "*.o", "*.ko", "*.mod", "*.mod.c", "Module.symvers", "modules.order", "mn-kit",
           "mn-soak", "mn-users", "mn-bench", "reap", "reap.c", "*.md", "cases")
OBJECT = re.compile(rb"^  (?:CC|AS) ", re.MULTILINE)
OPTION = re.compile(r"(?:#CHECK#|#IF#)?(?:# )?(CONFIG_\w+)(?:=| is not set$)")
NO_GIT = "/nonexistent"  # as GIT_DIR: no repository is looked for
# The same bytes on every machine, and no version taken from a git repository around the tree.
ENV = {
    "KBUILD_BUILD_TIMESTAMP": "1970-01-01", "KBUILD_BUILD_VERSION": "1", "KBUILD_BUILD_USER": "lab",
    "KBUILD_BUILD_HOST": "lab", "GIT_DIR": NO_GIT}


@dataclass(frozen=True)
class Arch:
    """An architecture: how make, the compiler and QEMU name it, and its two serial lines."""

    name: str
    image: str  # below O/
    # In depend mode ccache does not look into a file that another one takes in by .incbin: it gave
    # one kernel the image of another one of the same compressed length.
    without_ccache: tuple[str, ...]
    qemu: str
    machine: tuple[str, ...]  # words for QEMU
    results: tuple[str, ...]  # words for QEMU: the second serial line
    append: str  # words for the kernel: where its log and the results go
    make: tuple[str, ...] = ()
    prefix: str = ""  # of the cross compiler's commands
    packages: Mapping[str, str] = field(default_factory=dict, hash=False)  # by command or file

    @property
    def gcc(self) -> str:
        return f"{self.prefix}gcc"


# no_timer_check: on a loaded machine, x86 finds no timer interrupt in time, and panics.
# virt has one serial line only, hence the second one on PCI.
CROSS = "aarch64-linux-gnu-"
ARCHES = {
    "x86_64": Arch(
        "x86_64", "arch/x86/boot/bzImage", ("arch/x86/realmode/", "usr/"), "qemu-system-x86_64",
        ("-machine", "pc", "-cpu", "max"), ("-serial", "chardev:results"),
        "console=ttyS0 LAB_RESULTS=/dev/ttyS1 no_timer_check",
        packages={"qemu-system-x86_64": "qemu-system-x86"}),
    "arm64": Arch(
        "arm64", "arch/arm64/boot/Image", ("usr/",), "qemu-system-aarch64",
        ("-machine", "virt", "-cpu", "neoverse-n1"), ("-device", "pci-serial,chardev=results"),
        "console=ttyAMA0 LAB_RESULTS=/dev/ttyS0",
        ("ARCH=arm64", f"CROSS_COMPILE={CROSS}"), CROSS,
        {"qemu-system-aarch64": "qemu-system-arm", f"{CROSS}gcc": "gcc-aarch64-linux-gnu",
         "/usr/aarch64-linux-gnu/lib/libc.a": "libc6-dev-arm64-cross"})}
USUAL = next(iter(ARCHES))


def compiler(arch: Arch = ARCHES[USUAL]) -> str:
    """Identify the compiler: a new one means new objects."""
    return ask([arch.gcc, "--version"], Status.NOT_BUILT).partition("\n")[0]


def fragments(folder: Path, base: str, arch: str, src: Path, alone: bool = False) -> list[Path]:
    """Give vm, vm-ARCH and vm-BASE; unless `alone`, each whose `#WHERE# PATH...` is there."""
    own = [folder / f"vm-{name}.config" for name in (arch, base)]
    found = [folder / "vm.config", *(path for path in own if path.exists())]
    for path in () if alone else sorted(folder.glob("*.config")):
        where = re.findall(r"^#WHERE# (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
        if any(all((src / name).exists() for name in names.split()) for names in where):
            found.append(path)
    return found


def last_lines(fragment: str) -> list[str]:
    """Give the lines on options, `#CHECK#` and `#IF#` lines too; of each option the last one."""
    lines = [line.strip() for line in fragment.splitlines()]
    return list({match[1]: line for line in lines if (match := OPTION.match(line))}.values())


def lost_options(config: str, fragment: str) -> list[str]:
    """Give the lines of a fragment that .config does not hold; it may lack `#IF#` lines."""
    have = set(config.splitlines())
    wanted = [line.removeprefix("#CHECK#").strip() for line in last_lines(fragment)
              if not line.startswith("#IF#")]
    return [line for line in wanted if not holds(line, have)]


def holds(line: str, have: set[str]) -> bool:
    """Say whether a config has an option as wanted; an option unknown to it is not set."""
    if line in have:
        return True
    off = re.match(r"# (CONFIG_\w+) is not set|(CONFIG_\w+)=n$", line)
    return off is not None and not any(other.startswith(f"{off[1] or off[2]}=") for other in have)


def make(src: Path, arch: Arch, *words: str | Path) -> list[str | Path]:
    """Give a kernel make command; the output directory in the tree keeps the paths relative."""
    cc = [f"CC=ccache {arch.gcc}"] if shutil.which("ccache") else []
    return ["make", "-C", src.absolute(), "O=O", f"-j{os.cpu_count()}", *cc, *arch.make, *words]


def environment(cache: Path) -> dict[str, str]:
    ccache = {"DIR": str(cache.absolute() / "ccache"), "MAXSIZE": "1G", "NOHASHDIR": "1",
              "DEPEND": "1"}
    return {**ENV, **{f"CCACHE_{name}": value for name, value in ccache.items()}}


def configure(shell: Shell, src: Path, arch: Arch, paths: Sequence[Path], cache: Path) -> None:
    """Write src/O/.config: tinyconfig plus the fragments; NOT_BUILT names lost options."""
    env = environment(cache)
    shell.run(make(src, arch, "tinyconfig"), Status.NOT_BUILT, env=env)
    merge: list[str | Path] = ["scripts/kconfig/merge_config.sh", "-m", "-O", "O", "O/.config",
                               *paths]
    shell.run(merge, Status.NOT_BUILT, cwd=src, env=env)
    shell.run(make(src, arch, "olddefconfig"), Status.NOT_BUILT, env=env)
    text = "".join(path.read_text(encoding="utf-8") for path in paths)
    lost = lost_options((src / "O/.config").read_text(encoding="utf-8"), text)
    if lost:
        raise LabError(Status.NOT_BUILT, f"this kernel's configuration lost {', '.join(lost)}",
                       f"add what selects them to {paths[-1]}, or drop them", "\n".join(lost))


def image(shell: Shell, src: Path, arch: Arch, cache: Path, title: str, expected: Path) -> None:
    """Build the image and what modules need; `expected` keeps the number of objects."""
    memory.need_space(src)
    total = expected.read_text() if expected.exists() else ""
    target = f" of about {total}" if total else ""
    begin = shell.log.stat().st_size if shell.log.exists() else 0

    def done() -> int:
        return objects(shell.log, begin)

    env = environment(cache)
    plain = {**env, "CCACHE_DISABLE": "1"}
    progress = Progress(f"build {title}", lambda: f"{done()}{target} objects,")
    shell.run(make(src, arch, *arch.without_ccache), Status.NOT_BUILT, env=plain)
    shell.run(make(src, arch, "vmlinux", "modules_prepare"), Status.NOT_BUILT, env=env,
              progress=progress)
    shell.run(make(src, arch, Path(arch.image).name), Status.NOT_BUILT, env=plain)
    memory.write_atomic(expected, str(max(done(), int(total or 0))))


def objects(log: Path, begin: int = 0) -> int:
    return len(OBJECT.findall(log.read_bytes()[begin:])) if log.exists() else 0


def module(shell: Shell, folder: Path, src: Path, arch: Arch, source: Path, cache: Path) -> None:
    """Build one source of the tree as a module; NOT_BUILT if a symbol is not exported."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for path in (source, *source.parent.glob(f"{source.stem}*.h")):
        shutil.copyfile(path, folder / path.name)
    (folder / "Makefile").write_text(f"obj-m := {source.stem}.o\n", encoding="utf-8")
    external(shell, folder, src, arch, cache, f"{source.stem} as a module", "modules")
    # 6.1 only warns.
    undefined = re.findall(r"\S+ \[\S+\] undefined!", shell.log.read_text(encoding="utf-8"))
    if undefined:
        raise LabError(Status.NOT_BUILT, f"{source.name} cannot be a module: {undefined[0]}",
                       "export the symbol, or do without it")


def external(shell: Shell, folder: Path, src: Path, arch: Arch, cache: Path, title: str,
             *targets: str) -> None:
    """Build an external module, or by its own Makefile a folder that has one."""
    out = (src / "O").absolute()
    # There is no Module.symvers: no in-tree module is built.
    symbols = f"KBUILD_EXTRA_SYMBOLS={out}/vmlinux.symvers"
    where: list[str | Path] = (["-C", out, f"M={folder.absolute()}"] if targets == ("modules",)
                               else ["-C", folder.absolute(), f"KDIR={out}"])
    shell.run(["make", *where, symbols, *arch.make, *targets], Status.NOT_BUILT,
              env=environment(cache),
              progress=Progress(f"build {title}"))


def programs(shell: Shell, folder: Path, src: Path, arch: Arch, origin: Path,
             products: Sequence[str], cache: Path, title: str) -> None:
    """Build the module and programs of a folder of this repository in a copy of it."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(origin, folder, ignore=shutil.ignore_patterns(*IGNORED))
    external(shell, folder, src, arch, cache, title, "module", "program")
    for name in products:
        if not (folder / name).exists():
            raise LabError(Status.NOT_BUILT, f"{origin.name}/Makefile made no {name}; "
                           f"its output is in {shell.log}")
