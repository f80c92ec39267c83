# SPDX-License-Identifier: GPL-2.0-only
"""The suite of `bench`: proof/bench counts instructions around the notifiers."""

import re

from lab.base.data import ROOT
from lab.engines.boot import Machine
from lab.judge.console import splats, unusable
from lab.judge.verdict import Logs, Verdict, hung
from lab.kernel.kernel import Kernel
from lab.suites.suite import Expect, Suite

PRODUCTS = ("mn_bench.ko", "mn-bench")
FILES = """\
dir /bench 755 0 0
file /bench/mn_bench.ko {bench}/mn_bench.ko 644 0 0
file /bench/mn-bench {bench}/mn-bench 755 0 0
"""
# One CPU, and a virtual nanosecond, so a tick of the TSC, for each instruction. No random number
# and no clock of the host.
OPTIONS = ("-icount", "shift=0,sleep=off", "-rtc", "base=2026-01-01,clock=vm", "-seed", "1")
# Warnings are printed, information is not: a line costs printk, not a serial line. No address is
# random.
APPEND = "console=ttyS0 loglevel=6 reboot=t panic=-1 norandmaps"

Rows = dict[str, int]


class Bench(Suite):
    """mn-bench: rows of instructions."""

    name = "mn-bench"
    seconds = 1500.0
    machine = Machine(cpus=1, append=APPEND, options=OPTIONS)

    def contents(self, kernel: Kernel) -> str:
        """Build module and program."""
        kernel.programs(ROOT / "proof/bench", PRODUCTS)
        return FILES.format(bench=(kernel.place / "bench").absolute())

    def words(self) -> str:
        """Run the program."""
        return "lab.run=/bench/mn-bench,/bench/mn_bench.ko"

    def judge(self, logs: Logs, expect: Expect) -> Verdict:
        """Expect whole rows, and a loop that took a tick for each instruction."""
        rows = parse(logs.results)
        lines = logs.results.replace("\r", "").split("\n")
        guest = hung(logs) + [f"splat: {line}" for line in splats(logs.console)]
        incomplete = unusable(logs.console)
        if not incomplete and lines[-3:] != [f"rows {len(rows)}", f"lab: {self.name} exited 0", ""]:
            incomplete = f"the results are not whole: they end in {' / '.join(lines[-3:])!r}"
        if not incomplete:
            name, ticks = next(iter(rows.items()), ("", 0))
            loop = re.fullmatch(r"calibrate instructions=(\d+)", name)
            if not loop or abs(ticks - int(loop[1])) * 1000 > ticks:
                incomplete = f"not a tick for each instruction: {name or 'no loop'} took {ticks}"
        return Verdict(outcomes=dict.fromkeys(rows, "pass")).conclude(guest, incomplete)


def parse(results: str) -> Rows:
    """Give the rows of a boot: name and instructions."""
    lines = results.replace("\r", "").split("\n")
    return {match[1]: int(match[2]) for line in lines
            if (match := re.match(r"(\w+ \S+=.*) (\d+)$", line))}
