# SPDX-License-Identifier: GPL-2.0-only
"""The suite of `bench`: proof/bench counts instructions around the notifiers."""

import re

from lab.engines.boot import Machine
from lab.judge.ktap import Results, not_whole
from lab.judge.verdict import Logs
from lab.suites.suite import Suite

# One CPU, and a virtual nanosecond, so a tick of the TSC, for each instruction. No random number
# and no clock of the host.
OPTIONS = ("-icount", "shift=0,sleep=off", "-rtc", "base=2026-01-01,clock=vm", "-seed", "1")
# Warnings are printed, information is not: a line costs printk, not a serial line. No address is
# random.
APPEND = "loglevel=6 reboot=t panic=-1 norandmaps"

Rows = dict[str, int]


class Bench(Suite):
    """mn-bench: whole rows, and a loop that took a tick for each instruction."""

    name = "mn-bench"
    seconds = 1500.0
    machine = Machine(cpus=1, append=APPEND, options=OPTIONS)
    builds = {"proof/bench": ("mn_bench.ko", name)}
    line = f"lab.run=/bench/{name},/bench/mn_bench.ko"

    def read(self, logs: Logs) -> Results:
        rows = parse(logs.results)
        wrong = not_whole(logs.results, f"rows {len(rows)}", f"lab: {self.name} exited 0")
        name, ticks = next(iter(rows.items()), ("no loop", 0))
        loop = re.fullmatch(r"calibrate instructions=(\d+)", name)
        if not loop or abs(ticks - int(loop[1])) * 1000 > ticks:
            wrong = wrong or f"not a tick for each instruction: {name} took {ticks}"
        return Results(dict.fromkeys(rows, "pass"), incomplete=wrong)


def parse(results: str) -> Rows:
    rows = re.findall(r"^(\w+ \S+=.*) (\d+)\r?$", results, re.MULTILINE)
    return {name: int(value) for name, value in rows}
