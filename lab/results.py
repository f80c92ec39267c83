# SPDX-License-Identifier: GPL-2.0-only
"""The judge: (results, console, cases, expectation) in, verdict out. Needs no kernel.

Whatever is missing, cut or unknown is NO_RESULT, never zero tests passed.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from lab.data import Case
from lab.errors import Status

STOCK, PATCHED = "stock", "patched"  # any other flavour is the slug of the one patch that is reverted

# A console line (its timestamp taken off) that matches is a splat.
SPLATS = re.compile(
    r"Kernel panic|Oops\b|BUG: |kernel BUG at|WARNING: |INFO: task .* blocked for more than|rcu: INFO: .*stall"
    r"|general protection fault|unable to handle|UBSAN: |KASAN: |KCSAN: |Bad page|scheduling while atomic"
    r"|sleeping function called|soft lockup|hard LOCKUP|possible circular locking|possible recursive locking"
    r"|inconsistent lock state|suspicious RCU usage|refcount_t: |list_(add|del) corruption|INFO: trying to register"
)
# What matches one of these does not count on the kernel at hand; soak fills it in from configs/soak-allowed.
ALLOWED: list[re.Pattern[str]] = []
# The hung-task detector looks every few seconds: its line can come after the case that left the task.
LATE = re.compile(r"INFO: task .* blocked for more than")
# What printk says where a printer takes over from another one in the middle of a record, and prints it again.
REPLAY = "** replaying previous printk message **"
RECORD = 32  # lines of a record that are looked at
LOST = re.compile(r"^\*\* \d+ printk messages dropped \*\*$", re.MULTILINE)
TIME = re.compile(r"^(<\d+>)?\[ *\d+\.\d+\](\[ *[TC]\d+\])? ")
MARK = re.compile(r"mn_kit: (case|end) (\S+)")
RESULT = re.compile(r"(ok|not ok) (\d+) (?:- )?(\S+)(?:\s+#\s*(.*))?$")


@dataclass(frozen=True)
class Splat:
    """A kernel message that should not be, and the case it fell into ("" outside any)."""

    line: str
    case: str
    allowed: bool


@dataclass
class Verdict:
    """What a guest's logs say: `outcomes` maps case to pass, fail or skip, in order.

    `unexpected` names the cases that differ from what was expected; `problems` says in words
    all that is wrong, the most serious first.
    """

    status: Status = Status.OK
    outcomes: dict[str, str] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    splats: list[Splat] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def failed(self) -> list[str]:
        """Give the cases that failed."""
        return [name for name, outcome in self.outcomes.items() if outcome == "fail"]


@dataclass(frozen=True)
class Console:
    """The kernel's log cut up by the kit's markers: (case or "", line) in order."""

    lines: list[tuple[str, str]]
    last_case: str

    @staticmethod
    def parse(text: str) -> "Console":
        """Attribute each line to the case that runs while it is printed."""
        lines, case, last = [], "", ""
        for raw in text.splitlines():
            line = TIME.sub("", raw.strip())
            mark = MARK.search(line)
            if mark and mark[1] == "case":
                case = last = mark[2]
            if line:
                lines.append((case, line))
            if mark and mark[1] == "end":
                case = ""
        return Console(lines, last)


def half(before: list[str], record: list[str]) -> int:
    """Count the lines at the end of `before` that are the beginning of what `record` begins with.

    Neighbours are often alike, so it is the nearest line like the first one that counts, or a part of it.
    """
    for size in range(1, min(RECORD, len(before)) + 1):
        if before[-size] == record[0] and "\n".join(record).startswith("\n".join(before[-size:])):
            return size
    return int(bool(before) and record[0].startswith(before[-1]))


def whole_records(text: str) -> str:
    """Take out of a console what was printed of a record before it was begun again, and the line that says so.

    Half a line of KTAP is one more result, or hides the subtest it begins. What was begun more than once is taken
    out from its end, so that each half is held against the whole record.
    """
    lines = text.splitlines()
    for at in reversed([at for at, line in enumerate(lines) if line == REPLAY]):
        begin = at
        while begin and lines[begin - 1] not in ("", REPLAY) and REPLAY.startswith(lines[begin - 1]):  # half of the message
            begin -= 1
        record = lines[at + 1:at + 1 + RECORD]
        begin -= half(lines[max(0, begin - RECORD):begin], record) if record else 0
        del lines[begin:at + 1]
    return "".join(f"{line}\n" for line in lines)


def lost(console: str) -> str:
    """Say that a console is not whole, "" if it is."""
    found = LOST.findall(console)
    return f"the console lost messages {len(found)} times: {found[0]}" if found else ""


def unusable(console: str) -> str:
    """Say why nothing can be concluded from what a console does not show, "" if something can."""
    return lost(console) if console.strip() else "the kernel wrote nothing on its console"


def is_splat(line: str) -> bool:
    """Say whether the kernel complains in a line of its log."""
    return bool(SPLATS.search(line)) and not any(pattern.search(line) for pattern in ALLOWED)


def splats(console: Console) -> list[str]:
    """Give the kernel's complaints, whoever caused them."""
    return [line for _, line in console.lines if is_splat(line)]


def may_fail(case: Case, flavour: str) -> bool:
    """Say whether a case is known to fail on this flavour."""
    return case.stock == "fail" if flavour == STOCK else flavour in case.cures


def parse_results(text: str, verdict: Verdict, cases: Mapping[str, Case]) -> str:
    """Fill in outcomes and reasons from KTAP; give what makes the results incomplete, or ""."""
    lines = [line.rstrip("\r") for line in text.split("\n")]
    if not text.strip():
        return "the guest wrote no results"
    if lines.pop():
        return f"the results are cut: they end in {text[-60:]!r}"
    planned = None
    for line in lines:
        plan, result = re.match(r"1\.\.(\d+)$", line), RESULT.match(line)
        if line.startswith("Bail out!"):
            return line
        if plan:
            planned = int(plan[1])
        elif result:
            word, number, name, directive = result.groups(default="")
            if planned is None:
                return "results come before any plan (1..N)"
            if name in verdict.outcomes:
                return f"case {name} has two results"
            if name not in cases:
                return f"case {name} is not in kit/cases"
            if int(number) != len(verdict.outcomes) + 1:
                return f"result {number} ({name}) follows result {len(verdict.outcomes)}"
            skip = re.match(r"SKIP\b\s*(.*)", directive, re.IGNORECASE)
            verdict.outcomes[name] = "skip" if skip and word == "ok" else "pass" if word == "ok" else "fail"
            verdict.reasons[name] = skip[1] if skip else directive
        elif line.startswith("lab: "):
            break
    exited = re.match(r"lab: kit exited (\d+)$", lines[-1])
    if not exited:
        return lines[-1] if lines[-1].startswith("lab: ") else f"the results are cut: they end in {lines[-1]!r}"
    if planned is None:
        return "the results hold no plan (1..N)"
    if planned != len(verdict.outcomes):
        return f"plan not met: {len(verdict.outcomes)} results of {planned}"
    absent = [name for name in cases if name not in verdict.outcomes]
    if absent:
        return f"no result of {', '.join(absent)}"
    if exited[1] != "0" and not verdict.failed():
        return f"the kit exited {exited[1]} though no case failed"
    return ""


def judge_console(console: Console, verdict: Verdict, cases: Mapping[str, Case], flavour: str) -> None:
    """Collect the splats, and fail the cases whose announced reports did not come."""
    failed_before = False
    for case, line in console.lines:
        known = cases.get(case)
        failed_before |= known is not None and may_fail(known, flavour) and verdict.outcomes.get(case) == "fail"
        if is_splat(line):
            allowed = known is not None and (
                may_fail(known, flavour) or bool(flavour != STOCK and known.reports and known.reports.search(line))
            )
            verdict.splats.append(Splat(line, case, allowed or (failed_before and bool(LATE.search(line)))))
    if flavour == STOCK:
        return
    for name, case_data in cases.items():
        wanted = case_data.reports
        shown = wanted and any(case == name and wanted.search(line) for case, line in console.lines)
        if wanted and not shown and verdict.outcomes.get(name) == "pass":
            verdict.outcomes[name] = "fail"
            verdict.reasons[name] = f"the kernel did not report {wanted.pattern}"


def judge(
    results: str, console_text: str, cases: Mapping[str, Case], flavour: str, *, ended: bool = True, allow_skip: bool = False,
    elsewhere: bool = False,
) -> Verdict:
    """Judge one guest.

    `flavour` is "stock", "patched" or the slug of the one patch the kernel lacks; `ended` is False for a
    guest that had to be stopped; `allow_skip` lets any case be skipped; `elsewhere` says that
    something else than the kit shows the lack of the patch. On stock exactly the cases marked
    `fail` must fail; without one patch at least one of the cases it cures must, and no other.
    """
    verdict = Verdict()
    console = Console.parse(console_text)
    incomplete = parse_results(results, verdict, cases)
    judge_console(console, verdict, cases, flavour)

    bad = [splat for splat in verdict.splats if not splat.allowed]
    guest = [] if ended else [f"the guest hung and was stopped; last case: {console.last_case or 'none started'}"]
    guest += [f"splat {'in ' + splat.case if splat.case else 'outside any case'}: {splat.line}" for splat in bad]
    incomplete = unusable(console_text) or incomplete
    deviations = [] if incomplete else list(compare(verdict, cases, flavour, allow_skip, elsewhere))
    verdict.problems = guest + ([incomplete] if incomplete else []) + deviations
    if guest:
        verdict.status = Status.GUEST
    elif incomplete:
        verdict.status = Status.NO_RESULT
    elif deviations:
        verdict.status = Status.TEST_FAILED
    return verdict


def compare(verdict: Verdict, cases: Mapping[str, Case], flavour: str, allow_skip: bool, elsewhere: bool) -> list[str]:
    """Name every case that did not come out as this flavour should; note it in verdict.unexpected."""
    found = []
    for name, outcome in verdict.outcomes.items():
        case = cases[name]
        known = may_fail(case, flavour)
        if outcome == "skip":
            fine = allow_skip or case.stock == "skip"
        elif flavour == STOCK:
            fine = known == (outcome == "fail")
        else:
            fine = outcome == "pass" or known
        if not fine:
            verdict.unexpected.append(name)
            reason = verdict.reasons.get(name)
            found.append(f"{name}: {outcome}, but expected to {'fail' if known else 'pass'}{f' ({reason})' if reason else ''}")
    named = [name for name, case in cases.items() if flavour in case.cures]
    if flavour not in (STOCK, PATCHED) and not verdict.failed() and (named or not elsewhere):
        found.append(f"without {flavour} none of its cases fails ({', '.join(named) or 'kit/cases names none'})")
    return found
