# SPDX-License-Identifier: GPL-2.0-only
"""What a run leaves for people (a table) and for machines (report.json, report.ktap)."""

import json
import re
from collections.abc import Mapping, Sequence

from lab.data import Case
from lab.results import Verdict

NAMED = 14  # failures named in the table; all are in report.json
COUNTED = ("pass", "fail", "skip")


def group(name: str) -> str:
    """Give the group of a case: its name up to the first - _ or /."""
    return re.split(r"[-_/]", name, maxsplit=1)[0]


def columns(table: Sequence[Sequence[str]]) -> list[str]:
    """Line the cells of a table up: first column to the left, others to the right."""
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    return [
        "  ".join(cell.rjust(width) if column else cell.ljust(width)
                  for column, (cell, width) in enumerate(zip(row, widths, strict=True))).rstrip()
        for row in table
    ]


def count(verdict: Verdict, names: Sequence[str]) -> list[str]:
    """Count passes, failures and skips among the names; "." is none."""
    found = [verdict.outcomes.get(name, "none") for name in names]
    return [str(found.count(word) or ".") for word in COUNTED]


def before_after(title: str, cases: Mapping[str, Case], stock: Verdict, patched: Verdict) -> str:
    """Give the before/after table: counts by group, then what fails on stock by name."""
    groups = sorted({group(name) for name in cases})
    if len(groups) > 6:
        groups = []
    table = [["", "stock", "", "", "  patched", "", ""], ["cases", *COUNTED, *COUNTED]]
    for each in groups:
        names = [name for name in cases if group(name) == each]
        table.append([each, *count(stock, names), *count(patched, names)])
    table.append(["all", *count(stock, list(cases)), *count(patched, list(cases))])
    lines = [title, *(f"  {line}" for line in columns(table))]
    failed = stock.failed()
    cured = [name for name in failed if patched.outcomes.get(name) == "pass"]
    lines.append(f"  {len(failed)} fail on stock, {len(cured)} of them pass with the series:")
    width = max((len(name) for name in failed), default=0)
    for name in failed[:NAMED]:
        lines.append(f"    {name.ljust(width)}  {stock.reasons.get(name, '')[:110 - width]}".rstrip())
    if len(failed) > NAMED:
        lines.append(f"    and {len(failed) - NAMED} more, see report.json")
    return "\n".join(lines)


def as_json(about: Mapping[str, object], verdicts: Mapping[str, Verdict]) -> str:
    """Give report.json: what was run, and every flavour's verdict in full."""
    flavours = {
        flavour: {
            "status": verdict.status.value,
            "cases": {
                name: {"result": outcome, "reason": verdict.reasons.get(name, ""), "expected": name not in verdict.unexpected}
                for name, outcome in verdict.outcomes.items()
            },
            "splats": [{"line": splat.line, "case": splat.case, "allowed": splat.allowed} for splat in verdict.splats],
            "problems": verdict.problems,
        }
        for flavour, verdict in verdicts.items()
    }
    return json.dumps({**about, "flavours": flavours}, indent=2) + "\n"


def as_ktap(verdicts: Mapping[str, Verdict]) -> str:
    """Give report.ktap: a subtest a flavour; "ok" is "as expected of this flavour"."""
    lines = ["KTAP version 1", f"1..{len(verdicts)}"]
    for number, (flavour, verdict) in enumerate(verdicts.items(), 1):
        lines += ["    KTAP version 1", f"    1..{len(verdict.outcomes)}"]
        for index, (name, outcome) in enumerate(verdict.outcomes.items(), 1):
            word = "not ok" if name in verdict.unexpected else "ok"
            if outcome == "fail":
                lines.append(f"    # {name} fails: {verdict.reasons.get(name, '')}")
            lines.append(f"    {word} {index} {name}{' # SKIP' if outcome == 'skip' else ''}")
        lines += [f"# {problem}" for problem in verdict.problems]
        lines.append(f"{'not ok' if verdict.status else 'ok'} {number} {flavour}")
    return "\n".join(lines) + "\n"
