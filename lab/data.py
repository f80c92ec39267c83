# SPDX-License-Identifier: GPL-2.0-only
"""Readers of the data files: series/bases, series/<base>/series, kit/cases and configs/selftests."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from lab.errors import LabError, Status

RESULTS = ("pass", "fail", "skip")


@dataclass(frozen=True)
class Base:
    """A kernel the series is kept for; suite "-" is whatever apt is configured with.

    The series of a base NAME-MORE lies on top of that of base NAME (`under`), on the same kernel.
    Without a package ("-") its source comes with TREE=DIR, and `proven` names that tree: REPOSITORY@COMMIT.
    """

    name: str
    package: str
    proven: str
    suite: str
    purpose: str
    under: "Base | None" = None

    @property
    def needs_tree(self) -> bool:
        """Say whether no package brings it."""
        return self.package == "-"


@dataclass(frozen=True)
class Case:
    """A TAP case of the kit.

    `stock` is what a stock kernel gives; `cures` the slugs of the patches each of
    which it needs; `reports` matches the kernel lines a patched kernel prints in it.
    """

    name: str
    stock: str
    cures: tuple[str, ...]
    reports: re.Pattern[str] | None


@dataclass(frozen=True)
class Selftest:
    """A test program of the kernel tree.

    `cures` are the slugs of the patches each of which it needs, `skip` names tests that may be skipped; `reports`
    matches the warnings it provokes.
    """

    name: str
    tree: str
    folders: tuple[str, ...]
    cures: tuple[str, ...]
    boot: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    reports: tuple[str, ...] = ()
    exclude: dict[str, str] = field(default_factory=dict, hash=False)  # test: reason


def rows(path: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield ("file:line", words) of every line that is neither empty nor a comment."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise LabError(Status.USAGE, f"{path} does not exist") from None
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if words and not words[0].startswith("#"):
            yield f"{path}:{number}", words


def read_bases(path: Path) -> dict[str, Base]:
    """Read series/bases; a short line or a name given twice is a USAGE error."""
    bases: dict[str, Base] = {}
    for where, words in rows(path):
        if len(words) < 4:
            raise LabError(Status.USAGE, f"{where}: a base is `name package version suite purpose...`")
        if words[0] in bases:
            raise LabError(Status.USAGE, f"{where}: base {words[0]} is listed twice")
        name = words[0].rpartition("-")[0]
        under = bases.get(name)
        if name and (not under or [under.package, under.suite] != [words[1], words[3]]):
            raise LabError(Status.USAGE, f"{where}: base {words[0]} lies on top of base {name}, which has to stand above it, "
                           "with the same package and suite")
        bases[words[0]] = Base(words[0], words[1], words[2], words[3], " ".join(words[4:]), under)
    return bases


def read_unproven(path: Path) -> dict[str, str]:
    """Read series/unproven: the slugs of the patches that no case fails without, each with the reason."""
    found = {}
    for where, words in rows(path):
        if len(words) < 2:
            raise LabError(Status.USAGE, f"{where}: a patch that is not proven alone is `slug reason...`")
        found[words[0]] = " ".join(words[1:])
    return found


def read_series(folder: Path) -> list[str]:
    """Read series/<base>/series: the patch file names in order."""
    return [words[0] for _, words in rows(folder / "series")]


def slug(patch: str) -> str:
    """Give the slug of a patch file name: "0001-foo.patch" is "foo"."""
    return re.sub(r"^\d+-|\.patch$", "", patch)


def read_cases(path: Path, base: str = "") -> dict[str, Case]:
    """Read kit/cases in order, with what the stock kernel of a base gives; a malformed line is a USAGE error."""
    cases: dict[str, Case] = {}
    for where, words in rows(path):
        if len(words) < 3 or words[1] not in RESULTS:
            raise LabError(Status.USAGE, f"{where}: a case is `name {'|'.join(RESULTS)} slug[,slug]|- [words]`")
        if words[0] in cases:
            raise LabError(Status.USAGE, f"{where}: case {words[0]} is listed twice")
        reports, stock = None, words[1]
        for word in words[3:]:
            name, _, result = word.partition("=")
            if re.fullmatch(r"\d+\.\d+", name) and result in RESULTS:
                stock = result if name == base else stock
            elif name == "reports":
                try:
                    reports = re.compile(word.removeprefix("reports="))
                except re.error as error:
                    raise LabError(Status.USAGE, f"{where}: {word}: {error}") from None
            else:
                raise LabError(Status.USAGE, f"{where}: {word} is neither BASE={'|'.join(RESULTS)} nor reports=REGEX")
        cures = () if words[2] == "-" else tuple(words[2].split(","))
        cases[words[0]] = Case(words[0], stock, cures, reports)
    if not cases:
        raise LabError(Status.USAGE, f"{path} lists no case")
    return cases


def read_selftests(path: Path) -> list[Selftest]:
    """Read configs/selftests in order; a malformed line is a USAGE error."""
    tests: dict[str, Selftest] = {}
    for where, words in rows(path):
        name = words[0]
        if words[1:2] == ["exclude"] and name in tests and len(words) > 3:
            tests[name].exclude[words[2]] = " ".join(words[3:])
        elif words[1:2] == ["exclude"]:
            raise LabError(Status.USAGE, f"{where}: an exclusion is `program exclude test reason...`, below its program")
        elif len(words) < 4 or words[1] not in ("stock", "series"):
            raise LabError(Status.USAGE, f"{where}: a selftest is `program stock|series folder[,folder] slug[,slug]|- [words]`")
        elif name in tests:
            raise LabError(Status.USAGE, f"{where}: program {name} is listed twice")
        else:
            values: dict[str, list[str]] = {"boot": [], "args": [], "skip": [], "reports": []}
            for word in words[4:]:
                key, equals, value = word.partition("=")
                if key not in values or not equals:
                    raise LabError(Status.USAGE, f"{where}: {word} is none of {', '.join(f'{name}=' for name in values)}")
                values[key] += [value] if key in ("boot", "reports") else value.split(",")
                if key == "reports":
                    try:
                        re.compile(value)
                    except re.error as error:
                        raise LabError(Status.USAGE, f"{where}: {word}: {error}") from None
            cures = () if words[3] == "-" else tuple(words[3].split(","))
            boot, args, skip, reports = (tuple(value) for value in values.values())
            tests[name] = Selftest(name, words[1], tuple(words[2].split(",")), cures, boot, args, skip, reports)
    return list(tests.values())
