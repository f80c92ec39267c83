# SPDX-License-Identifier: GPL-2.0-only
"""series/bases.toml: the bases, their parts, and what is checked together."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab.base.data import slug
from lab.base.errors import LabError, Status
from lab.kernel import queue
from lab.kernel.build import ARCHES

BASE_KEYS = {"purpose": str, "package": str, "suite": str, "proven": str, "arch": list, "kit": bool,
             "features": list, "stock": dict, "may_skip": dict, "checkpatch": dict, "parts": list}
PART_KEYS = {"name": str, "purpose": str, "upstream": bool, "checked": bool, "tests": dict}
NEEDED = ("purpose", "proven", "arch", "parts")
OUTCOMES = ("pass", "fail", "skip")
# What a base can do whose kernel is older than the kit.
WITHOUT_KIT = ("run", "revert", "gate", "tree", "refresh", "intree", "pack", "test")


@dataclass(frozen=True)
class Part:
    """A patch queue with a cover letter; `tests` maps paths it adds to masters in intree/."""

    name: str
    purpose: str
    upstream: bool
    checked: bool
    tests: Mapping[str, str] = field(hash=False)


@dataclass(frozen=True)
class Base:
    """A kernel that the series is kept for, as series/bases.toml describes it."""

    name: str
    purpose: str
    proven: str
    package: str
    suite: str
    arch: tuple[str, ...]
    kit: bool
    features: frozenset[str]
    parts: tuple[Part, ...]
    stock: Mapping[str, str] = field(hash=False)
    may_skip: Mapping[str, str] = field(hash=False)
    checkpatch: Mapping[str, str] = field(hash=False)

    @property
    def needs_tree(self) -> bool:
        """Say whether no package brings it."""
        return not self.package


@dataclass(frozen=True)
class Stack:
    """Parts of a base up to a checked one, on top of the stack with the parts below."""

    base: Base
    parts: tuple[Part, ...]
    root: Path  # of the repository
    lower: "Stack | None" = None

    @property
    def name(self) -> str:
        """Give the name of folders and records: BASE, or BASE-PART on top of another stack."""
        return f"{self.base.name}{self.suffix}"

    @property
    def suffix(self) -> str:
        """Give the end of names in the base's folder: -PART on top of another stack."""
        return f"-{self.parts[-1].name}" if self.lower else ""

    def file(self, name: str) -> str:
        """Give the name of a file of this stack among those of its base: report-debug.json."""
        stem, dot, ending = name.partition(".")
        return f"{stem}{self.suffix}{dot}{ending}"

    @property
    def command(self) -> str:
        """Give the words that choose it on make's command line."""
        words = f"BASE={self.base.name}"
        return f"{words} PART={self.parts[-1].name}" if self.lower else words

    @property
    def patches(self) -> list[Path]:
        """Give the patches that are checked here, in order."""
        return [path for part in self.parts for path in queue.check(self.folder(part))]

    @property
    def queue(self) -> list[Path]:
        """Give the patches of all parts up to here, in order."""
        return [*(self.lower.queue if self.lower else []), *self.patches]

    def folder(self, part: Part) -> Path:
        """Give the folder of a part."""
        return self.root / "series" / self.base.name / part.name

    def allows(self, verb: str) -> None:
        """Raise USAGE if a verb cannot be done on this base."""
        if not self.base.kit and verb not in WITHOUT_KIT:
            raise LabError(Status.USAGE, f"{verb} is not for base {self.base.name}: "
                           "its kernel is older than the kit", "choose a base with a package")


@dataclass(frozen=True)
class Series:
    """All bases by name, and why some patches have no failing case."""

    root: Path
    bases: dict[str, Base]
    unproven: dict[str, str]

    def stacks(self, base: Base) -> list[Stack]:
        """Give the stacks of a base, from the bottom."""
        found: list[Stack] = []
        parts: tuple[Part, ...] = ()
        for part in base.parts:
            parts = (*parts, part)
            if part.checked:
                found.append(Stack(base, parts, self.root, found[-1] if found else None))
                parts = ()
        return found

    def all_stacks(self) -> list[Stack]:
        """Give the stacks of all bases: first the lowest one of each, then the others."""
        each = [self.stacks(base) for base in self.bases.values()]
        return [stacks[0] for stacks in each if not stacks[0].base.needs_tree] + [
            stack for stacks in each for stack in stacks[1:]] + [
            stacks[0] for stacks in each if stacks[0].base.needs_tree]

    def stack(self, base: str, part: str = "") -> Stack:
        """Give the stack of a base that has a part, or its first; USAGE names those there are."""
        if base not in self.bases:
            raise LabError(Status.USAGE, f"unknown base {base!r}",
                           f"BASE is one of: {' '.join(self.bases)}")
        stacks = self.stacks(self.bases[base])
        names = [one.name for one in self.bases[base].parts]
        if part and part not in names:
            raise LabError(Status.USAGE, f"base {base} has no part {part!r}",
                           f"PART is one of: {' '.join(names)}")
        return next((stack for stack in stacks if part in {one.name for one in stack.parts}),
                    stacks[0])


def read(root: Path) -> Series:
    """Read series/bases.toml; anything unknown, missing or of a wrong type is a USAGE error."""
    path = root / "series/bases.toml"
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise LabError(Status.USAGE, f"{path} does not exist") from None
    except tomllib.TOMLDecodeError as error:
        raise LabError(Status.USAGE, f"{path}: {error}") from None
    check_keys(f"{path}", data, {"unproven": dict, "bases": dict}, ("bases",))
    bases = {name: read_base(f"{path}: base {name}", name, table)
             for name, table in data["bases"].items()}
    if not bases:
        raise LabError(Status.USAGE, f"{path} lists no base")
    return Series(root, bases, data.get("unproven", {}))


def read_base(where: str, name: str, table: Any) -> Base:
    """Check and read the table of a base."""
    check_keys(where, table, BASE_KEYS, NEEDED)
    parts = [read_part(where, part) for part in table["parts"]]
    names = [part.name for part in parts]
    if len(set(names)) < len(names) or not parts or not parts[-1].checked:
        raise LabError(Status.USAGE, f"{where}: its parts need different names, "
                       "and the last one has to be checked")
    if not table["arch"] or set(table["arch"]) - set(ARCHES):
        raise LabError(Status.USAGE, f"{where}: arch has to list some of: {' '.join(ARCHES)}")
    for case, outcome in table.get("stock", {}).items():
        if outcome not in OUTCOMES:
            raise LabError(Status.USAGE, f"{where}: stock: {case} is one of {', '.join(OUTCOMES)}")
    return Base(name, table["purpose"], table["proven"], table.get("package", ""),
                table.get("suite", ""), tuple(table["arch"]), table.get("kit", True),
                frozenset(f"BASE_{word}" for word in table.get("features", [])), tuple(parts),
                table.get("stock", {}), table.get("may_skip", {}), table.get("checkpatch", {}))


def read_part(where: str, table: Any) -> Part:
    """Check and read the table of a part."""
    check_keys(f"{where}: a part", table, PART_KEYS, ("name", "purpose", "upstream", "checked"))
    for target in table.get("tests", {}):
        if target.startswith("/") or ".." in target:
            raise LabError(Status.USAGE, f"{where}: tests: {target} is no path in the tree")
    return Part(table["name"], table["purpose"], table["upstream"], table["checked"],
                table.get("tests", {}))


def check_keys(where: str, table: Any, known: Mapping[str, type], needed: tuple[str, ...]) -> None:
    """Raise USAGE unless a table has all needed keys, known keys only, and their types."""
    if not isinstance(table, dict):
        raise LabError(Status.USAGE, f"{where} is no table")
    for name, value in table.items():
        if name not in known:
            raise LabError(Status.USAGE, f"{where}: unknown key {name!r}",
                           f"a key is one of: {' '.join(known)}")
        if not isinstance(value, known[name]):
            raise LabError(Status.USAGE, f"{where}: {name} has to be a {known[name].__name__}")
    for name in needed:
        if name not in table:
            raise LabError(Status.USAGE, f"{where}: {name} is missing")


def mismatches(series: Series) -> list[str]:
    """Compare the listed parts with the folders both ways, and find slugs that occur twice."""
    found = []
    for base in series.bases.values():
        folder = series.root / "series" / base.name
        there = {path.name for path in folder.glob("*") if path.is_dir()}
        listed = {part.name for part in base.parts}
        found += [f"series/{base.name}/{name} is listed in series/bases.toml but missing: "
                  f"git checkout -- series/{base.name}/{name}" for name in sorted(listed - there)]
        found += [f"series/{base.name}/{name} is not listed: add it to the parts of {base.name} "
                  "in series/bases.toml" for name in sorted(there - listed)]
        slugs: dict[str, str] = {}
        for part in base.parts:
            for patch in queue.listed(folder / part.name) if part.name in there else ():
                other = slugs.setdefault(slug(patch), part.name)
                if other != part.name:
                    found.append(f"{other} and {part.name} of series/{base.name} both have a patch "
                                 f"{slug(patch)}: rename one")
    return found


def check(series: Series) -> None:
    """Raise NOT_APPLIED unless parts and folders agree."""
    if found := mismatches(series):
        what, _, how = found[0].partition(": ")
        raise LabError(Status.NOT_APPLIED, what, f"fix it: {how}", "\n".join(found[1:]))
