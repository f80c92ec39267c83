# SPDX-License-Identifier: GPL-2.0-only
"""series/bases.toml: the bases, their parts, and what is checked together."""

import tomllib
from dataclasses import MISSING, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, TypeVar, get_origin

from lab.base.data import slug
from lab.base.errors import LabError, Status
from lab.kernel import queue
from lab.kernel.build import ARCHES, USUAL

T = TypeVar("T")
OUTCOMES = ("pass", "fail", "skip")
# What a base can do whose kernel is older than the kit.
WITHOUT_KIT = ("run", "revert", "gate", "tree", "refresh", "intree", "pack", "test")


@dataclass(frozen=True, eq=False, kw_only=True)
class Part:
    """A patch queue with a cover letter; `tests` maps paths it adds to masters in intree/.

    `example` is a module of this repository that has to build on the part.
    """

    name: str
    purpose: str
    upstream: bool
    checked: bool
    example: str = ""
    tests: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False, kw_only=True)
class Base:
    """A kernel that the series is kept for, as series/bases.toml describes it."""

    name: str
    purpose: str
    package: str = ""
    suite: str = ""
    proven: str
    arch: tuple[str, ...]  # the first one is built
    kernels: tuple[str, ...] = ()
    kernel: str = ""  # the one of `kernels` that is built
    kit: bool = True
    features: frozenset[str] = frozenset()  # each with BASE_ in front of it
    stock: dict[str, str] = field(default_factory=dict)
    may_skip: dict[str, str] = field(default_factory=dict)
    checkpatch: dict[str, str] = field(default_factory=dict)
    parts: tuple[Part, ...]

    @property
    def needs_tree(self) -> bool:
        return not self.package

    @property
    def variant(self) -> str:
        """Give the end of names for another architecture or kernel than the usual ones."""
        others = [one for one in (self.arch[0], self.kernel) if one not in ("", USUAL)]
        return "".join(f"-{one}" for one in others)

    @property
    def fragments(self) -> tuple[str, ...]:
        """Give the configuration fragments that each kernel of this base has."""
        return (f"soak-{self.kernel}", "soak-users") if self.kernel else ()

    def variants(self) -> "list[Base]":
        """Give the base for each architecture and kernel that `run` knows, the usual one first."""
        archs = [replace(self, arch=(arch,)) for arch in self.arch[1:]]
        return [self, *archs, *(replace(self, kernel=kernel) for kernel in self.kernels)]


@dataclass(frozen=True)
class Stack:
    """Parts of a base up to a checked one, on top of the stack with the parts below."""

    base: Base
    parts: tuple[Part, ...]
    root: Path  # of the repository
    lower: "Stack | None" = None

    @property
    def suffix(self) -> str:
        """Give the end of names in the base's folder: -PART on top of another stack."""
        return f"-{self.parts[-1].name}" if self.lower else ""

    @property
    def name(self) -> str:
        return f"{self.base.name}{self.base.variant}{self.suffix}"

    def file(self, name: str) -> str:
        """Give the name of a file of this stack among those of its base: report-debug.json."""
        stem, dot, ending = name.partition(".")
        return f"{stem}{self.suffix}{dot}{ending}"

    @property
    def command(self) -> str:
        part = f" PART={self.parts[-1].name}" if self.lower else ""
        arch = f" ARCH={self.base.arch[0]}" if self.base.arch[0] != USUAL else ""
        kernel = f" KERNEL={self.base.kernel}" if self.base.kernel else ""
        return f"BASE={self.base.name}{part}{arch}{kernel}"

    @property
    def patches(self) -> list[Path]:
        return [path for part in self.parts for path in queue.check(self.folder(part))]

    @property
    def queue(self) -> list[Path]:
        return [*(self.lower.queue if self.lower else []), *self.patches]

    def folder(self, part: Part) -> Path:
        return self.root / "series" / self.base.name / part.name

    def allows(self, verb: str) -> None:
        if not self.base.kit and verb not in WITHOUT_KIT:
            raise LabError(Status.USAGE, f"{verb} is not for base {self.base.name}: "
                           "its kernel is older than the kit", "choose a base with a package")


@dataclass(frozen=True, kw_only=True)
class Series:
    """All bases by name, and why some patches have no failing case."""

    root: Path
    unproven: dict[str, str] = field(default_factory=dict)
    bases: dict[str, Base]

    def stacks(self, base: Base) -> list[Stack]:
        found: list[Stack] = []
        begin = 0
        for end, part in enumerate(base.parts, 1):
            if part.checked:
                lower = found[-1] if found else None
                found.append(Stack(base, base.parts[begin:end], self.root, lower))
                begin = end
        return found

    def all_stacks(self) -> list[Stack]:
        """Give the stacks of all bases: the lowest ones first, those that need a tree last."""
        return sorted((stack for base in self.bases.values() for stack in self.stacks(base)),
                      key=lambda stack: (stack.base.needs_tree, stack.lower is not None))

    def recorded(self) -> list[Stack]:
        """Give all stacks, then those of `run` on another architecture or kernel."""
        return [*self.all_stacks(), *(self.stacks(one)[0] for base in self.bases.values()
                                      for one in base.variants()[1:])]

    def stack(self, base: str, part: str = "", arch: str = "", kernel: str = "") -> Stack:
        """Give the stack of a base that has a part, or its first; USAGE names those there are."""
        if base not in self.bases:
            raise LabError(Status.USAGE, f"unknown base {base!r}",
                           f"BASE is one of: {' '.join(self.bases)}")
        chosen = self.bases[base]
        for word, value, known in (("ARCH", arch, chosen.arch), ("KERNEL", kernel, chosen.kernels)):
            if value and value not in known:
                raise LabError(Status.USAGE, f"base {base} has no {word}={value}",
                               f"{word} is one of: {' '.join(known) or 'none'}")
        if kernel or arch not in ("", chosen.arch[0]):
            chosen = replace(chosen, arch=(arch or chosen.arch[0],), kernel=kernel)
        stacks = self.stacks(chosen)
        holders = {one.name: stack for stack in stacks for one in stack.parts}
        if part and part not in holders:
            raise LabError(Status.USAGE, f"base {base} has no part {part!r}",
                           f"PART is one of: {' '.join(holders)}")
        return holders.get(part, stacks[0])


def read(root: Path) -> Series:
    """Read series/bases.toml; anything unknown, missing or of a wrong type is a USAGE error."""
    path = root / "series/bases.toml"
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise LabError(Status.USAGE, f"{path} does not exist") from None
    except tomllib.TOMLDecodeError as error:
        raise LabError(Status.USAGE, f"{path}: {error}") from None
    series = made(Series, f"{path}", data, root=root)
    if not series.bases:
        raise LabError(Status.USAGE, f"{path} lists no base")
    return replace(series, bases={name: read_base(f"{path}: base {name}", name, table)
                                  for name, table in series.bases.items()})


def read_base(where: str, name: str, table: Any) -> Base:
    base = made(Base, where, table, name=name, kernel="")
    parts = tuple(made(Part, f"{where}: a part", part) for part in base.parts)
    different = len({part.name for part in parts}) == len(parts)
    if not different or not parts or not parts[-1].checked:
        raise LabError(Status.USAGE, f"{where}: its parts need different names, "
                       "and the last one has to be checked")
    if not base.arch or set(base.arch) - set(ARCHES):
        raise LabError(Status.USAGE, f"{where}: arch has to list some of: {' '.join(ARCHES)}")
    for case, outcome in base.stock.items():
        if outcome not in OUTCOMES:
            raise LabError(Status.USAGE, f"{where}: stock: {case} is one of {', '.join(OUTCOMES)}")
    for target in (target for part in parts for target in part.tests):
        if target.startswith("/") or ".." in target:
            raise LabError(Status.USAGE, f"{where}: tests: {target} is no path in the tree")
    return replace(base, parts=parts, features=frozenset(f"BASE_{one}" for one in base.features))


def made(kind: type[T], where: str, table: Any, **more: Any) -> T:
    """Make a dataclass of a TOML table and more values; its fields say what the table may have."""
    if not isinstance(table, dict):
        raise LabError(Status.USAGE, f"{where} is no table")
    described: Any = kind
    known = {one.name: one for one in fields(described) if one.name not in more}
    values = dict(more)
    for name, value in table.items():
        if name not in known:
            raise LabError(Status.USAGE, f"{where}: unknown key {name!r}",
                           f"a key is one of: {' '.join(known)}")
        wanted: Any = get_origin(known[name].type) or known[name].type
        toml = list if wanted in (tuple, frozenset) else wanted
        if not isinstance(value, toml):
            raise LabError(Status.USAGE, f"{where}: {name} has to be a {toml.__name__}")
        values[name] = wanted(value)
    for name, one in known.items():
        if name not in values and one.default is MISSING and one.default_factory is MISSING:
            raise LabError(Status.USAGE, f"{where}: {name} is missing")
    return kind(**values)


def mismatches(series: Series) -> list[str]:
    """Compare the listed parts with the folders both ways, and find slugs that occur twice."""
    found = []
    for base in series.bases.values():
        name = f"series/{base.name}"
        there = {path.name for path in (series.root / name).glob("*") if path.is_dir()}
        listed = [part.name for part in base.parts]
        found += [f"{name}/{part} is listed in series/bases.toml but missing: "
                  f"git checkout -- {name}/{part}" for part in listed if part not in there]
        found += [f"{name}/{part} is not listed: add it to the parts of {base.name} "
                  "in series/bases.toml" for part in sorted(there.difference(listed))]
        slugs: dict[str, str] = {}
        for part in listed:
            for patch in queue.listed(series.root / name / part) if part in there else ():
                other = slugs.setdefault(slug(patch), part)
                if other != part:
                    found.append(f"{other} and {part} of {name} both have a patch {slug(patch)}: "
                                 "rename one")
    return found


def check(series: Series) -> None:
    queue.agree(mismatches(series))
