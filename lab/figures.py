# SPDX-License-Identifier: GPL-2.0-only
"""What docs/bench/ holds, in words: a page of tables, and the line that README.md shows."""

import json
import re
from pathlib import Path
from typing import Any

Data = dict[str, Any]
SUCCESS = re.compile(r"(mprotect|munmap|madvise|fork) hlist=(\d+) interval=([01])$")
REAP = re.compile(r"reap vmas=(\d+) hlist=(\d+) refuser=(\d+)$")
OOM = re.compile(r"oom hlist=(\d+) refuser=(\d+)$")
NOBODY = str(2**32 - 1)


def read(root: Path) -> dict[str, Data]:
    """Read what `make bench` has left, by base; the newest kernel first."""
    found = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in (root / "docs/bench").glob("*.json")}
    return dict(sorted(found.items(), key=lambda item: [int(part) for part in item[0].split(".")], reverse=True))


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
        lines += ["Not reached: " + "; ".join(data["missed"]) + "." if data["missed"] else "All numbers are reached.", ""]
        lines += [f"![refused reaping](bench/{base}.svg)", "", "### Nobody refuses", "",
                  "| call | hlist notifiers | interval notifier | stock | with the series | ratio |", "|---|---|---|---|---|---|"]
        for name, (stock, patched) in data["rows"].items():
            if match := SUCCESS.match(name):
                lines.append(f"| {match[1]} | {match[2]} | {'yes' if match[3] == '1' else 'no'} | {stock:,} | {patched:,} | {patched / stock:.3f} |")
        lines += ["", "### Every mapping is refused", "", "The refuser's place is that in the walk, from 0.", "",
                  "| mappings | hlist notifiers | refuser | stock | with the series | times cheaper | lines logged, stock | with the series |",
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
