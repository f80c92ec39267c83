# SPDX-License-Identifier: GPL-2.0-only
"""The generated parts of docs/status.md and docs/results.md."""

from pathlib import Path

from lab.base.data import slug
from lab.judge.verdict import PATCHED, STOCK, count
from lab.kernel import queue
from lab.kernel.bases import Series, Stack
from lab.suites import test_hmm_sh
from lab.verbs import figures
from lab.verbs.figures import Data, Records, ran, row, table
from lab.verbs.tree import subject


def status(series: Series, recorded: Records, cost: Records, soak: Records) -> list[str]:
    """Give the headline numbers, the bases with their parts, and the patches of the newest one."""
    newest = series.stack(next(iter(series.bases)))
    lines = headline(newest, recorded, cost, soak)
    lines += ["## Bases and parts", "", *table("base", "parts", "last recorded on", "stock kernel",
                                               "with the parts", "purpose")]
    for stack in series.all_stacks():
        parts = (f"[{part.name}](../series/{stack.base.name}/{part.name}/)" for part in stack.parts)
        purpose = "; ".join(part.purpose for part in stack.parts)
        data = recorded.get(stack)
        cells = ([data["source"], outcomes(data, STOCK) or "-", outcomes(data, PATCHED)] if data
                 else ["not run", "", ""])
        lines.append(row(stack.name, ", ".join(parts), *cells,
                         purpose if stack.lower else stack.base.purpose))
    lines += ["", "[results.md](results.md) has the result of each case.", "",
              f"## Patches of {newest.base.name}", ""]
    for stack in series.stacks(newest.base):
        without = recorded.get(stack, {}).get("without", {})
        for part in stack.parts:
            lines += [f"### {part.name}: {part.purpose}", "",
                      *table("patch", "what fails without it")]
            for path in queue.check(stack.folder(part)):
                link = f"[{subject(path)}](../{path.relative_to(series.root)})"
                lines.append(row(link, fails(series, path, without)))
            lines.append("")
    return lines


def headline(stack: Stack, recorded: Records, cost: Records, soak: Records) -> list[str]:
    """Give the numbers that matter, as far as they were measured."""
    found = []
    if stack in recorded:
        cases = recorded[stack]["cases"].values()
        before, after = (sum(case[kernel] == "fail" for case in cases)
                         for kernel in (STOCK, PATCHED))
        found.append(f"Of the kit's {len(cases)} cases, {before} fail on a stock {stack.name} "
                     f"kernel and {after} with the series.")
    if stack in cost:
        found.append(figures.cost(stack, cost[stack]))
    if stack in soak:
        found.append(figures.soaked(stack, soak[stack]))
    return ["## In numbers", "", *(f"- {text}" for text in found), ""] if found else []


def outcomes(data: Data, kernel: str) -> str:
    """Count the cases of a kernel, and on the patched one those of KUnit; "" for none."""
    cases = count(case[kernel] for case in data["cases"].values() if kernel in case)
    inside = count(data.get("kunit", {}).values()) if kernel == PATCHED else ""
    return f"{cases}; KUnit {inside}" if inside else cases


def fails(series: Series, patch: Path, without: dict[str, list[str]]) -> str:
    """Give what was seen to fail with all other patches, but without this one."""
    name = slug(patch.name)
    if queue.only_tests(patch):
        tests = any("test" in path for path in queue.touched([patch]))
        return "tests" if tests else "documentation"
    if name in series.unproven:
        return f"no case ({series.unproven[name]})"
    if name not in without:
        return "not run"
    return f"{len(without[name])}: {', '.join(f'`{case}`' for case in without[name])}"


def results(recorded: Records) -> list[str]:
    """Give the results of every stack, case by case."""
    lines = []
    for stack, data in recorded.items():
        reverted = data.get("reverted", data["date"])
        text = f"With the series: {outcomes(data, PATCHED)}."
        if stock := outcomes(data, STOCK):
            text = f"Stock: {stock}. {text}"
        lines += [f"## {stack.name}: {data['source']}", "", f"{ran(f'run {stack.command}', data)}."]
        lines += [f"`make revert {stack.command}` on {reverted}."] if reverted else []
        lines += ["", f"{text} {data.get('note', '').strip()}".strip(), "", *programs(data),
                  *table("case", "stock", "with the series", "what the stock kernel does")]
        lines += [row(name, case.get(STOCK, "-"), case[PATCHED], case["reason"])
                  for name, case in data["cases"].items()]
        lines += ["", *mutants(stack, data.get("mutants", {}))]
    return lines


def programs(data: Data) -> list[str]:
    """Give a row for each test program of the kernel tree, and what was left out."""
    tested = dict(data.get("selftests", {}))
    script = tested.pop(test_hmm_sh.NAME, {})
    lines = ["The kernel's own selftests, each in its own boot:", "",
             *table("program", "from", "stock", "with the series")] if tested else []
    for name, found in tested.items():
        counts = (count(found[kernel].values()) if kernel in found else "-"
                  for kernel in (STOCK, PATCHED))
        tree = "the stock tree" if found["tree"] == "stock" else "the series"
        lines.append(row(name, tree, *counts))
    if script:
        counts = (f"{kernel} {count(script[kernel].values())}" for kernel in (STOCK, PATCHED)
                  if kernel in script)
        lines.append(f"\n{test_hmm_sh.NAME}, outside a guest, with stubs for modprobe, modinfo, id "
                     f"and the programs: {'; '.join(counts)}.")
    lines += [f"\n{name} runs without `{test}`: {reason}."
              for name, found in tested.items() for test, reason in found["left_out"].items()]
    lines += [f"\n{name} on stock with only the patches that add tests: {count(found.values())}."
              for name, found in data.get("before", {}).items()]
    return [*lines, ""] if lines else []


def mutants(stack: Stack, kept: Data) -> list[str]:
    """Give a row for each mutant: the test that caught it."""
    if not kept:
        return []
    killed, survivors = kept["killed"], kept["survivors"]
    rest = f"; not {', '.join(survivors)}" if survivors else ""
    return [f"`make mutants {stack.command}` on {kept['date']}, {kept['source']}: the tests caught "
            f"{len(killed)} of {len(killed) + len(survivors)} mutants{rest}.", "",
            *table("mutant", "caught by"), *(row(*pair) for pair in killed.items()), ""]
