# SPDX-License-Identifier: GPL-2.0-only
"""The suites of `soak`: races on several CPUs (mn-soak), and real drivers (mn-users)."""

import re
from typing import Any

from lab.base.data import ROOT
from lab.engines.boot import APPEND, Machine
from lab.judge.console import splats, unusable
from lab.judge.verdict import Logs, Verdict, all_pass, hung
from lab.kernel.kernel import Kernel
from lab.suites import selftests
from lab.suites.suite import KIT_FILES, KIT_PRODUCTS, Expect, Suite

USERS, RACE = "mn-users", "mn-soak"
PRODUCTS = ("mn_kvm.ko", USERS, RACE)
FILES = """\
dir /soak 755 0 0
file /soak/mn-soak {soak}/mn-soak 755 0 0
file /soak/mn-users {soak}/mn-users 755 0 0
file /soak/mn_kvm.ko {soak}/mn_kvm.ko 644 0 0
"""
# For KVM's timers: no vCPU runs without a TSC frequency, which a busy host keeps from measuring.
USERS_CLOCK = "tsc_early_khz=1000000"
# A case may be skipped because of the addresses that the allocator gives.
ADDRESSES = r"no session of the kit comes (?:before|behind) KVM's notifier"
# More CPUs than the host may have: where a CPU is preempted in the middle, others go on.
CPUS = 4
CLOCK = "tsc=reliable"  # else ticks get lost while a CPU waits, and a guest's seconds are too long
WORKERS = 3
SLOW = 1800.0  # seconds that a guest may take on a kernel that checks itself
FIGURE = re.compile(r"soak (\w+) (\d+)$")
FIGURES = ("rounds", "oom_kills", "refused_reaps", "refused_ranges", "pairs", "actions", "added",
           "removed", "reads", "failures")

Figures = dict[str, int]


def contents(kernel: Kernel) -> str:
    """Build the kit and the programs of proof/soak."""
    kernel.programs(ROOT / "kit", KIT_PRODUCTS)
    kernel.programs(ROOT / "proof/soak", PRODUCTS)
    place = kernel.place.absolute()
    return KIT_FILES.format(kit=place / "kit") + FILES.format(soak=place / "soak")


class Users(Suite):
    """mn-users: each case passes, or is skipped for a reason that `may_skip` has."""

    name = USERS
    seconds = SLOW

    def __init__(self, may_skip: str = "") -> None:
        self.may_skip = re.compile("|".join(filter(None, (ADDRESSES, may_skip))))

    def contents(self, kernel: Kernel) -> str:
        """Build all programs."""
        return contents(kernel)

    def words(self) -> str:
        """Run the program."""
        return f"{USERS_CLOCK} lab.run=/soak/{USERS},/kit/mn_kit.ko,/soak/mn_kvm.ko"

    def judge(self, logs: Logs, expect: Expect) -> Verdict:
        """Expect passes, and skips that are allowed."""
        verdict = selftests.judge(USERS, logs, expect.allowed)
        return all_pass(verdict, [name for name, reason in verdict.reasons.items()
                                  if self.may_skip.match(reason)])


class Race(Suite):
    """mn-soak: refused reaps in some seconds of races; no figure is missing, none is zero."""

    name = RACE
    machine = Machine(cpus=CPUS, append=f"{APPEND} {CLOCK}")

    def __init__(self, seconds: int, seed: int, watches: str = "") -> None:
        self.duration, self.seed, self.watches = seconds, seed, watches
        self.seconds = seconds * 4 + SLOW

    def contents(self, kernel: Kernel) -> str:
        """Build all programs."""
        return contents(kernel)

    def words(self) -> str:
        """Run the program."""
        return f"lab.run=/soak/{RACE},/kit/mn_kit.ko,{WORKERS},{self.duration},{self.seed}"

    def details(self) -> dict[str, Any]:
        """Keep what the judge needs."""
        return {"watches": self.watches}

    def judge(self, logs: Logs, expect: Expect) -> Verdict:
        """Expect every figure, no failure and no splat."""
        lines = logs.results.replace("\r", "").split("\n")
        figures = parse(logs.results)
        allowed = [re.compile(one) for one in expect.allowed]
        guest = hung(logs) + [f"splat: {line}" for line in splats(logs.console, allowed)]
        incomplete = unusable(logs.console)
        if not incomplete and self.watches not in logs.console:
            incomplete = f"the kernel does not report that it checks itself: {self.watches}"
        status = 1 if figures.get("failures") else 0
        if not incomplete and lines[-2:] != [f"lab: {RACE} exited {status}", ""]:
            incomplete = f"the results are not whole: they end in {' / '.join(lines[-2:])!r}"
        if not incomplete and tuple(figures) != FIGURES:
            missing = ", ".join(sorted(set(FIGURES) - set(figures))) or "what was asked for"
            incomplete = f"no figure of {missing}"
        wrong = [line for line in lines if line.startswith("worker ")]
        wrong += [f"{name} is {figures[name]}" for name in FIGURES
                  if name in figures and bool(figures[name]) == (name == "failures")]
        verdict = Verdict(outcomes={RACE: "fail" if wrong else "pass"})
        verdict.unexpected = verdict.failed()
        if incomplete and wrong:
            incomplete = "; ".join([incomplete, *wrong])
        return verdict.conclude(guest, incomplete, wrong)


def parse(results: str) -> Figures:
    """Give the figures of a race."""
    lines = results.replace("\r", "").split("\n")
    return {match[1]: int(match[2]) for line in lines if (match := FIGURE.match(line))}
