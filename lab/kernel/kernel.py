# SPDX-License-Identifier: GPL-2.0-only
"""The kernel: one value, and the only builder of every kernel that is booted.

A kernel starts from the tree of its donor (stock has none), adds patches or one change, and has
the configuration of its base plus some fragments. Everything about it is in build/BASE/NAME. Its
objects are in the tree's O/; the notes in O/.done say which kernel they are.
"""

import os
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from lab.base import memory
from lab.base.data import CONFIGS, ROOT
from lab.base.errors import Status
from lab.base.memory import NOTES, Memory, key
from lab.base.proc import Shell
from lab.kernel import build, queue, tree
from lab.kernel.bases import Stack
from lab.kernel.source import Source
from lab.kernel.tree import Change

OTHERS = re.compile(r"gate|soak|bench")  # configurations that are no kernel's own
DEBUG = "-gdwarf-4"  # of an object that pahole reads


@dataclass(frozen=True)
class Kernel:
    """Source, patches in order, at most one change, configuration fragments, architecture."""

    source: Source
    name: str
    donor: "Kernel | None" = None
    patches: tuple[Path, ...] = ()
    change: Change | None = None
    fragments: tuple[str, ...] = ()  # names in lab/configs, on top of those of the base
    arch: build.Arch = field(kw_only=True)

    # What it is

    @property
    def place(self) -> Path:
        return self.source.place / self.name

    @property
    def bootable(self) -> bool:
        """Say whether it can be built: where the kit is not for a base, stock cannot.

        v5.3's configuration has a driver that a patch adds.
        """
        return self.donor is not None or self.source.base.kit

    @property
    def shared(self) -> "Kernel":
        assert self.donor
        return self.donor

    @property
    def src(self) -> Path:
        folder = f"{self.shared.name}-changed" if self.change else self.name
        return self.source.place / folder / "src"

    @property
    def present(self) -> tuple[Path, ...]:
        below = self.donor.present if self.donor else ()
        if not self.change:
            return (*below, *self.patches)
        own = self.shared.patches
        return (*below[:len(below) - len(own)], *self.change.present(own))

    @cached_property
    def tree_key(self) -> str:
        below = self.donor.tree_key if self.donor else self.source.identity
        change = self.change.key if self.change else ""
        return key(below, change, *(path.read_bytes() for path in self.patches))

    @cached_property
    def key(self) -> str:
        """Give what the kernel depends on: known without building it."""
        configs = [path.read_bytes() for path in sorted(CONFIGS.glob("*.config"))
                   if path.stem in self.fragments or not OTHERS.match(path.stem)]
        return key(self.tree_key, build.compiler(self.arch), self.arch.name, *configs)

    def __str__(self) -> str:
        parts = [f"{len(self.present)} patches" if self.present else "no patches"]
        parts += [self.change.name] if self.change else []
        parts += [f"with {', '.join(self.fragments)}"] if self.fragments else []
        return f"{self.name}: {self.source.base.name}, {', '.join(parts)}, {self.arch.name}"

    # Its tree and its objects

    @property
    def notes(self) -> Memory:
        return Memory(self.src / "O" / NOTES)

    def checkout(self) -> None:
        if not self.donor:
            self.source.fetch()
            return
        if self.notes.recall("tree", self.tree_key):
            return
        shell = Shell(self.place / "tree.log")
        shell.log.unlink(missing_ok=True)
        self.notes.forget("tree")
        if self.change and self.notes.recall("donor", self.donor.key):
            tree.reset(shell, self.src)
        else:
            self.link(shell)
        if self.change:
            self.notes.forget("donor")
            self.change.apply(shell, self.src)
            self.notes.keep("donor", self.donor.key, True)
        self.notes.keep("tree", self.tree_key, True)
        self.record("tree", shell)

    def record(self, name: str, shell: Shell) -> None:
        """Keep commands for commands.txt: other notes on a tree are in the tree."""
        Memory(self.place / NOTES).keep(name, self.key, True, shell.commands)
        memory.write_commands(self.place, name, shell.commands)

    def link(self, shell: Shell) -> None:
        """Copy the donor's tree, with its objects if the configuration is the same."""
        assert self.donor
        objects = self.donor.bootable and self.fragments == self.donor.fragments
        if objects:
            self.donor.ready()
        else:
            self.donor.checkout()
        tree.copy(shell, self.donor.src, self.src, objects)
        (self.src / "O").mkdir(exist_ok=True)
        self.notes.forget("tree")
        if self.change:
            tree.reset(shell, self.src)
        elif self.patches:
            shutil.rmtree(self.src / ".git", ignore_errors=True)
            below = queue.touched(list(self.donor.present))
            queue.apply(shell, self.src, list(self.patches), tracked=below)

    def config_fragments(self) -> list[Path]:
        own = [CONFIGS / f"{name}.config" for name in self.fragments]
        alone = any("#ALONE#" in path.read_text(encoding="utf-8") for path in own)
        return [*build.fragments(CONFIGS, self.source.base.name, self.arch.name, self.src, alone),
                *own]

    def config_key(self, paths: Sequence[Path]) -> str:
        """Give what the configuration depends on: fragments, and the menus that patches touch."""
        menus = [self.src / name for name in sorted(queue.touched(list(self.present)))
                 if Path(name).name.startswith("Kconfig")]
        texts = [path.read_bytes() for path in (*paths, *menus) if path.exists()]
        return key(self.source.identity, build.compiler(self.arch), self.arch.name, *texts)

    def ready(self) -> None:
        self.checkout()
        if self.notes.recall("kernel", self.key):
            return
        shell = Shell(self.place / "kernel.log")
        shell.log.unlink(missing_ok=True)
        paths = self.config_fragments()
        wanted = self.config_key(paths)
        self.notes.forget("kernel")
        try:
            if not self.notes.recall("config", wanted):
                self.notes.forget("config")
                build.configure(shell, self.src, self.arch, paths, self.source.cache)
                self.notes.keep("config", wanted, True)
            counted = self.source.place / f"objects-{self.name}"
            build.image(shell, self.src, self.arch, self.source.cache, f"{self.name} kernel",
                        counted)
        finally:
            self.record("kernel", shell)
        self.notes.keep("kernel", self.key, True)

    # What is made of it

    @property
    def image(self) -> Path:
        return self.place / "image"

    def step(self, name: str, wanted: str, made: Path, work: Callable[[Shell], None]) -> bool:
        def with_objects(shell: Shell) -> None:
            self.ready()
            work(shell)

        return memory.step(self.place, name, wanted, made, with_objects)

    def copy_out(self, name: str, wanted: str, source: str) -> bool:
        return self.step(name, wanted, self.place / name, lambda _shell: copy_whole(
            self.src / "O" / source, self.place / name))

    def build(self) -> None:
        ran = self.copy_out("image", self.key, self.arch.image)
        if not ran and self.name not in self.source.shown:
            print(f"  build {self.name} kernel: cached")
        self.source.shown.add(self.name)

    def programs(self, origin: Path, products: Sequence[str]) -> None:
        """Build a folder of this repository against the kernel, in place/NAME."""
        folder = self.place / origin.name
        kit = memory.folder_key(ROOT / "kit", build.IGNORED)  # other folders use its sources
        wanted = key(self.key, kit, memory.folder_key(origin, build.IGNORED))
        self.step(origin.name, wanted, folder / products[-1], lambda shell: build.programs(
            shell, folder, self.src, self.arch, origin, products, self.source.cache,
            f"{self.name} {origin.name}"))

    def module(self, source: Path) -> None:
        """Build one source, of the tree or not, as a module."""
        name = f"module-{source.stem}"
        made = self.place / name / f"{source.stem}.ko"
        self.step(name, key(self.key, source.read_bytes()), made, lambda shell: build.module(
            shell, made.parent, self.src, self.arch, source, self.source.cache))

    def tool(self) -> Path:
        self.copy_out("gen_init_cpio", self.source.identity, "usr/gen_init_cpio")
        return self.place / "gen_init_cpio"

    def debug_object(self, name: str) -> Path:
        """Give an object with debugging information; the next build compiles it again."""
        made = self.place / "debug.o"

        def work(shell: Shell) -> None:
            self.notes.forget("kernel")
            command = build.make(self.src, self.arch, f"KCFLAGS={DEBUG}", name)
            shell.run(command, Status.NOT_BUILT, env=build.environment(self.source.cache))
            copy_whole(self.src / "O" / name, made)

        self.step("debug", self.key, made, work)
        return made


def copy_whole(source: Path, target: Path) -> None:
    partial = target.with_name(f".{target.name}.tmp")
    shutil.copy2(source, partial)
    os.replace(partial, target)


def stock(source: Source) -> Kernel:
    base = source.base
    return Kernel(source, "stock", fragments=base.fragments, arch=build.ARCHES[base.arch[0]])


def patched(stack: Stack, source: Source) -> Kernel:
    lower = patched(stack.lower, source) if stack.lower else stock(source)
    name = stack.parts[-1].name if stack.lower else "patched"
    return Kernel(source, name, lower, tuple(stack.patches), fragments=lower.fragments,
                  arch=lower.arch)


def changed(kernel: Kernel, change: Change, name: str = "") -> Kernel:
    prefix = "" if kernel.name == "patched" else f"{kernel.name}-"
    return Kernel(kernel.source, name or f"{prefix}{change.name}", kernel, change=change,
                  arch=kernel.arch)


def with_fragments(kernel: Kernel, name: str, fragments: tuple[str, ...]) -> Kernel:
    return Kernel(kernel.source, name, kernel, fragments=fragments, arch=kernel.arch)
