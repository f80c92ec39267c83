# SPDX-License-Identifier: GPL-2.0-only
"""The suite "kit": the conformance kit, judged case by case against kit/cases."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lab.base.data import malformed, pattern, rows, slugs
from lab.base.errors import LabError, Status
from lab.judge.console import LATE, Console, is_splat
from lab.judge.ktap import Plan, Results
from lab.judge.verdict import PATCHED, STOCK, Logs, Splat, Verdict
from lab.kernel.bases import OUTCOMES, Base
from lab.suites.suite import KIT, Expect, Suite

FORM = f"`case {'|'.join(OUTCOMES)} slug[,slug]|- [reports=REGEX]`, the only one of its case"
REPORTS = "reports="


@dataclass(frozen=True)
class Case:
    """A case of the kit."""

    name: str
    stock: str  # its outcome on a stock kernel
    cures: tuple[str, ...]  # slugs of the patches each of which it needs
    reports: re.Pattern[str] | None  # matches kernel lines that a patched kernel prints in it

    def may_fail(self, expected: str) -> bool:
        return self.stock == "fail" if expected == STOCK else expected in self.cures


NEVER = "$^"  # matches no reason
RT = "a PREEMPT_RT kernel"  # the module gives such a reason on these kernels only
Cases = Mapping[str, Case]


def read_cases(path: Path, base: Base | None = None) -> dict[str, Case]:
    """Read kit/cases in order, with what a base has otherwise; USAGE names a malformed line."""
    cases: dict[str, Case] = {}
    other = dict(base.stock) if base else {}
    for where, (name, stock, cures, *more) in rows(path, FORM, 3):
        if (stock not in OUTCOMES or name in cases or len(more) > 1
                or not all(word.startswith(REPORTS) for word in more)):
            raise malformed(where, FORM)
        reports = pattern(where, more[0].removeprefix(REPORTS)) if more else None
        cases[name] = Case(name, other.pop(name, stock), slugs(cures), reports)
    if not cases:
        raise LabError(Status.USAGE, f"{path} lists no case")
    if other:
        raise LabError(Status.USAGE, f"{path} has no case {next(iter(other))}",
                       "correct `stock` of the base in series/bases.toml")
    return cases


class Kit(Suite):
    """The kit, or another program with listed cases.

    On stock exactly the cases marked `fail` must fail. Without one patch at least one of the
    cases that it cures must fail, and no other.
    """

    name = "kit"
    builds = KIT
    plan = Plan.FIRST

    def __init__(self, cases: Cases, may_skip: str = RT) -> None:
        self.cases = cases
        self.may_skip = re.compile(may_skip)

    def read(self, logs: Logs) -> Results:
        results = super().read(logs)
        found, cases = results.outcomes, self.cases
        unknown = [f"case {name} is not in kit/cases" for name in found if name not in cases]
        absent = [f"no result of {name}" for name in cases if name not in found]
        results.incomplete = results.incomplete or "; ".join(unknown + absent)
        return results

    def hear(self, console: str, verdict: Verdict, expect: Expect) -> str:
        log, failed_before = Console.parse(console), False
        known = {name for name, case in self.cases.items() if case.may_fail(expect.kernel)}
        reports = {name: case.reports for name, case in self.cases.items()
                   if case.reports and expect.kernel != STOCK}
        for name, line in log.lines:
            failed_before |= name in known and verdict.outcomes.get(name) == "fail"
            if is_splat(line, expect.allowed):
                announced = name in reports and reports[name].search(line)
                late = failed_before and LATE.search(line)
                allowed = bool(name in known or announced or late)
                verdict.splats.append(Splat(line, name, allowed))
        for name, report in reports.items():
            came = any(where == name and report.search(line) for where, line in log.lines)
            if verdict.outcomes.get(name) == "pass" and not came:
                verdict.fail(name, f"the kernel did not report {report.pattern}")
        return log.last_case or "none started"

    def compare(self, verdict: Verdict, expect: Expect) -> list[str]:
        found = []
        for name, outcome in verdict.outcomes.items():
            known = self.cases[name].may_fail(expect.kernel)
            if outcome == "skip":
                fine = (expect.allow_skip or self.cases[name].stock == "skip"
                        or self.may_skip.match(verdict.reasons[name]) is not None)
            elif expect.kernel == STOCK:
                fine = known == (outcome == "fail")
            else:
                fine = outcome == "pass" or known
            if not fine:
                found.append(verdict.deviates(name, "fail" if known else "pass"))
        named = [name for name, case in self.cases.items() if expect.kernel in case.cures]
        single = expect.kernel not in (STOCK, PATCHED)
        if single and not verdict.failed() and (named or not expect.elsewhere):
            listed = ", ".join(named) or "kit/cases names none"
            found.append(f"without {expect.kernel} none of its cases fails ({listed})")
        return found
