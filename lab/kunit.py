# SPDX-License-Identifier: GPL-2.0-only
"""Station "kunit": the suite that the series adds, run as the kernel boots and parsed by the tree's own kunit.py."""

import json
import sys
from pathlib import Path
from typing import Any

from lab import vm
from lab.errors import LabError, Status
from lab.proc import ask
from lab.results import Console, Verdict, splats

SUITE = "mmu_notifier"
SOURCE = "mm/tests/mmu_notifier_kunit.c"
# The kit's program only lists its cases; KUnit has run before init.
BOOT = f"kunit.enable=1 kunit.filter_glob={SUITE} kit.args=--list"


def present(src: Path) -> bool:
    """Say whether a tree has the suite."""
    return (src / SOURCE).exists()


def run(place: Path, src: Path) -> Verdict:
    """Boot once more with KUnit enabled and judge what the suite printed on the console."""
    ended = vm.boot(place, src, "kunit", BOOT)
    console = place / "kunit-console.log"
    parsed = place / "kunit.json"
    parsed.unlink(missing_ok=True)
    try:
        ask([sys.executable, src / "tools/testing/kunit/kunit.py", "parse", f"--json={parsed.absolute()}", console], Status.NO_RESULT)
    except LabError:
        pass  # it exits with 1 when a case failed; what counts is what it parsed
    text = console.read_text(encoding="utf-8", errors="replace") if console.exists() else ""
    return judge(json.loads(parsed.read_text(encoding="utf-8")) if parsed.exists() else {}, text, ended)


def judge(parsed: dict[str, Any], console: str, ended: bool) -> Verdict:
    """Judge kunit.py's JSON and the console: all cases pass, at least one ran, nothing splats."""
    verdict = Verdict()
    suite = find(parsed, SUITE)
    if suite:
        collect(suite, "", verdict)
    errors = suite.get("misc", {}).get("errors", 0) if suite else 0
    found = splats(Console.parse(console))
    verdict.unexpected = [name for name, outcome in verdict.outcomes.items() if outcome == "fail"]
    verdict.problems = [f"kunit: {name} fails" for name in verdict.unexpected]
    verdict.problems = [f"kunit: splat: {line}" for line in found] + verdict.problems
    if not ended or found:
        verdict.status = Status.GUEST
        verdict.problems.insert(0, "kunit: the guest hung and was stopped" if not ended else "kunit: the kernel complained")
    elif not verdict.outcomes or errors:
        verdict.status = Status.NO_RESULT
        verdict.problems.insert(0, f"kunit: {'no result' if not suite else f'{errors} errors in the results'} of suite {SUITE}")
    elif verdict.unexpected:
        verdict.status = Status.TEST_FAILED
    return verdict


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
