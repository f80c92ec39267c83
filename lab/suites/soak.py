# SPDX-License-Identifier: GPL-2.0-only
"""The suites of `soak`: races on several CPUs (mn-soak), and real drivers (mn-users)."""

import re
from typing import Any

from lab.engines.boot import APPEND, Machine
from lab.judge.ktap import Results, not_whole
from lab.judge.verdict import Logs, Verdict, all_pass
from lab.suites.suite import KIT, Builds, Expect, Suite

USERS, RACE = "mn-users", "mn-soak"
BUILDS: Builds = {**KIT, "proof/soak": ("mn_kvm.ko", USERS, RACE)}
# For KVM's timers: no vCPU runs without a TSC frequency, which a busy host keeps from measuring.
# On PREEMPT_RT, KVM wants a constant TSC, which QEMU does not show.
USERS_CLOCK = "tsc_early_khz=1000000 setcpuid=constant_tsc"
# A case may be skipped because of the addresses that the allocator gives.
ADDRESSES = r"no session of the kit comes (?:before|behind) KVM's notifier"
# More CPUs than the host may have: where a CPU is preempted in the middle, others go on.
CPUS = 4
CLOCK = "tsc=reliable"  # else ticks get lost while a CPU waits, and a guest's seconds are too long
WORKERS = 3
SLOW = 1800.0  # seconds that a guest may take on a kernel that checks itself
FIGURES = ("rounds", "oom_kills", "refused_reaps", "refused_ranges", "pairs", "actions", "added",
           "removed", "reads", "failures")

Figures = dict[str, int]


class Users(Suite):
    """mn-users: each case passes, or is skipped for a reason that `may_skip` has."""

    name = USERS
    seconds = SLOW
    builds = BUILDS
    line = f"{USERS_CLOCK} lab.run=/soak/{USERS},/kit/mn_kit.ko,/soak/mn_kvm.ko"

    def __init__(self, may_skip: str = "") -> None:
        self.may_skip = re.compile("|".join(filter(None, (ADDRESSES, may_skip))))

    def judge(self, logs: Logs, expect: Expect) -> Verdict:
        verdict = super().judge(logs, expect)
        return all_pass(verdict, [name for name, reason in verdict.reasons.items()
                                  if self.may_skip.match(reason)])


class Race(Suite):
    """mn-soak: refused reaps in some seconds of races; no figure is missing, none is zero."""

    name = RACE
    machine = Machine(cpus=CPUS, append=f"{APPEND} {CLOCK}")
    builds = BUILDS

    def __init__(self, seconds: int, seed: int, watches: str = "") -> None:
        self.line = f"lab.run=/soak/{RACE},/kit/mn_kit.ko,{WORKERS},{seconds},{seed}"
        self.seconds = seconds * 4 + SLOW
        self.watches = watches

    def details(self) -> dict[str, Any]:
        return {"watches": self.watches}

    def read(self, logs: Logs) -> Results:
        figures = parse(logs.results)
        wrong = [line for line in logs.results.splitlines() if line.startswith("worker ")]
        wrong += [f"{name} is {figures[name]}" for name in FIGURES
                  if name in figures and bool(figures[name]) == (name == "failures")]
        status = 1 if figures.get("failures") else 0
        incomplete = not_whole(logs.results, f"lab: {RACE} exited {status}")
        if self.watches not in logs.console:
            incomplete = f"the kernel does not report that it checks itself: {self.watches}"
        elif not incomplete and tuple(figures) != FIGURES:
            missing = ", ".join(sorted(set(FIGURES) - set(figures))) or "what was asked for"
            incomplete = f"no figure of {missing}"
        return Results({RACE: "fail" if wrong else "pass"}, {RACE: "\n".join(wrong)},
                       incomplete="; ".join([incomplete, *wrong]) if incomplete else "")

    def compare(self, verdict: Verdict, expect: Expect) -> list[str]:
        verdict.unexpected = verdict.failed()
        return verdict.reasons[RACE].splitlines()


def parse(results: str) -> Figures:
    figures = re.findall(r"^soak (\w+) (\d+)\r?$", results, re.MULTILINE)
    return {name: int(value) for name, value in figures}
