# SPDX-License-Identifier: GPL-2.0-only
"""The one reader of KTAP: flat (the kit, selftests) and nested (KUnit).

Missing, cut, doubled or unknown lines make the results incomplete: never zero tests passed.
Source of the format: Documentation/dev-tools/ktap.rst.
"""

import re
from dataclasses import dataclass, field
from enum import Enum

PLAN = re.compile(r"1\.\.(\d+)\b")
RESULT = re.compile(r"(ok|not ok) (\d+)\b(?: -(?= |$))?([^#]*)(?:#\s*(.*))?$")
SKIP = re.compile(r"SKIP\b\s*(.*)", re.IGNORECASE)
WORD = re.compile(r"\w*$")
SUBTEST = re.compile(r"# Subtest: (\S+)$")
RUN = re.compile(r"#  RUN           (\S+) \.\.\.$")
TOTALS = re.compile(r"# (\S+): pass:\d+ fail:\d+ skip:(\d+) total:(\d+)\s*$")
INDENT = 4


class Plan(Enum):
    """How strict a suite is about its plan."""

    FIRST = "the plan comes before any result"
    MET = "there is a plan, and every result of it"
    NESTED = "as MET, but each subtest has a name, and parameters of a case need no plan"


@dataclass
class Results:
    """The leaves by name ("case: parameter" below a subtest), and what makes them incomplete."""

    outcomes: dict[str, str] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    suites: list[str] = field(default_factory=list)  # subtests of the outermost level
    incomplete: str = ""


@dataclass
class Level:
    """A list of results that is being read: its name, its plan, and what was seen of it."""

    name: str = ""
    planned: int | None = None
    seen: int = 0
    failed: bool = False


@dataclass
class Reader:
    """Reads the lines of one log; `title` names results without a name."""

    plan: Plan
    title: str
    found: Results = field(default_factory=Results)
    levels: list[Level] = field(default_factory=list)
    running: str = ""  # the test that the kselftest harness announced
    last: list[str] = field(default_factory=list)  # leaves below the case that is being read

    def note(self, problem: str) -> None:
        """Note what makes the results incomplete; the first problem counts."""
        self.found.incomplete = self.found.incomplete or problem

    def level(self, depth: int) -> Level:
        self.levels += [Level() for _ in range(depth + 1 - len(self.levels))]
        return self.levels[depth]

    def line(self, raw: str) -> None:
        """Read a line; what is no KTAP is passed over."""
        text = raw.lstrip(" ")
        depth, odd = divmod(len(raw) - len(text), INDENT)
        if odd:
            return
        if text.startswith("Bail out!"):
            self.note(text)
        elif run := RUN.match(text):
            self.running = run[1]
        elif totals := TOTALS.match(text):
            self.totals(totals[1], int(totals[2]), int(totals[3]))
        elif plan := PLAN.match(text):
            self.level(depth).planned = int(plan[1])
        elif subtest := SUBTEST.match(text):
            self.level(depth).name, self.last = subtest[1], []
        elif result := RESULT.match(text):
            self.result(depth, *(part.strip() for part in result.groups(default="")))

    def result(self, depth: int, word: str, number: str, name: str, directive: str) -> None:
        """Read a result; it ends the subtest one level further in, if there is one.

        A subtest that fails though nothing in it does is a failure itself.
        """
        level, inner = self.level(depth), self.levels[depth + 1:depth + 2]
        if self.plan == Plan.FIRST and level.planned is None:
            self.note("results come before any plan (1..N)")
        level.seen += 1
        level.failed |= word != "ok"
        if int(number) != level.seen:
            self.note(f"result {number} ({name}) follows result {level.seen - 1}")
        if inner:
            self.close(depth, inner[0], name)
            del self.levels[depth + 1:]
            if depth == 0 and inner[0].seen:
                self.found.suites.append(name)
            if word == "ok" or inner[0].failed:
                return
        elif self.plan == Plan.MET:
            # Several words are a remark, not a name.
            name = self.running or (WORD.match(name) and name) or f"{self.title} {number}"
            self.running = ""
        full = ": ".join([*(one.name for one in self.levels[2:depth + 1]), name])
        skip = SKIP.match(directive)
        if full in self.found.outcomes:
            self.note(f"{full} has two results")
        self.found.outcomes[full] = "fail" if word != "ok" else "skip" if skip else "pass"
        self.found.reasons[full] = skip[1] if skip else directive
        if depth > 1:
            self.last.append(full)

    def close(self, depth: int, level: Level, name: str) -> None:
        """End a subtest: it has the name of its result, and all results that it planned."""
        if level.name != name and (level.name or self.plan == Plan.NESTED):
            self.note(f"the result of {level.name or 'a subtest without a name'} is named {name}")
        if level.planned is None and (self.plan != Plan.NESTED or depth == 0):
            self.note(f"{name} has no plan")
        if level.planned is not None and level.planned != level.seen:
            self.note(f"plan of {name} not met: {level.seen} results of {level.planned}")

    def totals(self, name: str, skipped: int, number: int) -> None:
        """Check a case's own count of its parameters, and apply that of the skipped ones.

        6.1 does not mark them: its lines read "ok". A report that comes once per boot comes with
        the first parameter, so the last ones are taken for the skipped.
        """
        if not self.last or not self.last[-1].startswith(f"{name}: "):
            return
        if number != len(self.last):
            self.note(f"{name} has {len(self.last)} results of {number}")
        marked = sum(self.found.outcomes[one] == "skip" for one in self.last)
        passed = [one for one in self.last if self.found.outcomes[one] == "pass"]
        for one in passed[max(0, len(passed) - max(0, skipped - marked)):]:
            self.found.outcomes[one] = "skip"


def read(text: str, plan: Plan, title: str = "") -> Results:
    reader = Reader(plan, title)
    for line in text.splitlines():
        reader.line(line)
    top = reader.level(0)
    for level in reader.levels[1:]:
        reader.note(f"{level.name or 'a subtest'} has no result")
    if top.planned is None:
        reader.note("the results hold no plan (1..N)")
    elif top.planned != top.seen:
        reader.note(f"plan not met: {top.seen} results of {top.planned}")
    return reader.found


def read_program(text: str, name: str, plan: Plan) -> Results:
    """Read what a guest's init wrote of a program.

    The last line says how the program ended. A program that prints neither plan nor result has
    one result: its exit status.
    """
    body = text.replace("\r\n", "\n")
    *lines, last = body.splitlines() or [""]
    results = read("\n".join(lines), plan, name)
    exited = re.match(rf"lab: {re.escape(name)} exited (\d+)$", last)
    bare = plan == Plan.MET and not results.outcomes and not re.search(
        r"^(?:1\.\.\d|Bail out!)", body, re.MULTILINE)
    fine = ("0", "4")  # 4: something was skipped
    if not body.strip():
        results.incomplete = "the guest wrote no results"
    elif not body.endswith("\n") or not last.startswith("lab: "):
        results.incomplete = f"the results are cut: they end in {last!r}"
    elif not exited:
        results.incomplete = last
    elif bare:
        outcome = {"0": "pass", "4": "skip"}.get(exited[1], "fail")
        results = Results({name: outcome}, {name: lines[-1] if lines else last})
    elif exited[1] not in fine and "fail" not in results.outcomes.values():
        results.incomplete = results.incomplete or f"{last[5:]} though no test failed"
    return results


def not_whole(text: str, *ends: str) -> str:
    """Give what is wrong with results that are no KTAP unless `ends` are their last lines."""
    found = text.replace("\r", "").split("\n")[-len(ends) - 1:]
    return "" if found == [*ends, ""] else (
        f"the results are not whole: they end in {' / '.join(found)!r}")
