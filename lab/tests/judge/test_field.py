# SPDX-License-Identifier: GPL-2.0-only
"""The kit on real kernels: golden logs, and each way they can be wrong."""

import re

from lab.base.data import ROOT
from lab.judge.verdict import PATCHED, STOCK, Logs, Verdict
from lab.suites.field import BOOTS, Field, parse
from lab.suites.kit import read_cases
from lab.suites.suite import Expect
from lab.tests.judge.judging import (FAILED, FINE, GUEST, NO_RESULT, OK, WARNING, Judging, cuts,
                                     golden, spoilt)
from lab.verbs import field

AFFECTED, CURED = golden("field-affected.results"), golden("field-cured.results")
LOCKED = golden("field-lockdown.results")
CASES = read_cases(ROOT / "kit/cases")


def judged(text: str, kernel: str = STOCK, boot: str = "safe", console: str = FINE,
           ended: bool = True) -> Verdict:
    return Field(boot, CASES).judge(Logs(text, console, ended), Expect(kernel))


def usual(text: str, old: str, new: str) -> str:
    """Replace something in the facts of the usual machine."""
    line = next(line for line in text.splitlines() if line.startswith("field: usual status="))
    return spoilt(text, line, re.sub(old, new, line))


class Machines(Judging):
    def test_golden_logs(self) -> None:
        for text, kernel in ((AFFECTED, STOCK), (CURED, PATCHED)):
            verdict = self.check(judged(text, kernel), OK)
            self.assertEqual([*verdict.outcomes], [*BOOTS["safe"][1]])
            other = PATCHED if kernel == STOCK else STOCK
            found = self.check(judged(text, other), FAILED, f"verdict {'not-' * (kernel != STOCK)}"
                               "affected, not ").unexpected
            self.assertLessEqual({"usual", "one-cpu", "pid-namespace", "first-run"}, {*found})
        self.check(judged(LOCKED, boot="lockdown"), OK)
        for end in cuts(LOCKED):
            self.check(judged(end, boot="lockdown"), NO_RESULT)
        self.check(judged(CURED.replace("\n", "\r\n"), PATCHED), OK)

    def test_what_is_wrong_on_one_machine(self) -> None:
        for old, new, words in (
            ("status=1", "status=0", "exit status 0 with verdict affected"),
            (r"to=\d+", "to=999", "s, not at most 30"), (r"lines=\d+", "lines=501", "501 lines"),
            ("module=0", "module=1", "left behind: module=1 cgroups=0"),
            ("cgroups=0", "cgroups=1", "left behind"), ("processes=0", "processes=1", "left beh"),
            ("subtree=pids", "subtree=memory,pids", "before: module=0 cgroups=0 processes=0 sub")):
            self.check(judged(usual(AFFECTED, old, new)), FAILED, words, ["usual"])
        for old, new, words, name in (
            ("verdict=affected", "verdict=unknown", "verdict unknown, not affected", "usual"),
            ("verdict=affected", "verdict=", "verdict none, not affected", "usual"),
            ("not ok 4 refuser", "ok 4 refuser", "refuser_first_among_1: pass", "usual"),
            ("\nok 3 all", "\nnot ok 3 all", "all_accept: fail", "usual"),
            ("\nok 3 all_accept", "", "result 4", "usual"),
            ("another run is", "no run is", "exit status 3, verdict none, not 3 another",
             "second-run"),
            ("ctrl-c status=130", "ctrl-c status=1", "exit status 1, verdict none", "ctrl-c"),
            ("field: there is a cgroup\n", "", "not 130 there is a cgroup", "ctrl-c")):
            self.check(judged(spoilt(AFFECTED, old, new)), FAILED, words, [name])
        end = "# mn-kit verdict=affected mode=safe pass=0 fail=1 skip=0\nfield: ctrl-c status"
        self.check(judged(spoilt(AFFECTED, "field: ctrl-c status", end)), FAILED, "verdict aff")
        wrong = spoilt(CURED[CURED.index("field: ptrace"):], "unknown", "affected")
        self.check(judged(CURED[:CURED.index("field: ptrace")] + wrong, PATCHED), FAILED,
                   "verdict affected, not not-affected", ["ptrace-scope-3"])
        self.check(judged(AFFECTED.replace("subtree=pids", "subtree=memory")), FAILED, "hands down")

    def test_logs_that_are_not_whole(self) -> None:
        for text, words in (
            ("", "not whole"), (AFFECTED[:-11], "not whole"),
            (spoilt(AFFECTED, "field: safe on", "x"), "do not begin"),
            (spoilt(AFFECTED, "field: one-cpu status", "x"), "no whole run on: one-cpu"),
            (spoilt(AFFECTED, "field: one-cpu status", "field: x status"), "on: one-cpu"),
            (AFFECTED.replace("ctrl-c", "x"), "on: ctrl-c")):
            self.check(judged(text), NO_RESULT, words)
        self.check(judged(AFFECTED, console=""), NO_RESULT, "wrote nothing")
        self.check(judged(AFFECTED, ended=False), GUEST, "hung")

    def test_splats(self) -> None:
        """Safe mode warns on no kernel; --all where it must."""
        self.check(judged(AFFECTED, console=FINE + WARNING), GUEST, "splat: WARNING")
        text = AFFECTED[:AFFECTED.index("field: one-cpu")].replace("field: safe", "field: all")
        whole = usual(text, "module=0", "module=1") + "field: end\n"
        self.check(judged(whole, boot="all", console=FINE + WARNING), OK)
        clean = CURED[:CURED.index("field: one-cpu")].replace("field: safe", "field: all")
        clean += "field: end\n"
        report = WARNING.replace("mm/x.c", "mm/mmu_notifier.c")
        for log, console, status in ((clean, report, OK), (clean, WARNING, GUEST),
                                     (usual(clean, "module=0", "module=1"), FINE, FAILED)):
            self.check(judged(log, PATCHED, "all", FINE + console), status,
                       {OK: "", GUEST: "splat", FAILED: "left behind"}[status])

    def test_row(self) -> None:
        runs = {name: parse(AFFECTED if name == "safe" else LOCKED, name) for name in BOOTS}
        row = field.row_of(runs, [judged(AFFECTED)])
        self.assertEqual((row["verdict"], row["left"], row["right"], row["all"]),
                         ("affected", "nothing", "11 of 11", "0/0/0"))
        self.assertEqual(row["machines"]["safe second-run"], "exit status 3")
