# SPDX-License-Identifier: GPL-2.0-only
"""The suite "kit": the conformance kit, judged case by case against kit/cases."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lab.base.data import ROOT, pattern, rows
from lab.base.errors import LabError, Status
from lab.judge import ktap
from lab.judge.console import LATE, Console, is_splat, unusable
from lab.judge.ktap import Plan
from lab.judge.verdict import PATCHED, STOCK, Logs, Splat, Verdict, hung, why
from lab.kernel.bases import OUTCOMES, Base
from lab.kernel.kernel import Kernel
from lab.suites.suite import KIT_FILES, KIT_PRODUCTS, Expect, Suite


@dataclass(frozen=True)
class Case:
    """A case of the kit.

    `stock` is its outcome on a stock kernel; `cures` has the slugs of the patches each of which
    it needs; `reports` matches the kernel lines that a patched kernel prints in it.
    """

    name: str
    stock: str
    cures: tuple[str, ...]
    reports: re.Pattern[str] | None

    def may_fail(self, expected: str) -> bool:
        """Say whether the case is known to fail: on stock, or without one patch."""
        return self.stock == "fail" if expected == STOCK else expected in self.cures


Cases = Mapping[str, Case]


def read_cases(path: Path, base: Base | None = None) -> dict[str, Case]:
    """Read kit/cases in order, with what a base has otherwise; USAGE names a malformed line."""
    cases: dict[str, Case] = {}
    other = dict(base.stock) if base else {}
    for where, words in rows(path):
        if len(words) < 3 or words[1] not in OUTCOMES:
            raise LabError(Status.USAGE, f"{where}: a case is "
                           f"`name {'|'.join(OUTCOMES)} slug[,slug]|- [reports=REGEX]`")
        if words[0] in cases:
            raise LabError(Status.USAGE, f"{where}: case {words[0]} is listed twice")
        reports = None
        for word in words[3:]:
            if not word.startswith("reports="):
                raise LabError(Status.USAGE, f"{where}: {word} is not reports=REGEX")
            reports = pattern(where, word.removeprefix("reports="))
        cures = () if words[2] == "-" else tuple(words[2].split(","))
        cases[words[0]] = Case(words[0], other.pop(words[0], words[1]), cures, reports)
    if not cases:
        raise LabError(Status.USAGE, f"{path} lists no case")
    if other:
        raise LabError(Status.USAGE, f"{path} has no case {next(iter(other))}",
                       "correct `stock` of the base in series/bases.toml")
    return cases


class Kit(Suite):
    """The kit, all of its cases."""

    name = "kit"

    def __init__(self, cases: Cases) -> None:
        self.cases = cases

    def contents(self, kernel: Kernel) -> str:
        """Build module and program."""
        kernel.programs(ROOT / "kit", KIT_PRODUCTS)
        return KIT_FILES.format(kit=(kernel.place / "kit").absolute())

    def judge(self, logs: Logs, expect: Expect) -> Verdict:
        """Judge a boot of the kit."""
        return judge(logs, self.cases, expect)


def judge(logs: Logs, cases: Cases, expect: Expect) -> Verdict:
    """Judge the logs of a program with listed cases.

    On stock exactly the cases marked `fail` must fail. Without one patch at least one of the
    cases that it cures must fail, and no other.
    """
    results = ktap.read_program(logs.results, "kit", Plan.FIRST)
    verdict = Verdict(outcomes=results.outcomes, reasons=results.reasons)
    incomplete = unusable(logs.console) or results.incomplete or names(verdict, cases)
    console = Console.parse(logs.console)
    judge_console(console, verdict, cases, expect)
    guest = hung(logs, console.last_case or "none started")
    guest += [f"splat {f'in {splat.case}' if splat.case else 'outside any case'}: {splat.line}"
              for splat in verdict.splats if not splat.allowed]
    deviations = [] if incomplete else compare(verdict, cases, expect)
    return verdict.conclude(guest, incomplete, deviations)


def names(verdict: Verdict, cases: Cases) -> str:
    """Give what makes the set of results incomplete: each case has one, and no other has."""
    unknown = [name for name in verdict.outcomes if name not in cases]
    absent = [name for name in cases if name not in verdict.outcomes]
    if unknown:
        return f"case {unknown[0]} is not in kit/cases"
    return f"no result of {', '.join(absent)}" if absent else ""


def judge_console(console: Console, verdict: Verdict, cases: Cases, expect: Expect) -> None:
    """Collect the splats, and fail the cases whose announced reports did not come."""
    expected, failed_before = expect.kernel, False
    patterns = [re.compile(one) for one in expect.allowed]
    for name, line in console.lines:
        case = cases.get(name)
        known = case is not None and case.may_fail(expected)
        failed_before |= known and verdict.outcomes.get(name) == "fail"
        if is_splat(line, patterns):
            announced = (case is not None and case.reports is not None and expected != STOCK
                         and bool(case.reports.search(line)))
            late = failed_before and bool(LATE.search(line))
            verdict.splats.append(Splat(line, name, known or announced or late))
    if expected == STOCK:
        return
    for name, case in cases.items():
        wanted = case.reports
        if wanted and verdict.outcomes.get(name) == "pass" and not any(
                where == name and wanted.search(line) for where, line in console.lines):
            verdict.fail(name, f"the kernel did not report {wanted.pattern}")


def compare(verdict: Verdict, cases: Cases, expect: Expect) -> list[str]:
    """Name every case with another outcome than expected; note it in verdict.unexpected."""
    found = []
    for name, outcome in verdict.outcomes.items():
        case = cases[name]
        known = case.may_fail(expect.kernel)
        if outcome == "skip":
            fine = expect.allow_skip or case.stock == "skip"
        elif expect.kernel == STOCK:
            fine = known == (outcome == "fail")
        else:
            fine = outcome == "pass" or known
        if not fine:
            verdict.unexpected.append(name)
            wanted = "fail" if known else "pass"
            found.append(f"{name}: {outcome}, but expected to {wanted}{why(verdict, name)}")
    named = [name for name, case in cases.items() if expect.kernel in case.cures]
    single = expect.kernel not in (STOCK, PATCHED)
    if single and not verdict.failed() and (named or not expect.elsewhere):
        listed = ", ".join(named) or "kit/cases names none"
        found.append(f"without {expect.kernel} none of its cases fails ({listed})")
    return found
