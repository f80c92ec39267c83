# SPDX-License-Identifier: GPL-2.0-only
"""The suite of v5.3: hmm-mirror-tests, which the part adds, judged by series/5.3/cases.

The kit does not know so old a kernel. `stock` is here the part without its fixes: the tests need
the interface that its first patch makes.
"""

import re
from pathlib import Path

from lab.base.data import ROOT
from lab.base.memory import key
from lab.judge.verdict import PATCHED, Logs, Verdict
from lab.kernel.build import compiler
from lab.kernel.kernel import Kernel
from lab.suites.kit import NEVER, Kit, read_cases
from lab.suites.suite import Expect, Files, program

PROGRAM = Path("tools/testing/selftests/vm/hmm-mirror-tests.c")
CASES = ROOT / "series/5.3/cases"
NOTE = (f" With TREE=DIR. The cases are those of {PROGRAM.stem}, and stock is the part without its "
        "fixes: the tests need its interface.")
# What v5.3's harness prints
PLAN = re.compile(r"\[=+\] Running (\d+) tests from")
RESULT = re.compile(r"\[ +(OK|FAIL) \] (?:global|hmm_mirror)\.(\S+)$")
REMARK = re.compile(r"\S+:\d+:(?:global|hmm_mirror)\.(\w+):(.*)$")
# A wrong code is reported on purpose: a message, then a warning. The tests count both.
REPORT = re.compile(r"test_mirror_(?:sync|start).* returned -?\d+ for a ")
# The report of the unpatched code; a kernel that lacks a patch may print it.
OLD_REPORT = re.compile(r"WARNING: .* at \S*mm/(?:hmm|mmu_notifier)\.c:")


class Mirror(Kit):
    """hmm-mirror-tests on v5.3, judged as the kit is judged."""

    name = PROGRAM.stem
    line = f"lab.run=/{name}"

    def __init__(self, may_skip: str = NEVER) -> None:
        super().__init__(read_cases(CASES), may_skip)

    def contents(self, kernel: Kernel) -> Files:
        made = program(kernel.arch, kernel.place, self.name, key(kernel.tree_key, compiler()),
                       ["-Wall", "-Werror", (kernel.src / PROGRAM).absolute()],
                       before=kernel.checkout)
        return {f"/{self.name}": made}

    def judge(self, logs: Logs, expect: Expect) -> Verdict:
        console = without_reports(logs.console, expect.kernel)
        return super().judge(Logs(as_ktap(logs.results), console, logs.ended), expect)


def as_ktap(text: str) -> str:
    lines: list[str] = []
    remarks: dict[str, str] = {}
    number = 0
    for line in text.splitlines():
        if plan := PLAN.match(line):
            lines.append(f"1..{plan[1]}")
        elif remark := REMARK.match(line):
            remarks.setdefault(remark[1], remark[2])
        elif result := RESULT.match(line):
            number += 1
            why = f" # {remarks[result[2]]}" if result[2] in remarks else ""
            lines.append(f"{'ok' if result[1] == 'OK' else 'not ok'} {number} {result[2]}{why}")
        elif line.startswith("lab: "):
            lines.append(line)
    return "".join(f"{line}\n" for line in lines) if text.endswith("\n") else text


def without_reports(console: str, expected: str) -> str:
    kept, report_begun = [], False
    for line in console.splitlines():
        warning = "WARNING: " in line
        old = expected != PATCHED and OLD_REPORT.search(line)
        if not (report_begun and warning or old):
            kept.append(line)
        report_begun = bool(REPORT.search(line)) or (report_begun and not warning)
    return "\n".join(kept)
