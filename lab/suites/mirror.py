# SPDX-License-Identifier: GPL-2.0-only
"""The suite of v5.3: hmm-mirror-tests, which the part adds, judged by series/5.3/cases.

The kit does not know so old a kernel. `stock` is here the part without its fixes: the tests need
the interface that its first patch makes.
"""

import re
from pathlib import Path

from lab.base import memory
from lab.base.data import ROOT
from lab.base.errors import Status
from lab.base.memory import key
from lab.base.proc import Shell
from lab.judge.verdict import PATCHED, Logs, Verdict
from lab.kernel.build import compiler
from lab.kernel.kernel import Kernel
from lab.suites import kit
from lab.suites.suite import Expect, Suite

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


class Mirror(Suite):
    """hmm-mirror-tests on v5.3."""

    name = PROGRAM.stem

    def __init__(self) -> None:
        self.cases = kit.read_cases(CASES)

    def contents(self, kernel: Kernel) -> str:
        """Build the program from the kernel's tree."""
        def work(shell: Shell) -> None:
            kernel.checkout()
            flags = ["-static", "-O2", "-Wall", "-Werror"]
            source = (kernel.src / PROGRAM).absolute()
            shell.run(["gcc", *flags, "-o", self.name, source], Status.NOT_BUILT,
                      cwd=kernel.place)

        made = kernel.place / self.name
        memory.step(kernel.place, "program", key(kernel.tree_key, compiler()), made, work)
        return f"file /{self.name} {made.absolute()} 755 0 0\n"

    def words(self) -> str:
        """Run the program."""
        return f"lab.run=/{self.name}"

    def judge(self, logs: Logs, expect: Expect) -> Verdict:
        """Judge as the kit is judged."""
        console = without_reports(logs.console, expect.kernel)
        return kit.judge(Logs(as_ktap(logs.results), console, logs.ended), self.cases, expect)


def as_ktap(text: str) -> str:
    """Write the results of v5.3's harness as the kit would."""
    lines: list[str] = []
    remarks: dict[str, str] = {}
    number = 0
    for line in (line.rstrip("\r") for line in text.splitlines()):
        plan, result, remark = PLAN.match(line), RESULT.match(line), REMARK.match(line)
        if plan:
            lines.append(f"1..{plan[1]}")
        elif remark:
            remarks.setdefault(remark[1], remark[2])
        elif result:
            number += 1
            said = remarks.get(result[2], "")
            word = "ok" if result[1] == "OK" else "not ok"
            lines.append(f"{word} {number} {result[2]}" + (f" # {said}" if said else ""))
        elif line.startswith("lab: "):
            lines.append(line.replace(f"lab: {PROGRAM.stem} ", "lab: kit "))
    return "".join(f"{line}\n" for line in lines) if text.endswith("\n") else text


def without_reports(console: str, expected: str) -> str:
    """Leave out the reports that the tests provoke."""
    kept, report_begun = [], False
    for line in console.splitlines():
        warning = "WARNING: " in line
        old = expected != PATCHED and OLD_REPORT.search(line)
        if not (report_begun and warning or old):
            kept.append(line)
        report_begun = bool(REPORT.search(line)) or (report_begun and not warning)
    return "\n".join(kept)
