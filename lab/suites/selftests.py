# SPDX-License-Identifier: GPL-2.0-only
"""The tree's own test programs of lab/configs/selftests, each in a boot of its own."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab.base import memory
from lab.base.data import CONFIGS, pattern, rows
from lab.base.errors import LabError, Status
from lab.base.memory import key
from lab.base.proc import Shell
from lab.judge import ktap
from lab.judge.console import splats, unusable
from lab.judge.ktap import Plan
from lab.judge.verdict import PATCHED, Logs, Verdict, all_pass, hung
from lab.kernel import queue
from lab.kernel.build import compiler
from lab.kernel.kernel import Kernel
from lab.suites.suite import Expect, Suite

FOLDER = "tools/testing/selftests"
# What the tree's Makefile links to every program of the folder, as far as a tree has it.
HELPERS = ("vm_util.c", "thp_settings.c", "hugepage_settings.c")
# 6.1's mrelease_test includes no header with its system calls' numbers, and would skip itself.
NUMBERS = ("-D__NR_pidfd_open=434", "-D__NR_process_mrelease=448")
FLAGS = ("-static", "-O2", "-D_GNU_SOURCE=", "-U_FORTIFY_SOURCE", *NUMBERS)
WORDS = ("boot", "args", "skip", "reports")


@dataclass(frozen=True)
class Selftest:
    """A test program of the kernel tree.

    `tree` is stock (built from the stock tree, the same results on stock and patched) or series
    (added by a patch). `cures` has the slugs of the patches each of which it needs, `skip` names
    tests that may be skipped, `reports` matches the warnings that it provokes.
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

    def paths(self) -> list[str]:
        """Give where its source may be in a tree."""
        return [f"{FOLDER}/{folder}/{self.name}.c" for folder in self.folders]


def read(path: Path = CONFIGS / "selftests") -> list[Selftest]:
    """Read lab/configs/selftests in order; a malformed line is a USAGE error."""
    tests: dict[str, Selftest] = {}
    for where, words in rows(path):
        name = words[0]
        if words[1:2] == ["exclude"] and name in tests and len(words) > 3:
            tests[name].exclude[words[2]] = " ".join(words[3:])
        elif words[1:2] == ["exclude"]:
            raise LabError(Status.USAGE, f"{where}: an exclusion is "
                           "`program exclude test reason...`, below its program")
        elif len(words) < 4 or words[1] not in ("stock", "series"):
            raise LabError(Status.USAGE, f"{where}: a selftest is "
                           "`program stock|series folder[,folder] slug[,slug]|- [words]`")
        elif name in tests:
            raise LabError(Status.USAGE, f"{where}: program {name} is listed twice")
        else:
            tests[name] = read_one(where, words)
    return list(tests.values())


def read_one(where: str, words: list[str]) -> Selftest:
    """Read the line of a program."""
    values: dict[str, list[str]] = {name: [] for name in WORDS}
    for word in words[4:]:
        name, equals, value = word.partition("=")
        if name not in values or not equals:
            known = ", ".join(f"{one}=" for one in WORDS)
            raise LabError(Status.USAGE, f"{where}: {word} is none of {known}")
        values[name] += [value] if name in ("boot", "reports") else value.split(",")
        if name == "reports":
            pattern(where, value)
    cures = () if words[3] == "-" else tuple(words[3].split(","))
    boot, args, skip, reports = (tuple(value) for value in values.values())
    return Selftest(words[0], words[1], tuple(words[2].split(",")), cures, boot, args, skip,
                    reports)


class Program(Suite):
    """A program, built from the tree of `origin`."""

    def __init__(self, test: Selftest, origin: Kernel | None,
                 left_out: dict[str, str] | None = None) -> None:
        self.test, self.origin, self.name = test, origin, test.name
        self.excluded = left_out

    @property
    def source(self) -> Path | None:
        """Give its source, None if the tree has none."""
        assert self.origin
        self.origin.checkout()
        paths = (self.origin.src / name for name in self.test.paths())
        return next((path for path in paths if path.exists()), None)

    @property
    def left_out(self) -> dict[str, str]:
        """Give the excluded tests that the program has, with the reasons."""
        if self.excluded is None:
            source = self.source
            text = source.read_text(encoding="utf-8") if source else ""
            self.excluded = {name: why for name, why in self.test.exclude.items() if name in text}
        return self.excluded

    def contents(self, kernel: Kernel) -> str:
        """Build the program in the folder of its tree's kernel."""
        assert self.origin
        place, src, found = self.origin.place / "selftests", self.origin.src, self.source
        if not found:
            raise LabError(Status.NOT_BUILT, f"the tree of {self.origin.name} has no {self.name}.c")
        source = found

        def work(shell: Shell) -> None:
            compile_one(shell, source, src, place)

        place.mkdir(parents=True, exist_ok=True)
        wanted = key(self.origin.tree_key, repr(self.test), compiler(), *FLAGS)
        memory.step(place, self.name, wanted, place / self.name, work)
        made = (place / self.name).absolute()
        return f"dir /selftests 755 0 0\nfile /selftests/{self.name} {made} 755 0 0\n"

    def words(self) -> str:
        """Give what the kernel is booted with."""
        options = [word for name in self.left_out for word in ("-T", name)]
        run = ",".join([f"lab.run=/selftests/{self.name}", *self.test.args, *options])
        return " ".join([*self.test.boot, run])

    def details(self) -> dict[str, Any]:
        """Keep what was left out."""
        return {"left_out": self.left_out}

    def judge(self, logs: Logs, expect: Expect) -> Verdict:
        """Judge a boot: whole results, no splat; of a program of the series passes only."""
        verdict = judge(self.name, logs, (*self.test.reports, *expect.allowed))
        if self.test.tree == "series" and expect.kernel == PATCHED and not expect.whole:
            all_pass(verdict, self.test.skip)
        return verdict


def compile_one(shell: Shell, source: Path, src: Path, place: Path) -> None:
    """Link one program statically, with the tree's own headers before the machine's."""
    helpers = [source.with_name(name) for name in HELPERS if source.with_name(name).exists()]
    src = src.absolute()
    # Last: tools' uapi/linux/kvm.h is not as it would be installed.
    include: list[str | Path] = ["-I", src, "-I", src / FOLDER, "-isystem",
                                 src / "tools/include/uapi", "-idirafter", src / "tools/include"]
    files = [path.absolute() for path in (source, *helpers)]
    shell.run(["gcc", *FLAGS, *include, "-o", source.stem, *files, "-lpthread", "-lrt", "-lm"],
              Status.NOT_BUILT, cwd=place)


def judge(name: str, logs: Logs, reports: tuple[str, ...] = (),
          plan: Plan = Plan.MET) -> Verdict:
    """Judge one boot by itself: it ended, its results are whole, and nothing else splats."""
    results = ktap.read_program(logs.results, name, plan)
    verdict = Verdict(outcomes=results.outcomes, reasons=results.reasons)
    allowed = [re.compile(report) for report in reports]
    guest = hung(logs) + [f"splat: {line}" for line in splats(logs.console, allowed)]
    return verdict.conclude(guest, results.incomplete or unusable(logs.console))


def on(kernel: Kernel, stock: Kernel, tests: list[Selftest], *,
       adds_only: bool = False) -> list[Program]:
    """Give the programs for a kernel: those of its patches, and of stock unless `adds_only`."""
    added = queue.added(list(kernel.present))
    found = []
    for test in tests:
        if test.tree == "series" and any(path in added for path in test.paths()):
            found.append(Program(test, kernel))
        elif test.tree == "stock" and not adds_only:
            found.append(Program(test, stock))
    return found
