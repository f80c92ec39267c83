# SPDX-License-Identifier: GPL-2.0-only
"""Stations "config", "kernel" and "kit": all that gcc makes."""

import os
import re
import shutil
from pathlib import Path

from lab import station
from lab.errors import LabError, Status
from lab.proc import Progress, Shell, ask

# What make leaves in kit/, soak/ and bench/, where somebody has called it there.
BUILT = (".*", "*.o", "*.ko", "*.mod", "*.mod.c", "Module.symvers", "modules.order", "mn-kit", "mn-soak", "mn-users", "mn-bench")
OBJECT = re.compile(rb"^  (?:CC|AS) ", re.MULTILINE)
NO_GIT = "/nonexistent"  # as GIT_DIR: no repository is looked for
# The same bytes on every machine, and no version taken from a git repository around the tree.
ENV = {
    "KBUILD_BUILD_TIMESTAMP": "1970-01-01", "KBUILD_BUILD_VERSION": "1", "KBUILD_BUILD_USER": "lab", "KBUILD_BUILD_HOST": "lab",
    "GIT_DIR": NO_GIT,
}


def compiler() -> str:
    """Identify the compiler: a new one means new objects."""
    return ask(["gcc", "--version"], Status.NOT_BUILT).partition("\n")[0]


def fragments(folder: Path, base: str, src: Path) -> list[Path]:
    """Give vm.config, vm-BASE.config if there is one, and those with a line `#WHERE# PATH...` whose paths this tree has."""
    own = folder / f"vm-{base}.config"
    found = [folder / "vm.config", *([own] if own.exists() else [])]
    for path in sorted(folder.glob("*.config")):
        where = re.findall(r"^#WHERE# (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
        if any(all((src / name).exists() for name in names.split()) for names in where):
            found.append(path)
    return found


def last_lines(fragment: str) -> list[str]:
    """Give the lines of a fragment on options, `#CHECK#` and `#IF#` lines included; of an option the last one counts."""
    lines = [line.strip() for line in fragment.splitlines()]
    return list({match[1]: line for line in lines if (match := re.match(r"(?:#CHECK#|#IF#)?(?:# )?(CONFIG_\w+)(?:=| is not set$)", line))}.values())


def lost_options(config: str, fragment: str) -> list[str]:
    """Give the lines of the fragment (`#CHECK#` lines included) that .config does not hold; an `#IF#` line it may lack."""
    have = set(config.splitlines())
    wanted = [line.removeprefix("#CHECK#").strip() for line in last_lines(fragment) if not line.startswith("#IF#")]
    return [line for line in wanted if not holds(line, have)]


def holds(line: str, have: set[str]) -> bool:
    """Say whether a config has an option as asked; an option unknown to it is not set."""
    if line in have:
        return True
    off = re.match(r"# (CONFIG_\w+) is not set|(CONFIG_\w+)=n$", line)
    return bool(off) and not any(other.startswith(f"{off[1] or off[2]}=") for other in have if off)


def make(src: Path, *words: str | Path) -> list[str | Path]:
    """Give a kernel make command; the output directory inside the tree keeps the paths relative."""
    cc = ["CC=ccache gcc"] if shutil.which("ccache") else []
    return ["make", "-C", src.absolute(), "O=O", f"-j{os.cpu_count()}", *cc, *words]


def environment(cache: Path) -> dict[str, str]:
    """Give the environment of every make."""
    ccache = {"DIR": str(cache.absolute() / "ccache"), "MAXSIZE": "1G", "NOHASHDIR": "1", "DEPEND": "1"}
    return {**ENV, **{f"CCACHE_{name}": value for name, value in ccache.items()}}


def configure(place: Path, src: Path, fragments: list[Path], identity: str, cache: Path) -> str:
    """Write src/O/.config: tinyconfig plus the fragments; NOT_BUILT names the options that got lost."""
    text = "".join(fragment.read_text(encoding="utf-8") for fragment in fragments)
    identity = station.key(identity, text, compiler())

    def work(shell: Shell) -> None:
        env = environment(cache)
        shell.run(make(src, "tinyconfig"), Status.NOT_BUILT, env=env)
        merge: list[str | Path] = ["scripts/kconfig/merge_config.sh", "-m", "-O", "O", "O/.config", *fragments]
        shell.run(merge, Status.NOT_BUILT, cwd=src, env=env)
        shell.run(make(src, "olddefconfig"), Status.NOT_BUILT, env=env)
        lost = lost_options((src / "O/.config").read_text(encoding="utf-8"), text)
        if lost:
            raise LabError(Status.NOT_BUILT, f"this kernel's configuration lost {', '.join(lost)}",
                           f"add what selects them to {fragments[-1]}, or drop them", "\n".join(lost))

    station.station(place, "config", identity, src / "O/.config", work)
    shutil.copyfile(src / "O/.config", place / "config")
    return identity


def kernel(place: Path, src: Path, identity: str, cache: Path, expected: Path) -> None:
    """Build bzImage and what an external module needs; `expected` remembers how many objects that takes."""

    def work(shell: Shell) -> None:
        station.need_space(place)
        total = expected.read_text() if expected.exists() else ""
        target = f" of about {total}" if total else ""
        image(shell, src, cache, Progress(f"build {place.name} kernel", lambda: f"{objects(shell.log)}{target} objects,"))
        station.write_atomic(expected, str(max(objects(shell.log), int(total or 0))))

    if not station.station(place, "kernel", identity, src / "O/arch/x86/boot/bzImage", work):
        print(f"  build {place.name} kernel: cached")


def image(shell: Shell, src: Path, cache: Path, progress: Progress) -> None:
    """Make bzImage, and what external modules need.

    What takes another file in by .incbin is made without ccache: in depend mode that does not look into such a
    file, and gave a kernel of the same compressed length for another one.
    """
    env = environment(cache)
    shell.run(make(src, "arch/x86/realmode/", "usr/"), Status.NOT_BUILT, env={**env, "CCACHE_DISABLE": "1"})
    shell.run(make(src, "vmlinux", "modules_prepare"), Status.NOT_BUILT, env=env, progress=progress)
    shell.run(make(src, "bzImage"), Status.NOT_BUILT, env={**env, "CCACHE_DISABLE": "1"})


def objects(log: Path) -> int:
    """Count the objects a build log shows so far."""
    return len(OBJECT.findall(log.read_bytes())) if log.exists() else 0


def module(place: Path, src: Path, source: Path, cache: Path) -> None:
    """Build one of the tree's sources, which the kernel has built in, as a module: NOT_BUILT if it wants a symbol that is not exported."""
    folder = place / "module"
    headers = sorted(source.parent.glob(f"{source.stem}*.h"))
    identity = station.key(compiler(), (src / "O/.config").read_bytes(), (src / "O/vmlinux.symvers").read_bytes(), *(path.read_bytes() for path in (source, *headers)))

    def work(shell: Shell) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for path in (source, *headers):
            shutil.copyfile(path, folder / path.name)
        (folder / "Makefile").write_text(f"obj-m := {source.stem}.o\n", encoding="utf-8")
        symbols = f"KBUILD_EXTRA_SYMBOLS={(src / 'O').absolute()}/vmlinux.symvers"
        command: list[str | Path] = ["make", "-C", (src / "O").absolute(), f"M={folder.absolute()}", symbols, "modules"]
        shell.run(command, Status.NOT_BUILT, env=environment(cache), progress=Progress(f"build {source.stem} as a module", lambda: ""))
        undefined = re.findall(r"\S+ \[\S+\] undefined!", shell.log.read_text(encoding="utf-8"))  # 6.1 only warns
        if undefined:
            raise LabError(Status.NOT_BUILT, f"{source.name} cannot be a module: {undefined[0]}", "export the symbol, or do without it")

    station.station(place, "module", identity, folder / f"{source.stem}.ko", work)


def kit(place: Path, src: Path, source: Path, identity: str, cache: Path, folder: str = "kit",
        products: tuple[str, ...] = ("mn_kit.ko", "mn-kit")) -> str:
    """Build module and program, `products`, from a copy of `source` in place/folder."""
    identity = station.key(identity, station.folder_key(source, BUILT))

    def work(shell: Shell) -> None:
        shutil.rmtree(place / folder, ignore_errors=True)
        shutil.copytree(source, place / folder, ignore=shutil.ignore_patterns(*BUILT))
        out = (src / "O").absolute()
        symbols = f"KBUILD_EXTRA_SYMBOLS={out}/vmlinux.symvers"  # no Module.symvers: no in-tree module is built
        command: list[str | Path] = ["make", "-C", (place / folder).absolute(), f"KDIR={out}", symbols, "module", "program"]
        shell.run(command, Status.NOT_BUILT, env=environment(cache), progress=Progress(f"build {place.name} {folder}", lambda: ""))
        for name in products:
            if not (place / folder / name).exists():
                raise LabError(Status.NOT_BUILT, f"{source.name}/Makefile made no {name}; its output is in {shell.log}")

    station.station(place, folder, identity, place / folder / products[-1], work)
    return identity
