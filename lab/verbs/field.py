# SPDX-License-Identifier: GPL-2.0-only
"""The verb `field`: the kit on Debian's binary kernels, and on a kernel with the series."""

import re
from collections import Counter
from contextlib import ExitStack
from datetime import date
from typing import Any

from lab.base import memory, packages
from lab.base.data import ROOT
from lab.base.errors import Status
from lab.base.memory import write_json
from lab.engines import qemu
from lab.judge.verdict import PATCHED, STOCK, Verdict
from lab.kernel import debian
from lab.kernel.bases import Stack
from lab.kernel.debian import Debian
from lab.kernel.kernel import Kernel, patched, with_fragments
from lab.kernel.source import Source
from lab.suites import field
from lab.suites.field import BOOTS, Field, Run
from lab.suites.kit import read_cases
from lab.suites.suite import Expect, Planned
from lab.verbs.context import Context, unknown

LEAST = 7  # kernels of a campaign
GCC = re.compile(rb"GCC: \([^)]*\) ([\d.]+)")


def folder(context: Context, stack: Stack) -> Source:
    """Give the folder of all Debian kernels, with the cache."""
    source = context.source(stack)
    source.place = context.build / debian.PLACE
    return source


def kernels(context: Context, stack: Stack, source: Source) -> list[Kernel]:
    """Give Debian's kernels and the one with the series, or those that KERNEL= is a part of."""
    series = with_fragments(patched(stack, source), f"{stack.name}-series", ("field",))
    known: list[Kernel] = [*debian.offered(folder(context, stack)), series]
    found = [one for one in known if context.word("KERNEL") in one.name]
    if not found:
        raise unknown("kernel", context.word("KERNEL"), [one.name for one in known])
    return found


def boots_of(stack: Stack, kernel: Kernel) -> list[Planned]:
    cases = read_cases(ROOT / "kit/cases", stack.base)
    expect = Expect(STOCK if isinstance(kernel, Debian) else PATCHED)
    return [Planned(kernel, Field(name, cases), expect) for name in BOOTS]


def plan(context: Context, stack: Stack, source: Source) -> list[Planned]:
    return [boot for kernel in kernels(context, stack, source)
            for boot in boots_of(stack, kernel)]


def campaign(context: Context, stack: Stack, kernel: Kernel) -> dict[str, Any]:
    """Boot one kernel; the safe boot runs alone, because it is timed. Give what is kept."""
    safe, *others = boots = boots_of(stack, kernel)
    verdicts = [*context.boot(stack, [safe]), *context.boot(stack, others)]
    for one, verdict in zip(boots, verdicts, strict=True):
        context.tally.verdict(f"{one.suite.name} on {kernel.name} ({one.folder.place})", verdict)
    runs = {name: field.parse(one.folder.logs().results, name)
            for name, one in zip(BOOTS, boots, strict=True)}
    row = row_of(runs, verdicts)
    compiler = GCC.search((kernel.place / "kit/mn_kit.ko").read_bytes())
    row |= {"gcc": compiler[1].decode() if compiler else "?", "source": (
        f"{kernel.suite}: {kernel.version}" if isinstance(kernel, Debian)
        else f"{kernel.source.name} with the series")}
    shown_row = (f"{name} {value}" for name, value in row.items() if name != "machines")
    print(f"  {kernel.name}: {', '.join(shown_row)}", flush=True)
    return row


def row_of(runs: dict[str, Run], verdicts: list[Verdict]) -> dict[str, Any]:
    """Give what the table shows of one kernel."""
    usual, whole = (runs[name].ends.get("usual", field.NO_END) for name in ("safe", "all"))
    ends = {f"{boot} {name}": shown(end) for boot, run in runs.items()
            for name, end in run.ends.items()}
    right = Counter(outcome == "pass" for verdict in verdicts
                    for outcome in verdict.outcomes.values())
    behind = [name for name, end in runs["safe"].ends.items() if end.left != runs["safe"].clean]
    return {"verdict": usual.verdict[0], "safe": "/".join(usual.verdict[1:]),
            "all": "/".join(whole.verdict[1:]), "lines": usual.lines,
            "seconds": round(usual.seconds, 1), "left": ", ".join(behind) or "nothing",
            "unloaded": whole.left.startswith("module=0"),
            "right": f"{right[True]} of {right.total()}", "machines": ends}


def shown(end: field.End) -> str:
    return end.verdict[0] if end.verdict[0] != "none" else f"exit status {end.status}"


def run(context: Context, stack: Stack) -> None:
    """Run the campaign, or its part on KERNEL=; docs/field.json keeps a whole one."""
    context.need(packages.FIELD)
    kept: dict[str, Any] = {}
    source = folder(context, stack)
    with memory.lock(source.place):
        debian.system(source)
        for kernel in kernels(context, stack, context.source(stack)):
            with ExitStack() as held:
                if not isinstance(kernel, Debian):
                    held.enter_context(context.work(stack))
                kept[kernel.name] = campaign(context, stack, kernel)
    if context.word("KERNEL"):
        return
    if len(kept) < LEAST:
        context.tally.fail(Status.TEST_FAILED, f"{len(kept)} kernels, not at least {LEAST}")
    data = {"date": date.today().isoformat(), "qemu": qemu.version(),
            "system": (source.place / "root/etc/debian_version").read_text().strip(),
            "without_headers": debian.without_headers(source), "kernels": kept}
    # A campaign that failed does not replace an earlier one.
    target = source.place / "field.json" if context.tally.failed else ROOT / "docs/field.json"
    write_json(target, data)
    print(f"  kept in {target.parent.name}/{target.name}")
