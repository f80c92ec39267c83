# SPDX-License-Identifier: GPL-2.0-only
"""What docs/bench/ and docs/soak/ hold, in words: tables, and the lines that README.md shows."""

import json
import re
from pathlib import Path
from typing import Any

Data = dict[str, Any]
SUCCESS = re.compile(r"(mprotect|munmap|madvise|fork) hlist=(\d+) interval=([01])$")
REAP = re.compile(r"reap vmas=(\d+) hlist=(\d+) refuser=(\d+)$")
OOM = re.compile(r"oom hlist=(\d+) refuser=(\d+)$")
NOBODY = str(2**32 - 1)
# In the words of bench.judge().
LIMITS = ("All limits are met: at most 1.000 times stock's instructions where nobody refuses; with 1,000 mappings and 8 notifiers at least 10 times "
          "fewer if the first refuses, 5 times if another does; no line logged; no structure of another size. What an OOM kill takes has no limit.")


def read(root: Path, verb: str) -> dict[str, Data]:
    """Read what a verb, bench or soak, has left, by base; the newest kernel first."""
    found = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in (root / "docs" / verb).glob("*.json")}
    return dict(sorted(found.items(), key=lambda item: [int(part) for part in re.findall(r"\d+", item[0])], reverse=True))


def summary(base: str, data: Data) -> str:
    """Say what success costs and how much cheaper a refusal is."""
    rows = data["rows"]
    success = max(patched / stock for name, (stock, patched) in rows.items() if SUCCESS.match(name))
    cheaper = [stock / patched for name, (stock, patched) in rows.items() if name.startswith("reap vmas=1000 hlist=8 ")]
    return (f"on {base} an invalidation that nobody refuses takes at most {success:.3f} times stock's instructions, and a refused "
            f"reaping of 1,000 mappings beside 8 notifiers {min(cheaper):.0f} to {max(cheaper):.0f} times fewer ([figures](docs/bench.md))")


def pages(found: dict[str, Data]) -> list[str]:
    """Give the tables of each base."""
    lines: list[str] = []
    for base, data in found.items():
        lines += [f"## {base}: {data['source']}", "", f"`make bench BASE={base}` on {data['date']}; {data['compiler']}; {data['qemu']}.", ""]
        lines += ["Not reached: " + "; ".join(data["missed"]) + "." if data["missed"] else LIMITS, ""]
        lines += [f"![cost, by mappings, by place and by notifiers](bench/{base}.svg)", "", "### Nobody refuses", "",
                  "| call | hlist notifiers | interval notifier | stock | with the series | ratio |", "|---|---|---|---|---|---|"]
        for name, (stock, patched) in data["rows"].items():
            if match := SUCCESS.match(name):
                lines.append(f"| {match[1]} | {match[2]} | {'yes' if match[3] == '1' else 'no'} | {stock:,} | {patched:,} | {patched / stock:.3f} |")
        lines += ["", "### Every mapping is refused", "", "The refuser's place is that in the walk, from 0.", "",
                  "| mappings | hlist notifiers | refuser | stock | with the series | times cheaper | lines logged in one call, stock | with the series |",
                  "|---|---|---|---|---|---|---|---|"]
        for name, (stock, patched) in data["rows"].items():
            if match := REAP.match(name):
                logged = data["rows"][name.replace("reap", "lines", 1)]
                lines.append(f"| {int(match[1]):,} | {match[2]} | {match[3]} | {stock:,} | {patched:,} | {stock / patched:.1f} | "
                             f"{logged[0]:,} | {logged[1]} |")
        lines += ["", "### A memory cgroup runs out of memory", "", "From the last page the victim gets until its memory is free.", "",
                  "| hlist notifiers | refuser | stock | with the series |", "|---|---|---|---|"]
        for name, (stock, patched) in data["rows"].items():
            if match := OOM.match(name):
                lines.append(f"| {match[1]} | {'nobody' if match[2] == NOBODY else match[2]} | {stock:,} | {patched:,} |")
        lines += ["", "### Structures, in bytes", "", "| struct | stock | with the series |", "|---|---|---|"]
        lines += [f"| {name} | {stock} | {patched} |" for name, (stock, patched) in data["sizes"].items()]
        lines.append("")
    return lines


def total(data: Data, figure: str) -> int:
    """Add a figure up over the kernels of a campaign."""
    return sum(part["figures"].get(figure, 0) for part in data["kernels"].values())


def soaked(base: str, data: Data) -> str:
    """Say what a campaign has found."""
    wrong = sum(len(part["wrong"]) for part in data["kernels"].values())
    return (f"{total(data, 'refused_reaps'):,} refused reaps on {base}, while notifiers came and went, on kernels with "
            f"{', '.join(data['kernels'])}, gave {f'complaints: {wrong}' if wrong else 'no unbalanced range, no late callback and no splat'} "
            "([campaign](docs/results.md))")


def campaigns(found: dict[str, Data]) -> list[str]:
    """Give the tables of each campaign."""
    lines: list[str] = []
    for base, data in found.items():
        lines += [f"## Campaign on {base}: {data['source']}", "",
                  f"`make soak BASE={base} DURATION={data['seconds']}` on {data['date']}; {data['compiler']}; {data['qemu']}, `{data['machine']}`.", ""]
        lines += [f"Missed: {line}." for line in data["missed"]]
        kernels = list(data["kernels"].values())
        lines += [f"| | {' | '.join(data['kernels'])} |", f"|{'---|' * (len(kernels) + 1)}"]
        for test in dict.fromkeys(test for part in kernels for test in part["tests"]):
            lines.append(f"| {test} | {' | '.join(part['tests'].get(test, '-') for part in kernels)} |")
        for figure in kernels[0]["figures"]:
            cells = [f"{part['figures'].get(figure, 0):,}" for part in kernels]
            lines.append(f"| {figure.replace('_', ' ')} | {' | '.join(cells)} |")
        lines += ["", *(f"- {name}: {line}" for name, part in data["kernels"].items() for line in part["wrong"]), ""]
    return lines
