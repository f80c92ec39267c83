# SPDX-License-Identifier: GPL-2.0-only
"""Station "kunit": the suites that the series adds, run as the kernel boots and parsed by the tree's own kunit.py."""

import json
import re
import subprocess
import sys
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab import station, vm
from lab.errors import LabError, Status
from lab.proc import environment
from lab.results import TIME, Verdict, is_splat, lost, unusable

SUITE = "mmu_notifier"
# By suite the option in mm/Kconfig; no other suite is built in.
OPTIONS = {SUITE: "config MMU_NOTIFIER_KUNIT_TEST\n", "hmm_mirror": "config HMM_MIRROR_KUNIT_TEST\n"}
# The kit's program only lists its cases; KUnit has run before init.
BOOT = "kunit.enable=1 kit.args=--list"


# What kunit.py says on stdout when the results are not whole; JSON has it from 6.12 on only.
INCOMPLETE = "[ERROR]"
BEGIN, END = re.compile(r"# Subtest: (\S+)$"), re.compile(r"(?:not )?ok \d+ (?:- )?(\S+)")
RESULT = re.compile(r" {4}(?:not )?ok \d+ (?:- )?(\S+)")  # of a case; that of a parameter stands further in
# What 6.1 says of its parameters; it has no SKIP in their own lines.
TOTALS = re.compile(r"# (\w+): pass:\d+ fail:\d+ skip:(\d+) total:\d+\s*$", re.MULTILINE)
CUT = "------------[ cut here ]------------"


@dataclass(frozen=True)
class Report:
    """A warning that a case provokes; where KUnit cannot hold it back it has to come, once."""

    case: str
    text: re.Pattern[str]


@dataclass(frozen=True)
class Splat:
    """A line that is a splat, the lines from "cut here" on ahead of it, and the case it fell into ("" outside any)."""

    line: str
    block: tuple[str, ...]
    case: str


def read_reports(path: Path, *bases: str) -> list[Report]:
    """Read what intree/reports announces for the bases; a malformed line is a USAGE error."""
    found = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        words = re.split(r"\s{2,}", line.strip(), maxsplit=3)
        if len(words) != 4:
            raise LabError(Status.USAGE, f"{path}:{number}: a report is `base,...  case  regular expression  reason`, two blanks apart")
        try:
            text = re.compile(words[2])
        except re.error as error:
            raise LabError(Status.USAGE, f"{path}:{number}: {words[2]}: {error}") from None
        if set(bases) & set(words[0].split(",")):
            found.append(Report(words[1], text))
    return found


def suites(src: Path) -> list[str]:
    """Give the suites that a tree has."""
    menu = src / "mm/Kconfig"
    text = menu.read_text(encoding="utf-8") if menu.exists() else ""
    return [suite for suite, option in OPTIONS.items() if option in text]


def run(place: Path, src: Path, announced: list[Report], seconds: float = vm.SECONDS) -> Verdict:
    """Boot once more with KUnit enabled and judge what the suites printed on the console."""
    ended = vm.boot(place, src, "kunit", BOOT, seconds=seconds)
    text = vm.logs(place, "kunit")[1]
    parsed, console = place / "kunit.json", place / "kunit-records.log"
    parsed.unlink(missing_ok=True)
    station.write_atomic(console, text)
    command: list[str | Path] = [sys.executable, src / "tools/testing/kunit/kunit.py", "parse", f"--json={parsed.absolute()}", console]
    # Its status is 1 when a case failed; what counts is what it parsed.
    done = subprocess.run(command, env=environment({}), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    data = json.loads(parsed.read_text(encoding="utf-8")) if parsed.exists() else {}
    verdict = judge(data, text, ended, done.stdout.count(INCOMPLETE), announced, suites(src))
    if not data and done.stderr:
        verdict.problems.append(f"kunit.py: {done.stderr.strip().splitlines()[-1]}")
    if verdict.status:
        vm.forget(place, "kunit")
    return verdict


def judge(parsed: dict[str, Any], console: str, ended: bool, errors: int = 0, announced: list[Report] | None = None,
          wanted: Collection[str] = (SUITE,)) -> Verdict:
    """Judge kunit.py's JSON and the console.

    All cases pass, at least one of each suite ran, the announced warnings come in their cases, each once, and nothing
    else splats.
    """
    verdict = Verdict()
    absent = []
    for suite in wanted:
        before = len(verdict.outcomes)
        collect(find(parsed, suite), "", verdict)
        absent += [suite] if len(verdict.outcomes) == before else []
    skips(console, verdict)
    found, missing = compare(splats(console, wanted), announced or [])
    for report in missing:
        name = next((name for name in verdict.outcomes if name.split(": ")[0] == report.case), report.case)
        verdict.outcomes[name] = "fail"
        verdict.reasons[name] = f"the kernel did not report {report.text.pattern}"
    verdict.unexpected = verdict.failed()
    verdict.problems = [f"kunit: {name} fails" + (f": {verdict.reasons[name]}" if name in verdict.reasons else "")
                        for name in verdict.unexpected]
    verdict.problems = [f"kunit: splat {'in ' + splat.case if splat.case else 'outside any case'}: {splat.line}"
                        for splat in found] + verdict.problems
    if lost(console):
        verdict.status = Status.NO_RESULT
        verdict.problems.insert(0, f"kunit: {lost(console)}")
    elif not ended or found:
        verdict.status = Status.GUEST
        verdict.problems.insert(0, "kunit: the guest hung and was stopped" if not ended else "kunit: the kernel complained")
    elif absent or errors or unusable(console):
        verdict.status = Status.NO_RESULT
        what = unusable(console) or f"{f'{errors} errors in the results' if errors else 'no result'} of suite {', '.join(absent or wanted)}"
        verdict.problems.insert(0, f"kunit: {what}")
    elif verdict.unexpected:
        verdict.status = Status.TEST_FAILED
    return verdict


def skips(console: str, verdict: Verdict) -> None:
    """Where a case says it skipped more parameters than were marked so, take its last ones for those.

    6.1's own lines read "ok". A report that comes once per boot comes with a case's first parameter.
    """
    for case, number in TOTALS.findall(console):
        names = [name for name in verdict.outcomes if name.startswith(f"{case}: ")]
        marked = sum(verdict.outcomes[name] == "skip" for name in names)
        passed = [name for name in names if verdict.outcomes[name] == "pass"]
        for name in passed[max(0, len(passed) - (int(number) - marked)):] if int(number) > marked else ():
            verdict.outcomes[name] = "skip"


def splats(console: str, wanted: Collection[str] = (SUITE,)) -> list[Splat]:
    """Give the kernel's complaints, each with the case of the suites whose result comes next."""
    found: list[Splat] = []
    begun: list[Splat] = []  # since the last result
    inside = False
    block: list[str] = []  # from "cut here" on
    for raw in console.splitlines():
        line = TIME.sub("", raw.rstrip())
        begin, end, result = BEGIN.search(line), END.match(line), RESULT.match(line)
        if begin and begin[1] in wanted:
            inside = True
        elif end and end[1] in wanted:
            inside = False
        elif result and inside:
            found += [Splat(splat.line, splat.block, result[1]) for splat in begun]
            begun = []
        if block or line == CUT:
            block = [CUT] if line == CUT else [*block, line]
        if is_splat(line):
            (begun if inside else found).append(Splat(line, tuple(block), ""))
            block = []
    return found + begun


def compare(found: list[Splat], announced: list[Report]) -> tuple[list[Splat], list[Report]]:
    """Give the splats nobody announced, and the announced warnings that did not come; each pays for one splat."""
    due, odd = list(announced), []
    for splat in found:
        paid = next((report for report in due if splat.line.startswith("WARNING: ") and report.case == splat.case
                     and any(report.text.fullmatch(line) for line in splat.block)), None)
        if paid:
            due.remove(paid)
        else:
            odd.append(splat)
    return odd, due


def find(group: dict[str, Any], name: str) -> dict[str, Any]:
    """Find a suite anywhere in kunit.py's groups; {} if it is not there."""
    if group.get("name") == name:
        return group
    return next((found for sub in group.get("sub_groups", []) if (found := find(sub, name))), {})


def collect(group: dict[str, Any], prefix: str, verdict: Verdict) -> None:
    """Note every case below a group; a parameter is a case of its own."""
    words = {"PASS": "pass", "SKIP": "skip"}
    for case in group.get("test_cases", []):
        verdict.outcomes[f"{prefix}{case['name']}"] = words.get(case["status"], "fail")
    for sub in group.get("sub_groups", []):
        collect(sub, f"{prefix}{sub['name']}: ", verdict)
