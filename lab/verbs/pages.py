# SPDX-License-Identifier: GPL-2.0-only
"""The generated parts of the pages in docs/, out of the records."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from lab.base.data import slug
from lab.judge.verdict import PATCHED, STOCK, count
from lab.kernel import queue
from lab.kernel.bases import Series, Stack
from lab.suites import test_hmm_sh
from lab.verbs.tree import subject

Data = dict[str, Any]
Records = Mapping[Stack, Data]
SUCCESS = ("mprotect", "munmap", "madvise", "fork")  # bench: calls that no notifier refuses
NO_REFUSER = str(2**32 - 1)
# The limits that bench judges by.
LIMITS = ("All limits are met. Without a refusal: at most 1.0005 times stock's instructions. With "
          "1,000 mappings and 8 notifiers: at least 10 times fewer instructions than stock at each "
          "position of the refuser, and at the first one at most 1.5 times those without a "
          "notifier. A refusal logs no line, and no structure changes its size.")


def table(columns: str, rows: Iterable[Sequence[str | int]]) -> list[str]:
    lines = [f"| {columns} |", "|" + "---|" * len(columns.split(" | "))]
    for row in rows:
        cells = (f"{cell:,}" if isinstance(cell, int) else cell for cell in row)
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def ran(verb: str, data: Data) -> str:
    return f"`make {verb}` on {data['date']}; {data['compiler']}; {data['qemu']}"


# docs/status.md

def status(series: Series, recorded: Records, cost: Records, soak: Records) -> list[str]:
    newest = series.stack(next(iter(series.bases)))
    numbers = [f"- {text}" for text in headline(newest, recorded, cost, soak)]
    rows = []
    for stack in [*series.all_stacks(), *(one for one in recorded if one.base.variant)]:
        parts = (f"[{part.name}](../series/{stack.base.name}/{part.name}/)" for part in stack.parts)
        seen = ("not run", "", "")
        if data := recorded.get(stack):
            seen = (data["source"], outcomes(data, STOCK) or "-", outcomes(data, PATCHED))
        purpose = "; ".join(part.purpose for part in stack.parts)
        variant = f"the same with `{' '.join(stack.command.split()[1:])}`"
        rows.append((stack.name, "" if stack.base.variant else ", ".join(parts), *seen,
                     variant if stack.base.variant else
                     purpose if stack.lower else stack.base.purpose))
    lines = [*(["## In numbers", "", *numbers, ""] if numbers else []), "## Bases and parts", "",
              *table("base | parts | last recorded on | stock kernel | with the parts | purpose",
                     rows), "", "[results.md](results.md) has the result of each case.", "",
              f"## Patches of {newest.base.name}", ""]
    for stack in series.stacks(newest.base):
        without = recorded.get(stack, {}).get("without", {})
        for part in stack.parts:
            lines += [f"### {part.name}: {part.purpose}", "",
                      *table("patch | what fails without it", (
                          (f"[{subject(path)}](../{path.relative_to(series.root)})",
                           fails(series, path, without))
                          for path in queue.check(stack.folder(part)))), ""]
    return lines


def headline(stack: Stack, recorded: Records, cost: Records, soak: Records) -> list[str]:
    found = []
    if stack in recorded:
        cases = recorded[stack]["cases"].values()
        before, after = (sum(case[kernel] == "fail" for case in cases)
                         for kernel in (STOCK, PATCHED))
        found.append(f"Of the kit's {len(cases)} cases, {before} fail on a stock {stack.name} "
                     f"kernel and {after} with the series.")
    if stack in cost:
        worst = max(after / before for *_, before, after in measured(cost[stack], *SUCCESS))
        cheaper = [before / after for _, values, before, after in measured(cost[stack], "reap")
                   if values[:2] == ["1000", "8"]]
        found.append(f"On {stack.name}, an invalidation without a refusal executes at most "
                     f"{worst:.4f} times stock's instructions. A refused reaping of 1,000 mappings "
                     f"with 8 notifiers executes {min(cheaper):.0f} to {max(cheaper):.0f} times "
                     "fewer ([figures](bench.md)).")
    if stack in soak:
        kernels = soak[stack]["kernels"]
        refused = sum(one["figures"].get("refused_reaps", 0) for one in kernels.values())
        wrong = sum(len(one["wrong"]) for one in kernels.values())
        shown = (f"{wrong} problems" if wrong else
                 "no unbalanced range, no late callback and no splat")
        found.append(f"On {stack.name} kernels with {', '.join(kernels)}, {refused:,} reaps were "
                     f"refused while notifiers came and went. This showed {shown} "
                     "([campaign](results.md)).")
    return found


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


# docs/results.md

def campaigns(found: Records) -> list[str]:
    lines: list[str] = []
    for stack, data in found.items():
        kernels = list(data["kernels"].values())
        tests = dict.fromkeys(test for one in kernels for test in one["tests"])
        rows = [[test, *(one["tests"].get(test, "-") for one in kernels)] for test in tests]
        rows += [[figure.replace("_", " "), *(one["figures"].get(figure, 0) for one in kernels)]
                 for figure in kernels[0]["figures"]]
        verb = f"soak {stack.command} DURATION={data['seconds']}"
        lines += [f"## Campaign on {stack.name}: {data['source']}", "",
                  f"{ran(verb, data)}, `{data['machine']}`.", "",
                  *(f"Missed: {line}." for line in data["missed"]),
                  *table(" | ".join(["", *data["kernels"]]), rows), "",
                  *(f"- {name}: {line}" for name, one in data["kernels"].items()
                    for line in one["wrong"]), ""]
    return lines


def results(recorded: Records) -> list[str]:
    lines = []
    named = {stack.name: data["cases"] for stack, data in recorded.items()}
    for stack, data in recorded.items():
        reverted, stock = data.get("reverted", data["date"]), outcomes(data, STOCK)
        text = f"Stock: {stock}. " if stock else ""
        text += f"With the series: {outcomes(data, PATCHED)}. {data.get('note', '').strip()}"
        lines += [f"## {stack.name}: {data['source']}", "", f"{ran(f'run {stack.command}', data)}.",
                  *([f"`make revert {stack.command}` on {reverted}."] if reverted else []),
                  "", text.strip(), "", *programs(data),
                  *cases(data["cases"], named.get(stack.base.name, {}) if stack.base.variant
                         else {}, stack.base.name),
                  "", *mutants(stack, data.get("mutants", {}))]
    return lines


def cases(found: Data, usual: Data, name: str) -> list[str]:
    """Give the table of cases, of a variant only those that are not as on the usual kernel."""
    kernels = (STOCK, PATCHED)
    rows = [(one, *(case.get(kernel, "-") for kernel in kernels), case["reason"])
            for one, case in found.items() if one not in usual
            or any(case.get(kernel) != usual[one].get(kernel) for kernel in kernels)]
    if usual and not rows:
        return [f"The result of each case is that of {name}."]
    same = [f"The results of all other cases are those of {name}.", ""] if usual else []
    return [*same, *table("case | stock | with the series | what the stock kernel does", rows)]


def programs(data: Data) -> list[str]:
    tested = dict(data.get("selftests", {}))
    script = tested.pop(test_hmm_sh.NAME, {})
    lines = ["The kernel's own selftests, each in its own boot:", "",
             *table("program | from | stock | with the series", (
                 (name, "the stock tree" if found["tree"] == "stock" else "the series",
                  *(count(found[kernel].values()) if kernel in found else "-"
                    for kernel in (STOCK, PATCHED)))
                 for name, found in tested.items()))] if tested else []
    if script:
        counts = "; ".join(f"{kernel} {count(script[kernel].values())}"
                           for kernel in (STOCK, PATCHED) if kernel in script)
        lines.append(f"\n{test_hmm_sh.NAME}, outside a guest, with stubs for modprobe, modinfo, id "
                     f"and the programs: {counts}.")
    lines += [f"\n{name} runs without `{test}`: {reason}."
              for name, found in tested.items() for test, reason in found["left_out"].items()]
    lines += [f"\n{name} on stock with only the patches that add tests: {count(found.values())}."
              for name, found in data.get("before", {}).items()]
    return [*lines, ""] if lines else []


def mutants(stack: Stack, kept: Data) -> list[str]:
    if not kept:
        return []
    killed, survivors = kept["killed"], kept["survivors"]
    rest = f"; not {', '.join(survivors)}" if survivors else ""
    return [f"`make mutants {stack.command}` on {kept['date']}, {kept['source']}: the tests caught "
            f"{len(killed)} of {len(killed) + len(survivors)} mutants{rest}.", "",
            *table("mutant | caught by", killed.items()), ""]


def model(data: Data) -> list[str]:
    return ["## Models of the traversal", "", f"`make model` on {data['date']}; {data['tools']}.",
            "", *table("name | must come out | came out | states", data["found"]),
            ""] if data else []


# docs/bench.md

def measured(data: Data, *calls: str) -> Iterator[tuple[str, list[str], int, int]]:
    """Yield call, values, and cost on stock and with the series of "CALL NAME=VALUE..." rows."""
    for row, (before, after) in data["rows"].items():
        call, *values = re.split(r" \w+=", row)
        if call in calls:
            yield call, values, before, after


def costs(found: Records) -> list[str]:
    lines: list[str] = []
    for stack, data in found.items():
        missed, rows, late = "; ".join(data["missed"]), data["rows"], data.get("without", {})
        lines += [
            f"## {stack.name}: {data['source']}", "", f"{ran(f'bench {stack.command}', data)}.", "",
            f"Missed limits: {missed}." if missed else LIMITS, "",
            "![cost by mappings, by position of the refuser and by notifiers]"
            f"(bench/{stack.name}.svg)", "",
            "### No notifier refuses", "",
            *table("call | hlist notifiers | interval notifier | stock | with the series | ratio", (
                (call, hlist, "yes" if interval == "1" else "no", before, after,
                 f"{after / before:.3f}")
                for call, (hlist, interval), before, after in measured(data, *SUCCESS))), "",
            "### A notifier refuses every mapping", "",
            *table("mappings | hlist notifiers | refuser | stock | with the series | times cheaper "
                   "| without oom-ask-before-gather | lines logged, stock | with the series", (
                (int(vmas), hlist, refuser, before, after, f"{before / after:.1f}",
                 late.get(f"reap {which}", ""), *rows[f"lines {which}"])
                for _, (vmas, hlist, refuser), before, after in measured(data, "reap")
                for which in [f"vmas={vmas} hlist={hlist} refuser={refuser}"])), "",
            "### No notifier", "",
            *table("mappings | pages | stock | with the series | the first of 8 refuses | ratio", (
                (int(vmas), int(pages), before, after, first, f"{first / after:.2f}")
                for _, (vmas, pages), before, after in measured(data, "zap")
                for first in rows[f"reap vmas={vmas} hlist=8 refuser=0"][1:])), "",
            "### Registration of one more notifier", "",
            *table("hlist notifiers | address of the new one | stock | with the series", (
                (hlist, address, before, after)
                for _, (hlist, address), before, after in measured(data, "register"))), "",
            "### A memory cgroup runs out of memory", "",
            *table("hlist notifiers | refuser | stock | with the series", (
                (hlist, "none" if refuser == NO_REFUSER else refuser, before, after)
                for _, (hlist, refuser), before, after in measured(data, "oom"))), "",
            "### Structures, in bytes", "",
            *table("struct | stock | with the series",
                   ((name, *pair) for name, pair in data["sizes"].items())), ""]
    return lines


def field(data: Data) -> list[str]:
    """Give the tables of the kernels, and of what the kit says on each machine."""
    if not data:
        return ["Not run."]
    kernels = data["kernels"]
    machines = {machine: ["; ".join(dict.fromkeys(
        row["machines"][machine] for row in kernels.values()
        if (row["verdict"] == "not-affected") == cured)) for cured in (False, True)]
        for machine in next(iter(kernels.values()))["machines"]}
    absent = ", ".join(data["without_headers"])
    return [
        f"`make field` on {data['date']}; Debian {data['system']}; {data['qemu']}, two CPUs.", "",
        *table("kernel | package | gcc | safe mode: pass/fail/skip | verdict | lines logged "
               "| seconds | left behind | `--all`: pass/fail/skip | unloaded after `--all` "
               "| machines right", (
                   (name, row["source"], row["gcc"], row["safe"], row["verdict"], row["lines"],
                    f"{row['seconds']:.1f}", row["left"], row["all"],
                    "yes" if row["unloaded"] else "no", row["right"])
                   for name, row in kernels.items())), "",
        *table("boot and machine | affected kernels | with the series", (
            (machine, *ends) for machine, ends in machines.items())), "",
        f"Not tried: {absent}. Debian has images of these kernels, and no headers any longer."]
