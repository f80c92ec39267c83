# SPDX-License-Identifier: GPL-2.0-only
"""The tree's own test programs of lab/configs/selftests, each in a boot of its own."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from lab.base.data import CONFIGS, malformed, pattern, rows, slugs
from lab.base.errors import LabError, Status
from lab.base.memory import key
from lab.judge.verdict import PATCHED, Logs, Verdict, all_pass
from lab.kernel import queue
from lab.kernel.build import ARCHES, compiler
from lab.kernel.kernel import Kernel
from lab.suites.suite import Expect, Files, Suite, program

FOLDER = "tools/testing/selftests"
# What the tree's Makefile links to every program of the folder, as far as a tree has it.
HELPERS = ("vm_util.c", "thp_settings.c", "hugepage_settings.c")
# 6.1's mrelease_test includes no header with its system calls' numbers, and would skip itself.
NUMBERS = ("-D__NR_pidfd_open=434", "-D__NR_process_mrelease=448")
FLAGS = ("-D_GNU_SOURCE=", "-U_FORTIFY_SOURCE", *NUMBERS)
WORDS = ("boot", "args", "skip", "reports")
FORM = ("`program stock|series folder[,folder] slug[,slug]|-` with words "
        f"{'=, '.join(WORDS)}=, and the only one of its program; "
        "or `program exclude test reason...` below it")


@dataclass(frozen=True)
class Selftest:
    """A line of lab/configs/selftests, which explains the fields."""

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
        return [f"{FOLDER}/{folder}/{self.name}.c" for folder in self.folders]


def read(path: Path = CONFIGS / "selftests") -> list[Selftest]:
    """Read lab/configs/selftests in order; a malformed line is a USAGE error."""
    tests: dict[str, Selftest] = {}
    for where, (name, tree, third, fourth, *more) in rows(path, FORM, 4):
        if tree == "exclude" and name in tests:
            tests[name].exclude[third] = " ".join([fourth, *more])
        elif tree in ("stock", "series") and name not in tests:
            tests[name] = Selftest(name, tree, tuple(third.split(",")), slugs(fourth),
                                   **read_words(where, more))
        else:
            raise malformed(where, FORM)
    return list(tests.values())


def read_words(where: str, words: Sequence[str]) -> dict[str, Any]:
    """Read words NAME=VALUE of a program, in which args= and skip= have lists."""
    values: dict[str, tuple[str, ...]] = dict.fromkeys(WORDS, ())
    for word in words:
        name, equals, value = word.partition("=")
        if name not in values or not equals:
            raise malformed(where, FORM)
        if name == "reports":
            pattern(where, value)
        values[name] += tuple(value.split(",")) if name in ("args", "skip") else (value,)
    return values


class Program(Suite):
    """A program, built from the tree of `origin`; one of the series has to pass."""

    def __init__(self, test: Selftest, origin: Kernel | None,
                 left_out: dict[str, str] | None = None) -> None:
        self.test, self.origin, self.name, self.allowed = test, origin, test.name, test.reports
        if left_out is not None:
            self.left_out = left_out

    @property
    def source(self) -> Path | None:
        assert self.origin
        self.origin.checkout()
        paths = (self.origin.src / name for name in self.test.paths())
        return next((path for path in paths if path.exists()), None)

    @cached_property
    def left_out(self) -> dict[str, str]:
        source = self.source
        text = source.read_text(encoding="utf-8") if source else ""
        return {name: why for name, why in self.test.exclude.items() if name in text}

    def contents(self, kernel: Kernel) -> Files:
        assert self.origin
        source, src = self.source, self.origin.src.absolute()
        if not source:
            raise LabError(Status.NOT_BUILT, f"the tree of {self.origin.name} has no {self.name}.c")
        helpers = [path for name in HELPERS if (path := source.with_name(name)).exists()]
        files = [path.absolute() for path in (source, *helpers)]
        # The tree's own headers before the machine's. Last: tools' uapi/linux/kvm.h is not as it
        # would be installed.
        include: list[str | Path] = [
            "-I", src, "-I", src / FOLDER, "-isystem", src / "tools/include/uapi",
            "-idirafter", src / "tools/include"]
        words = [*FLAGS, *include, *files, "-lpthread", "-lrt", "-lm"]
        arch = self.origin.arch
        wanted = key(self.origin.tree_key, repr(self.test), compiler(arch), *FLAGS)
        made = program(arch, self.origin.place / "selftests", self.name, wanted, words)
        return {f"/selftests/{self.name}": made}

    def words(self) -> str:
        assert self.origin
        options = [word for name in self.left_out for word in ("-T", name)]
        run = ",".join([f"lab.run=/selftests/{self.name}", *self.test.args, *options])
        others = tuple(f"{name}:" for name in ARCHES if name != self.origin.arch.name)
        boot = [word.removeprefix(f"{self.origin.arch.name}:") for word in self.test.boot
                if not word.startswith(others)]
        return " ".join([*boot, run])

    def details(self) -> dict[str, Any]:
        return {"left_out": self.left_out}

    def judge(self, logs: Logs, expect: Expect) -> Verdict:
        verdict = super().judge(logs, expect)
        if self.test.tree == "series" and expect.kernel == PATCHED and not expect.whole:
            all_pass(verdict, self.test.skip)
        return verdict


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
