# SPDX-License-Identifier: GPL-2.0-only
"""The verb `bench`: what the series costs in instructions of the guest, stock against patched."""

import re
import subprocess
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

from lab.base import packages
from lab.base.data import ROOT
from lab.base.errors import LabError, Status
from lab.base.proc import ask
from lab.judge.verdict import PATCHED, STOCK
from lab.kernel.bases import Stack
from lab.kernel.kernel import Kernel, stock, with_fragments
from lab.kernel.source import Source
from lab.suites import bench
from lab.suites.bench import Rows
from lab.suites.suite import Expect, Planned
from lab.verbs.context import Context, provenance, write_json

FRAGMENTS = ("bench",)
OBJECT = "mm/mmu_notifier.o"
SIZES = ("mmu_notifier", "mmu_notifier_subscriptions", "mmu_notifier_range", "mm_struct")
SUCCESS = re.compile(r"(?:mprotect|munmap|madvise|fork) hlist=\d+ interval=[01]$")
AT_1000 = re.compile(r"reap vmas=1000 hlist=8 refuser=(\d+)$")
# How many times cheaper a refused reaping of 1,000 mappings with 8 notifiers has to be.
NEEDED, NEEDED_FIRST = 5, 10
PLOTS = (
    ("refused reaping by mappings, 8 notifiers, the first refuses", "mappings", True,
     r"reap vmas=(\d+) hlist=8 refuser=0"),
    ("refused reaping by the refuser''s place, 1,000 mappings", "place of 8", False,
     r"reap vmas=1000 hlist=8 refuser=(\d+)"),
    ("refused reaping by notifiers, 1,000 mappings, the first refuses", "hlist notifiers", True,
     r"reap vmas=1000 hlist=(\d+) refuser=0"),
    ("madvise() without a refusal, by notifiers", "hlist notifiers", False,
     r"madvise hlist=(\d+) interval=0"),
)


def kernels(stack: Stack, source: Source) -> dict[str, Kernel]:
    """Give both kernels without debugging options."""
    before = with_fragments(stock(source), stack.file("bench-stock"), FRAGMENTS)
    after = Kernel(source, stack.file("bench-patched"), before, tuple(stack.queue),
                   fragments=FRAGMENTS, arch=before.arch)
    return {STOCK: before, PATCHED: after}


def plan(_context: Context, stack: Stack, source: Source) -> list[Planned]:
    """Give both boots."""
    return [Planned(kernel, bench.Bench(), Expect(name))
            for name, kernel in kernels(stack, source).items()]


def sizes(kernel: Kernel) -> Rows:
    """Give the sizes of the structures by pahole; NO_RESULT if one is missing."""
    text = ask(["pahole", "-C", ",".join(SIZES), kernel.debug_object(OBJECT)], Status.NO_RESULT)
    return parse_sizes(text)


def parse_sizes(pahole: str) -> Rows:
    """Read pahole's output."""
    found = {name: re.search(rf"^struct {name} \{{.*?/\* size: (\d+),", pahole,
                             re.MULTILINE | re.DOTALL) for name in SIZES}
    if missing := [name for name, match in found.items() if not match]:
        raise LabError(Status.NO_RESULT,
                       f"no size of struct {', '.join(missing)} in the debugging information")
    return {name: int(match[1]) for name, match in found.items() if match}


def judge(before: Rows, after: Rows, old: Rows, new: Rows) -> list[str]:
    """Name every number that is not reached: instructions, lines logged, sizes."""
    if before.keys() != after.keys():
        return [f"{name}: on one kernel only" for name in sorted(before.keys() ^ after.keys())]
    missed = []
    kinds = {"success": 0, "reap": 0}
    for name, value in after.items():
        place, was = AT_1000.match(name), before[name]
        if SUCCESS.match(name):
            kinds["success"] += 1
            if round(Fraction(value, was), 3) > 1:
                missed.append(f"{name}: {value / was:.3f} of stock ({value} after {was} "
                              "instructions), not at most 1.000")
        elif place:
            kinds["reap"] += 1
            needed = NEEDED if int(place[1]) else NEEDED_FIRST
            if was < needed * value:
                missed.append(f"{name}: {was / value:.1f} times cheaper ({value} after {was} "
                              f"instructions), not {needed}")
        elif name.startswith("lines ") and value:
            missed.append(f"{name}: {value} lines in the log, not 0")
    missed += [f"no row of {kind}" for kind, seen in kinds.items() if not seen]
    return missed + [f"sizeof(struct {name}) was {old[name]} and is {new[name]}"
                     for name in SIZES if old[name] != new[name]]


def plot(data: Mapping[str, Any], path: Path) -> None:
    """Draw with gnuplot how the costs grow."""
    rows = data["rows"]
    script = ["set terminal svg size 900,720 noenhanced name 'bench'\n"
              f"set output '{path.absolute()}'\nset multiplot layout 2,2\n"
              "set ylabel 'instructions'\nset key left top\n"]
    for title, label, log, pattern in PLOTS:
        found = sorted((int(match[1]), *rows[name]) for name in rows
                       if (match := re.fullmatch(pattern, name)))
        points = "".join(f"{x} {one} {two}\n" for x, one, two in found) + "e\n"
        scale = ("set logscale xy; set yrange [*:*]" if log
                 else "unset logscale; set yrange [0:*]")
        script.append(f"set title '{title}'\nset xlabel \"{label}\"\n{scale}\n"
                      "plot '-' using 1:2 with linespoints title 'stock', "
                      f"'-' using 1:3 with linespoints title 'with the series'\n{points * 2}")
    subprocess.run(["gnuplot"], input="".join(script), text=True, check=True)


def run(context: Context, stack: Stack) -> None:
    """Measure both kernels, keep the figures in docs/bench, count what is missed."""
    with context.work(stack, packages.BENCH) as source:
        boots = plan(context, stack, source)
        for one, verdict in zip(boots, context.boot(stack, boots), strict=True):
            if verdict.status:
                raise LabError(verdict.status, f"{one}: {verdict.problems[0]}")
        before, after = (bench.parse(one.folder.logs().results) for one in boots)
        old, new = (sizes(one.kernel) for one in boots)
    missed = judge(before, after, old, new)
    rows = {name: [before[name], after[name]] for name in before if name in after}
    data = {**provenance(stack, source), "missed": missed,
            "sizes": {name: [old[name], new[name]] for name in SIZES}, "rows": rows}
    write_json(ROOT / f"docs/bench/{stack.name}.json", data)
    plot(data, ROOT / f"docs/bench/{stack.name}.svg")
    print(*(f"  {name}: stock {one}, patched {two}" for name, (one, two) in rows.items()),
          f"\nbase {stack.name}: {len(before)} figures, {len(missed)} numbers missed",
          *(f"  {line}" for line in missed), sep="\n")
    context.tally.passed += len(rows)
    for line in missed:
        context.tally.fail(Status.TEST_FAILED, line)
