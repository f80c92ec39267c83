# SPDX-License-Identifier: GPL-2.0-only
"""The suite "KUnit": the suites that the series adds, run as the kernel boots.

Where KUnit cannot hold the warnings of a case back, intree/reports announces them; each has to
come once, in its case.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.base.data import ROOT, pattern, rows
from lab.judge import ktap
from lab.judge.console import CUT, TIME, is_splat
from lab.judge.ktap import Plan, Results
from lab.judge.verdict import Logs, Splat, Verdict
from lab.kernel.bases import Base
from lab.kernel.kernel import Kernel
from lab.suites.suite import KIT, Expect, Suite

FORM = "`suite  case  regular expression  reason`, two blanks apart"
# By option in mm/Kconfig the suite; no other suite is built in.
OPTIONS = {"MMU_NOTIFIER_KUNIT_TEST": "mmu_notifier", "HMM_MIRROR_KUNIT_TEST": "hmm_mirror"}
# Begin and end of a suite, and [1] the result of a case; those of parameters are further in.
MARK = re.compile(r" {4}# Subtest: |(?:not )?ok \d| {4}(?:not )?ok \d+ (?:- )?(\S+)")


@dataclass(frozen=True)
class Report:
    """A warning that a case provokes on purpose."""

    suite: str
    case: str
    text: re.Pattern[str]


def read_reports(path: Path) -> list[Report]:
    """Read intree/reports; a malformed line is a USAGE error."""
    return [Report(words[0], words[1], pattern(where, words[2]))
            for where, words in rows(path, FORM, 4, blank=r"\s{2,}")]


def of(base: Base, kernel: Kernel) -> "KUnit | None":
    """Give the suites that the patches of a kernel add to mm/Kconfig, None for none."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in kernel.present)
    wanted = [suite for option, suite in OPTIONS.items()
              if re.search(rf"^\+config {option}$", text, re.MULTILINE)]
    return KUnit(wanted, announced(base, wanted)) if wanted else None


def announced(base: Base, wanted: Collection[str]) -> list[Report]:
    """Give the warnings that have to come in some suites on a base."""
    if "BASE_WARNING_SUPPRESS" in base.features:
        return []
    return [one for one in read_reports(ROOT / "intree/reports") if one.suite in wanted]


class KUnit(Suite):
    """The suites by name, and the warnings that have to come.

    The kit goes along: the guest's program only lists its cases, after KUnit has run.
    """

    name = "KUnit"
    builds = KIT
    line = "kunit.enable=1 kit.args=--list"

    def __init__(self, wanted: Sequence[str], reports: Sequence[Report] = ()) -> None:
        self.wanted, self.reports = tuple(wanted), list(reports)

    def details(self) -> dict[str, object]:
        return {"suites": list(self.wanted)}

    def read(self, logs: Logs) -> Results:
        results = read(logs.console)
        absent = [f"no result of suite {one}" for one in self.wanted if one not in results.suites]
        results.incomplete = results.incomplete or "; ".join(absent)
        return results

    def hear(self, console: str, verdict: Verdict, expect: Expect) -> str:
        """Let each report pay for one warning."""
        lines = untimed(console)
        due, block = list(self.reports), len(lines)
        for at, line in enumerate(lines):
            if line == CUT:
                block = at
            if is_splat(line, expect.allowed):
                marks = filter(None, map(MARK.match, lines[at:]))
                case = next((mark[1] or "" for mark in marks), "")  # its result comes next
                paid = next((report for report in due
                             if line.startswith("WARNING: ") and report.case == case
                             and any(map(report.text.fullmatch, lines[block:at]))), None)
                if paid:
                    due.remove(paid)
                verdict.splats.append(Splat(line, case, allowed=paid is not None))
                block = len(lines)
        for report in due:
            first = next((name for name in verdict.outcomes
                          if name.split(": ")[0] == report.case), report.case)
            verdict.fail(first, f"the kernel did not report {report.text.pattern}")
        verdict.unexpected = verdict.failed()
        return ""

    def compare(self, verdict: Verdict, expect: Expect) -> list[str]:
        return [f"{name} fails" + (f": {reason}" if (reason := verdict.reasons[name]) else "")
                for name in verdict.unexpected]


def read(console: str) -> Results:
    return ktap.read("\n".join(untimed(console)), Plan.NESTED)


def untimed(console: str) -> list[str]:
    return [TIME.sub("", line.rstrip()) for line in console.splitlines()]
