# SPDX-License-Identifier: GPL-2.0-only
"""What every verb has at hand, and how it boots: prepare, run, judge, count."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from lab.base import memory, packages
from lab.base.data import CONFIGS, ROOT
from lab.base.errors import LabError, Status
from lab.base.memory import Memory, key
from lab.engines import boot, lava_server, qemu
from lab.judge.verdict import Verdict
from lab.kernel import bases, build, queue
from lab.kernel.bases import Series, Stack
from lab.kernel.kernel import Kernel, stock
from lab.kernel.source import Source
from lab.suites import kit, kunit, selftests
from lab.suites.mirror import Mirror
from lab.suites.suite import Planned, Suite

SHOWN, SHORT = 21, 4  # lines of what is wrong with a boot: at once, and at the very end
# The rooms whose code a kept result depends on.
CODE = ("base", "kernel", "judge", "engines", "suites")


@dataclass
class Tally:
    """What was counted, the first status that was not OK, and in `wrong` a few lines a failure."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0
    status: Status = Status.OK
    wrong: list[str] = field(default_factory=list)

    def fail(self, status: Status, why: str) -> None:
        self.failed += 1
        self.status = self.status or status
        self.wrong.append(why)

    def verdict(self, title: str, verdict: Verdict) -> None:
        """Count the cases of a verdict, and print what is wrong; not OK is one failure at least."""
        skipped = sum(outcome == "skip" and name not in verdict.unexpected
                      for name, outcome in verdict.outcomes.items())
        failed = max(len(verdict.unexpected), int(verdict.status != Status.OK))
        self.skipped += skipped
        self.failed += failed
        self.passed += max(0, len(verdict.outcomes) - skipped - failed)
        self.status = self.status or verdict.status
        if verdict.status:
            lines = [f"{title}: {verdict.status.meaning}",
                     *(f"  {problem}" for problem in verdict.problems)]
            more = [f"  and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
            print("", *lines[:SHOWN], *more, sep="\n")
            self.wrong += lines[:SHORT]

    def proven(self, title: str, verdict: Verdict) -> None:
        self.verdict(title, Verdict(verdict.status, {title: "pass"}, problems=verdict.problems))

    def __str__(self) -> str:
        skipped = f", {self.skipped} skipped" if self.skipped else ""
        return f"{self.passed} passed, {self.failed} failed{skipped}"


@dataclass
class Context:
    """The series, where everything is written, the words of the command line, the count."""

    series: Series
    build: Path
    words: Mapping[str, str] = field(default_factory=dict)
    tally: Tally = field(default_factory=Tally)

    def word(self, name: str) -> str:
        return self.words.get(name, "")

    def chosen(self) -> list[Stack]:
        base, part = self.word("BASE"), self.word("PART")
        if not base and not part:
            return self.series.all_stacks()
        one = self.series.stack(base or next(iter(self.series.bases)), part)
        return [one] if part else self.series.stacks(one.base)

    def source(self, stack: Stack) -> Source:
        bases.check(self.series)
        tree = self.word("TREE")
        return Source(stack.base, self.build, Path(tree) if tree else None)

    def need(self, *tools: dict[str, str]) -> None:
        """Have what builds kernels, and more tools."""
        wanted = {name: package for one in (packages.BUILD, *tools)
                  for name, package in one.items()}
        packages.need(wanted, self.build / "packages.log")

    @contextmanager
    def work(self, stack: Stack, *tools: dict[str, str]) -> Iterator[Source]:
        """Hold the source of a stack, unpacked; find out first whether the series fits."""
        self.need(dict(build.ARCHES[stack.base.arch[0]].packages), *tools)
        source = self.source(stack)
        with memory.lock(source.place):
            source.fetch()
            fit(stack, source)
            yield source

    def boot(self, stack: Stack, plan: Sequence[Planned]) -> list[Verdict]:
        folders = [one.prepare(stack.name) for one in plan]
        ENGINES[self.word("ENGINE") or "qemu"](self.build, stack.base.arch[0]).run(folders)
        verdicts = [one.suite.judge(folder.logs(), one.expect)
                    for one, folder in zip(plan, folders, strict=True)]
        for folder, verdict in zip(folders, verdicts, strict=True):
            if verdict.status:
                folder.forget()
        return verdicts


def fit(stack: Stack, source: Source) -> None:
    """Apply the series to copies of the files that it touches, before anything is built."""
    place = source.place / "fit"
    wanted = key(source.identity, series_key(stack))
    memory.step(place, stack.name, wanted, place / "src/.git",
                lambda shell: queue.try_on(shell, source.src, place / "src", stack.queue))
    print(f"  series: {len(stack.queue)} patches apply")


def series_key(stack: Stack) -> str:
    return key(*(path.read_bytes() for path in stack.queue))


ENGINES: dict[str, Callable[[Path, str], boot.Engine]] = {
    "qemu": qemu.Qemu, "lava": lava_server.engine}


def suite_of(stack: Stack) -> Suite:
    """Give the suite with listed cases: the kit, or for v5.3 what its part adds."""
    if stack.base.kit:
        return kit.Kit(kit.read_cases(ROOT / "kit/cases", stack.base))
    return Mirror(stack.base.may_skip.get(Mirror.name, kit.NEVER))


def in_tree(stack: Stack, source: Source, kernel: Kernel, *, adds_only: bool = True) -> list[Suite]:
    """Give KUnit and the programs that a kernel's patches add; with stock's unless `adds_only`."""
    suites = kunit.of(stack.base, kernel)
    programs = selftests.on(kernel, stock(source), selftests.read(), adds_only=adds_only)
    programs = [one for one in programs if has_driver(one, stack.base.kernel)]
    return [*([suites] if suites else []), *programs]


def has_driver(suite: Suite, kernel: str) -> bool:
    """Say whether a kernel, "" for the usual one, has what a suite tests.

    PREEMPT_RT kernels have no huge pages, and so no HMM driver.
    """
    return kernel != "rt" or not suite.name.startswith("hmm")


def cures(stack: Stack) -> set[str]:
    suite = suite_of(stack)
    assert isinstance(suite, kit.Kit | Mirror)
    found = {slug for case in suite.cases.values() for slug in case.cures}
    return found | {slug for test in selftests.read() for slug in test.cures}


@cache
def inputs() -> str:
    """Give what every kept result depends on, beside its kernel: code, suites, lists, QEMU."""
    code = [memory.folder_key(ROOT / "lab" / room, ("*.pyc",)) for room in CODE]
    data = [memory.folder_key(ROOT / "kit", build.IGNORED), memory.folder_key(CONFIGS),
            memory.folder_key(ROOT / "proof/soak", build.IGNORED)]
    lists = ("intree/reports", "kit/cases", "series/5.3/cases", "series/bases.toml")
    texts = [(ROOT / name).read_bytes() for name in lists if (ROOT / name).exists()]
    return key(*code, *data, qemu.version(), *texts)


class Proofs:
    """What kernels gave as expected, kept while nothing it depends on changes."""

    def __init__(self, source: Source) -> None:
        self.memory = Memory(source.place / "proofs")

    def get(self, name: str, plan: Sequence[Planned]) -> Any | None:
        return self.memory.recall(name, self.key(plan))

    def put(self, name: str, plan: Sequence[Planned], found: Any) -> None:
        self.memory.keep(name, self.key(plan), found)

    @staticmethod
    def key(plan: Sequence[Planned]) -> str:
        return key(inputs(), *(f"{one.kernel.key} {one.suite.name} {one.expect}" for one in plan))


def provenance(stack: Stack, source: Source) -> dict[str, Any]:
    arch = build.ARCHES[stack.base.arch[0]]
    return {"base": stack.name, "source": source.name, "compiler": build.compiler(arch),
            "qemu": qemu.version(), "date": date.today().isoformat()}


def unknown(what: str, name: str, known: Sequence[str]) -> LabError:
    return LabError(Status.USAGE, f"no {what} {name!r}",
                    f"{what.upper()} is one of: {' '.join(known)}")
