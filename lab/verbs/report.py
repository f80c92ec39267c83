# SPDX-License-Identifier: GPL-2.0-only
"""What `run` leaves for people (a table) and for machines (report.json, report.ktap)."""

from collections.abc import Mapping, Sequence
from typing import Any

from lab.judge.console import LATE
from lab.judge.verdict import COUNTED, Verdict, summary
from lab.suites.kit import Cases


def columns(table: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    return ["  ".join(cell.rjust(width) if column else cell.ljust(width) for column, (cell, width)
                      in enumerate(zip(row, widths, strict=True))).rstrip() for row in table]


def count(verdict: Verdict, names: Sequence[str]) -> list[str]:
    found = [verdict.outcomes.get(name, "none") for name in names]
    return [str(found.count(word) or ".") for word in COUNTED]


def selftest(name: str, verdicts: Mapping[str, Verdict], left_out: Mapping[str, str]) -> str:
    """Give what a program had on each kernel, and what was left out."""
    counts = "; ".join(f"{kernel} {summary(verdict)}" for kernel, verdict in verdicts.items())
    differs = any(verdict.status for verdict in verdicts.values())
    word = "" if len(verdicts) == 1 else ": NOT the same" if differs else ": same"
    without = [f"    without {test}: {reason}" for test, reason in left_out.items()]
    return "\n".join([f"{name}: {counts}{word}", *without])


def example(stock: Verdict, names: Sequence[str]) -> str:
    """Name a case that fails on stock, best one with a splat, and count the others."""
    failed = [name for name in names if stock.outcomes.get(name) == "fail"]
    if not failed:
        return ""
    complained = {splat.case for splat in stock.splats}
    chosen = next((name for name in failed if name in complained), failed[0])
    more = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
    return f"    {chosen}: {stock.reasons.get(chosen, '')}{more}"


def before_after(title: str, patches: Sequence[str], cases: Cases, stock: Verdict,
                 patched: Verdict) -> str:
    """Give the before/after table: a row for the cases of each patch, and all cases."""
    groups = {slug: [name for name, case in cases.items() if case.cures[:1] == (slug,)]
              for slug in patches}
    groups["(needs no patch)"] = [name for name, case in cases.items()
                                  if case.cures[:1] not in [(slug,) for slug in patches]]
    groups["all cases"] = list(cases)
    groups = {group: names for group, names in groups.items() if names}
    rows = [[group, *count(stock, names), "|", *count(patched, names)]
            for group, names in groups.items()]
    header, *body = columns([["cases that need the patch", *COUNTED, "|", *COUNTED], *rows])
    before = header.index("|") - 1
    above = "stock".rjust(before - 2) + "   patched".rjust(len(header) - before + 1)
    lines = [title, f"  {above}", f"  {header}"]
    for (group, names), line in zip(groups.items(), body, strict=True):
        found = example(stock, names) if group in patches else ""
        lines += [f"  {line}", *([found] if found else [])]
    if stock.splats:
        hung = [splat.line for splat in stock.splats if LATE.search(splat.line)]
        lines.append(f"  splats of the stock kernel: {len(stock.splats)}, "
                     f"{len(hung)} of them of a hung task")
        lines += [f"    {line}" for line in hung[-1:]]
    return "\n".join(lines)


def as_json(verdict: Verdict) -> dict[str, Any]:
    cases = {name: {"result": outcome, "reason": verdict.reasons.get(name, ""),
                    "expected": name not in verdict.unexpected}
             for name, outcome in verdict.outcomes.items()}
    splats = [{"line": splat.line, "case": splat.case, "allowed": splat.allowed}
              for splat in verdict.splats]
    return {"status": verdict.status.value, "cases": cases, "splats": splats,
            "problems": verdict.problems}


def as_ktap(verdicts: Mapping[str, Verdict]) -> str:
    """Give report.ktap: a subtest for each boot; "ok" is "as expected of it"."""
    lines = ["KTAP version 1", f"1..{len(verdicts)}"]
    for number, (title, verdict) in enumerate(verdicts.items(), 1):
        lines += ["    KTAP version 1", f"    1..{len(verdict.outcomes)}"]
        for index, (name, outcome) in enumerate(verdict.outcomes.items(), 1):
            word = "not ok" if name in verdict.unexpected else "ok"
            if outcome == "fail":
                lines.append(f"    # {name} fails: {verdict.reasons.get(name, '')}")
            lines.append(f"    {word} {index} {name}{' # SKIP' if outcome == 'skip' else ''}")
        lines += [f"# {problem}" for problem in verdict.problems]
        lines.append(f"{'not ok' if verdict.status else 'ok'} {number} {title}")
    return "\n".join(lines) + "\n"
