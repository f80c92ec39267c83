# SPDX-License-Identifier: GPL-2.0-only
"""The records of bench and soak in words: tables, and the lines of docs/status.md."""

import re
from typing import Any

from lab.kernel.bases import Stack

Data = dict[str, Any]
Records = dict[Stack, Data]
SUCCESS = re.compile(r"(mprotect|munmap|madvise|fork) hlist=(\d+) interval=([01])$")
REAP = re.compile(r"reap vmas=(\d+) hlist=(\d+) refuser=(\d+)$")
OOM = re.compile(r"oom hlist=(\d+) refuser=(\d+)$")
NO_REFUSER = str(2**32 - 1)
# The limits that bench judges by.
LIMITS = ("All limits are met. Without a refusal: at most 1.000 times stock's instructions. With "
          "1,000 mappings and 8 notifiers: at least 10 times fewer instructions if the first "
          "notifier refuses, 5 times fewer if another one does. A refusal logs no line, and no "
          "structure changes its size. The cost of an OOM kill has no limit.")


def table(*columns: str) -> list[str]:
    """Begin a table."""
    return [f"| {' | '.join(columns)} |", "|" + "---|" * len(columns)]


def row(*cells: str | int) -> str:
    """Give a row of a table; numbers get commas."""
    shown = (f"{cell:,}" if isinstance(cell, int) else cell for cell in cells)
    return f"| {' | '.join(shown)} |"


def ran(verb: str, data: Data) -> str:
    """Say what was run, when and with which tools."""
    return f"`make {verb}` on {data['date']}; {data['compiler']}; {data['qemu']}"


def cost(stack: Stack, data: Data) -> str:
    """Give the cost of success, and how much cheaper a refusal is."""
    rows = data["rows"]
    success = max(after / before for name, (before, after) in rows.items() if SUCCESS.match(name))
    cheaper = [before / after for name, (before, after) in rows.items()
               if name.startswith("reap vmas=1000 hlist=8 ")]
    return (f"On {stack.name}, an invalidation without a refusal executes at most {success:.3f} "
            "times stock's instructions. A refused reaping of 1,000 mappings with 8 notifiers "
            f"executes {min(cheaper):.0f} to {max(cheaper):.0f} times fewer "
            "([figures](bench.md)).")


def costs(found: Records) -> list[str]:
    """Give the tables of each stack that was measured."""
    lines: list[str] = []
    for stack, data in found.items():
        missed = "; ".join(data["missed"])
        rows = data["rows"].items()
        lines += [f"## {stack.name}: {data['source']}", "",
                  f"{ran(f'bench {stack.command}', data)}.", "",
                  f"Missed limits: {missed}." if missed else LIMITS, "",
                  "![cost by mappings, by position of the refuser and by notifiers]"
                  f"(bench/{stack.name}.svg)", "", "### No notifier refuses", "",
                  *table("call", "hlist notifiers", "interval notifier", "stock",
                         "with the series", "ratio")]
        lines += [row(match[1], match[2], "yes" if match[3] == "1" else "no", before, after,
                      f"{after / before:.3f}")
                  for name, (before, after) in rows if (match := SUCCESS.match(name))]
        lines += ["", "### A notifier refuses every mapping", "",
                  "The refuser's position counts from 0, in the order of the calls.", "",
                  *table("mappings", "hlist notifiers", "refuser", "stock", "with the series",
                         "times cheaper", "lines logged in one call, stock", "with the series")]
        lines += [row(int(match[1]), match[2], match[3], before, after, f"{before / after:.1f}",
                      *data["rows"][name.replace("reap", "lines", 1)])
                  for name, (before, after) in rows if (match := REAP.match(name))]
        lines += ["", "### A memory cgroup runs out of memory", "",
                  "Counted from the last page that the victim gets until its memory is free.", "",
                  *table("hlist notifiers", "refuser", "stock", "with the series")]
        lines += [row(match[1], "none" if match[2] == NO_REFUSER else match[2], before, after)
                  for name, (before, after) in rows if (match := OOM.match(name))]
        lines += ["", "### Structures, in bytes", "", *table("struct", "stock", "with the series")]
        lines += [*(row(name, *pair) for name, pair in data["sizes"].items()), ""]
    return lines


def soaked(stack: Stack, data: Data) -> str:
    """Give what a campaign has found."""
    kernels = data["kernels"].values()
    refused = sum(one["figures"].get("refused_reaps", 0) for one in kernels)
    wrong = sum(len(one["wrong"]) for one in kernels)
    found = f"{wrong} problems" if wrong else "no unbalanced range, no late callback and no splat"
    return (f"On {stack.name} kernels with {', '.join(data['kernels'])}, {refused:,} reaps were "
            "refused while notifiers came and went. "
            f"This showed {found} ([campaign](results.md)).")


def campaigns(found: Records) -> list[str]:
    """Give the tables of each campaign."""
    lines: list[str] = []
    for stack, data in found.items():
        kernels = list(data["kernels"].values())
        verb = f"soak {stack.command} DURATION={data['seconds']}"
        lines += [f"## Campaign on {stack.name}: {data['source']}", "",
                  f"{ran(verb, data)}, `{data['machine']}`.", "",
                  *(f"Missed: {line}." for line in data["missed"]), *table("", *data["kernels"])]
        lines += [row(test, *(one["tests"].get(test, "-") for one in kernels))
                  for test in dict.fromkeys(test for one in kernels for test in one["tests"])]
        lines += [row(figure.replace("_", " "), *(one["figures"].get(figure, 0) for one in kernels))
                  for figure in kernels[0]["figures"]]
        lines += ["", *(f"- {name}: {line}" for name, one in data["kernels"].items()
                        for line in one["wrong"]), ""]
    return lines
