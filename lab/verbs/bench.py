# SPDX-License-Identifier: GPL-2.0-only
"""The verb `bench`: what the series costs in instructions of the guest, stock against patched."""

import re
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from lab.base import packages
from lab.base.data import ROOT, slug
from lab.base.errors import LabError, Status
from lab.base.memory import write_json
from lab.base.proc import ask
from lab.judge.verdict import PATCHED, STOCK
from lab.kernel.bases import Stack
from lab.kernel.kernel import Kernel, stock, with_fragments
from lab.kernel.source import Source
from lab.kernel.tree import Without
from lab.suites import bench
from lab.suites.bench import Rows
from lab.suites.suite import Expect, Planned
from lab.verbs import pages
from lab.verbs.context import Context, provenance

FRAGMENTS = ("bench",)
OBJECT = "mm/mmu_notifier.o"
SIZES = ("mmu_notifier", "mmu_notifier_subscriptions", "mmu_notifier_range", "mm_struct")
# The rows with a limit: no refusal; a refusal by each of 8 notifiers; no notifier.
SUCCESS = tuple(f"{call} hlist={hlist} interval={interval}" for call in pages.SUCCESS
                for hlist in (0, 1, 8, 64, 512) for interval in (0, 1))
REFUSED = tuple(f"reap vmas=1000 hlist=8 refuser={place}" for place in range(8))
FREE = ("zap vmas=1000 pages=1000", "zap vmas=1000 pages=0")
CHEAPER, OF_FREE = 10, 1.5
EARLY = "oom-ask-before-gather"  # its effect on a refusal is measured alone
# The rows of each figure in proof/bench/plot.gp.
PLOTS = (r"reap vmas=(\d+) hlist=8 refuser=0", r"reap vmas=1000 hlist=8 refuser=(\d+)",
         r"reap vmas=1000 hlist=(\d+) refuser=0", r"madvise hlist=(\d+) interval=0")


def kernels(stack: Stack, source: Source) -> dict[str, Kernel]:
    """Give the kernels without debugging options: stock, patched, patched without one patch."""
    before = with_fragments(stock(source), stack.file("bench-stock"), FRAGMENTS)
    after = replace(before, name=stack.file("bench-patched"), donor=before,
                    patches=tuple(stack.queue))
    number = [slug(path.name) for path in stack.queue].index(EARLY)
    late = replace(after, name=stack.file("bench-without"), donor=after, patches=(),
                   change=Without(f"without {EARLY}", (number,)))
    return {STOCK: before, PATCHED: after, EARLY: late}


def plan(_context: Context, stack: Stack, source: Source) -> list[Planned]:
    return [Planned(kernel, bench.Bench(), Expect(name))
            for name, kernel in kernels(stack, source).items()]


def sizes(kernel: Kernel) -> Rows:
    text = ask(["pahole", "-C", ",".join(SIZES), kernel.debug_object(OBJECT)], Status.NO_RESULT)
    return parse_sizes(text)


def parse_sizes(pahole: str) -> Rows:
    found = {name: re.search(rf"^struct {name} \{{.*?/\* size: (\d+),", pahole,
                             re.MULTILINE | re.DOTALL) for name in SIZES}
    if missing := [name for name, match in found.items() if not match]:
        raise LabError(Status.NO_RESULT,
                       f"no size of struct {', '.join(missing)} in the debugging information")
    return {name: int(match[1]) for name, match in found.items() if match}


def judge(before: Rows, after: Rows, old: Rows, new: Rows) -> list[str]:
    """Name every number that is not reached: instructions, lines logged, sizes."""
    missing = [*(name for name in (*SUCCESS, *REFUSED, *FREE) if name not in after),
               *sorted(before.keys() ^ after.keys())]
    if missing:
        return [f"{name}: not on both kernels" for name in dict.fromkeys(missing)]
    first = after[REFUSED[0]]
    return [
        *(f"{name}: {after[name] / before[name]:.3f} of stock ({after[name]} after {before[name]} "
          "instructions), not at most 1.000"
          for name in SUCCESS if round(Fraction(after[name], before[name]), 3) > 1),
        *(f"{name}: {before[name] / after[name]:.1f} times cheaper ({after[name]} after "
          f"{before[name]} instructions), not {CHEAPER}"
          for name in REFUSED if before[name] < CHEAPER * after[name]),
        *(f"{name}: {first / after[name]:.2f} of it if the first of 8 notifiers refuses ({first} "
          f"of {after[name]} instructions), not at most {OF_FREE}"
          for name in FREE if first > OF_FREE * after[name]),
        *(f"{name}: {value} lines in the log, not 0" for name, value in after.items()
          if value and name.startswith("lines ")),
        *(f"sizeof(struct {name}) was {old[name]} and is {new[name]}" for name in SIZES
          if old[name] != new[name])]


def plot(rows: Mapping[str, list[int]], path: Path) -> None:
    blocks = []
    for pattern in PLOTS:
        found = sorted((int(match[1]), *rows[name]) for name in rows
                       if (match := re.fullmatch(pattern, name)))
        blocks.append("".join(f"{x} {one} {two}\n" for x, one, two in found))
    data = "\n\n".join(blocks)
    script = (f"$rows << END\n{data}END\nset output '{path.absolute()}'\n"
              f"load '{ROOT}/proof/bench/plot.gp'\n")
    subprocess.run(["gnuplot"], input=script, text=True, check=True)


def run(context: Context, stack: Stack) -> None:
    """Measure the kernels, keep the figures in docs/bench, count what is missed."""
    with context.work(stack, packages.BENCH) as source:
        boots = plan(context, stack, source)
        for one, verdict in zip(boots, context.boot(stack, boots), strict=True):
            if verdict.status:
                raise LabError(verdict.status, f"{one}: {verdict.problems[0]}")
        before, after, late = (bench.parse(one.folder.logs().results) for one in boots)
        old, new = (sizes(one.kernel) for one in boots[:2])
    missed = judge(before, after, old, new)
    rows = {name: [before[name], after[name]] for name in before if name in after}
    data = {**provenance(stack, source), "missed": missed,
            "sizes": {name: [old[name], new[name]] for name in SIZES}, "rows": rows,
            "without": {name: late[name] for name in rows if name.startswith("reap ")}}
    write_json(ROOT / f"docs/bench/{stack.name}.json", data)
    plot(rows, ROOT / f"docs/bench/{stack.name}.svg")
    print(*(f"  {name}: stock {one}, patched {two}" for name, (one, two) in rows.items()),
          f"\nbase {stack.name}: {len(before)} figures, {len(missed)} numbers missed",
          *(f"  {line}" for line in missed), sep="\n")
    context.tally.passed += len(rows)
    for line in missed:
        context.tally.fail(Status.TEST_FAILED, line)
