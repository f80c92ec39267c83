# SPDX-License-Identifier: GPL-2.0-only
"""The suite "KUnit": the suites that the series adds, run as the kernel boots.

Where KUnit cannot hold the warnings of a case back, intree/reports announces them; each has to
come once, in its case.
"""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.base.data import ROOT, pattern
from lab.base.errors import LabError, Status
from lab.judge import ktap
from lab.judge.console import CUT, TIME, is_splat, unusable
from lab.judge.ktap import Plan
from lab.judge.verdict import Logs, Verdict, hung
from lab.kernel.bases import Base
from lab.kernel.kernel import Kernel
from lab.suites.suite import KIT_FILES, KIT_PRODUCTS, Expect, Suite

# By option in mm/Kconfig the suite; no other suite is built in.
OPTIONS = {"MMU_NOTIFIER_KUNIT_TEST": "mmu_notifier", "HMM_MIRROR_KUNIT_TEST": "hmm_mirror"}
BEGIN = re.compile(r"# Subtest: (\S+)$")
END = re.compile(r"(?:not )?ok \d+ (?:- )?(\S+)")
CASE = re.compile(r" {4}(?:not )?ok \d+ (?:- )?(\S+)")  # a parameter's result is indented further
KTAP = re.compile(r" *(?:ok |not ok |1\.\.\d|# Subtest: |Bail out!|# \S+: pass:\d)")


@dataclass(frozen=True)
class Report:
    """A warning that a case provokes on purpose."""

    suite: str
    case: str
    text: re.Pattern[str]


@dataclass(frozen=True)
class Complaint:
    """A splat, the lines from "cut here" on before it, and its case ("" outside any)."""

    line: str
    block: tuple[str, ...]
    case: str


def read_reports(path: Path) -> list[Report]:
    """Read intree/reports; a malformed line is a USAGE error."""
    found = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        words, where = re.split(r"\s{2,}", line.strip(), maxsplit=3), f"{path}:{number}"
        if len(words) != 4:
            raise LabError(Status.USAGE, f"{where}: a report is "
                           "`suite  case  regular expression  reason`, two blanks apart")
        found.append(Report(words[0], words[1], pattern(where, words[2])))
    return found


def suites(patches: Iterable[Path]) -> tuple[str, ...]:
    """Give the suites that patches add to mm/Kconfig."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in patches)
    return tuple(suite for option, suite in OPTIONS.items()
                 if re.search(rf"^\+config {option}$", text, re.MULTILINE))


def of(base: Base, kernel: Kernel) -> "KUnit | None":
    """Give the suite for a kernel, None if no patch of it adds one."""
    wanted = suites(kernel.present)
    return KUnit(wanted, announced(base, wanted)) if wanted else None


def announced(base: Base, wanted: Collection[str]) -> list[Report]:
    """Give the warnings that have to come in some suites on a base."""
    if "BASE_WARNING_SUPPRESS" in base.features:
        return []
    return [one for one in read_reports(ROOT / "intree/reports") if one.suite in wanted]


class KUnit(Suite):
    """The suites by name, and the warnings that have to come."""

    name = "KUnit"

    def __init__(self, wanted: Sequence[str], reports: Sequence[Report] = ()) -> None:
        self.wanted = tuple(wanted)
        self.reports = list(reports)

    def contents(self, kernel: Kernel) -> str:
        """Take the kit along: the program only lists its cases, after KUnit has run."""
        kernel.programs(ROOT / "kit", KIT_PRODUCTS)
        return KIT_FILES.format(kit=(kernel.place / "kit").absolute())

    def words(self) -> str:
        """Enable KUnit."""
        return "kunit.enable=1 kit.args=--list"

    def details(self) -> dict[str, object]:
        """Keep the names of the suites."""
        return {"suites": list(self.wanted)}

    def judge(self, logs: Logs, expect: Expect) -> Verdict:
        """Expect all cases to pass, the announced warnings to come, and no other splat."""
        results = read(logs.console)
        verdict = Verdict(outcomes=results.outcomes, reasons=results.reasons)
        absent = [suite for suite in self.wanted if suite not in results.suites]
        missing = f"no result of suite {', '.join(absent)}" if absent else ""
        incomplete = unusable(logs.console) or results.incomplete or missing
        odd, due = pay(complaints(logs.console, self.wanted, expect.allowed), self.reports)
        for report in due:
            first = next((name for name in verdict.outcomes
                          if name.split(": ")[0] == report.case), report.case)
            verdict.fail(first, f"the kernel did not report {report.text.pattern}")
        guest = hung(logs) + [
            f"splat {f'in {one.case}' if one.case else 'outside any case'}: {one.line}"
            for one in odd]
        verdict.unexpected = verdict.failed()
        failed = [f"{name} fails" + (f": {reason}" if (reason := verdict.reasons[name]) else "")
                  for name in verdict.unexpected]
        return verdict.conclude(guest, incomplete, failed)


def read(console: str) -> ktap.Results:
    """Read the results in a console."""
    lines = (TIME.sub("", line.rstrip()) for line in console.splitlines())
    return ktap.read("\n".join(line for line in lines if KTAP.match(line)), Plan.NESTED)


def complaints(console: str, wanted: Collection[str],
               allowed: Iterable[str] = ()) -> list[Complaint]:
    """Give the splats, each with the case of the suites whose result comes next."""
    patterns = [re.compile(one) for one in allowed]
    found: list[Complaint] = []
    begun: list[Complaint] = []  # since the last result
    inside = False
    block: list[str] = []  # from "cut here" on
    for raw in console.splitlines():
        line = TIME.sub("", raw.rstrip())
        begin, end, result = BEGIN.search(line), END.match(line), CASE.match(line)
        if begin and begin[1] in wanted:
            inside = True
        elif end and end[1] in wanted:
            inside, found, begun = False, found + begun, []
        elif result and inside:
            found += [Complaint(one.line, one.block, result[1]) for one in begun]
            begun = []
        if block or line == CUT:
            block = [CUT] if line == CUT else [*block, line]
        if is_splat(line, patterns):
            (begun if inside else found).append(Complaint(line, tuple(block), ""))
            block = []
    return found + begun


def pay(found: Sequence[Complaint],
        reports: Sequence[Report]) -> tuple[list[Complaint], list[Report]]:
    """Give the splats that no report announced, and the reports that did not come.

    Each report pays for one splat.
    """
    due, odd = list(reports), []
    for splat in found:
        paid = next((report for report in due
                     if splat.line.startswith("WARNING: ") and report.case == splat.case
                     and any(report.text.fullmatch(line) for line in splat.block)), None)
        if paid:
            due.remove(paid)
        else:
            odd.append(splat)
    return odd, due
