# SPDX-License-Identifier: GPL-2.0-only
"""What a run leaves: the table, report.json, report.ktap."""

import re

from lab.judge import ktap
from lab.judge.ktap import Plan
from lab.judge.verdict import Splat, Verdict, same
from lab.suites.kit import Case
from lab.tests.judge.judging import FAILED, Judging
from lab.verbs import report

CASES = {name: Case(name, "pass", cures, None) for name, cures in (
    ("one", ("fix",)), ("two", ("fix", "other")), ("three", ()), ("four", ("other",)))}
HUNG = "INFO: task mn-kit:9 blocked for more than 3 seconds."


def verdict(*words: str) -> Verdict:
    """Give a verdict with an outcome for each case, and a reason for each failure."""
    found = dict(zip(CASES, words, strict=False))
    return Verdict(outcomes=found, reasons={name: f"why {name}" for name, one in found.items()
                                            if one == "fail"})


class Report(Judging):
    def table(self, stock: Verdict) -> list[str]:
        patched = verdict("pass", "pass", "pass", "skip")
        text = report.before_after("title", ["fix", "other", "none"], CASES, stock, patched)
        return [re.sub(" +", " ", line).strip() for line in text.splitlines()]

    def test_table(self) -> None:
        stock = verdict("fail", "fail", "pass", "skip")
        self.assertEqual(self.table(stock), [
            "title", "stock patched", "cases that need the patch pass fail skip | pass fail skip",
            "fix . 2 . | 2 . .", "one: why one (and 1 more)", "other . . 1 | . . 1",
            "(needs no patch) 1 . . | 1 . .", "all cases 1 2 1 | 3 . 1"])
        stock.splats = [Splat("WARNING: x", "two"), Splat(HUNG, ""), Splat("BUG: y", "")]
        self.assertIn("two: why two (and 1 more)", self.table(stock))
        last = ["splats of the stock kernel: 3, 1 of them of a hung task", HUNG]
        self.assertEqual(self.table(stock)[-2:], last)
        self.assertIn("all cases 1 . . | 3 . 1", self.table(verdict("pass")))

    def test_line_of_a_program(self) -> None:
        stock, patched = verdict("pass", "skip"), verdict("fail", "skip")
        same(stock, patched)
        for verdicts, line in (
            ({"a": stock, "b": stock}, "a 1 pass, 1 skip; b 1 pass, 1 skip: same"),
            ({"a": stock, "b": patched}, "a 1 pass, 1 skip; b 1 fail, 1 skip: NOT the same"),
            ({"b": stock}, "b 1 pass, 1 skip")):
            self.assertEqual(report.selftest("x", verdicts, {"y": "slow"}),
                             f"x: {line}\n    without y: slow")

    def test_files(self) -> None:
        """Our own reader takes report.ktap: "ok" is "as expected"."""
        bad = verdict("fail", "pass", "skip").conclude([], "", ["bad"])
        bad.unexpected, bad.splats = ["one"], [Splat("BUG: y", "one", True)]
        found = report.as_json(bad)
        cases = found.pop("cases")
        self.assertEqual(found, {"status": FAILED, "problems": ["bad"], "splats": [
            {"line": "BUG: y", "case": "one", "allowed": True}]})
        self.assertEqual(cases["one"], {"result": "fail", "reason": "why one", "expected": False})
        self.assertEqual(cases["two"], {"result": "pass", "reason": "", "expected": True})
        text = report.as_ktap({"patched": bad, "stock": verdict("fail")})
        for lines in ("    # one fails: why one\n    not ok 1 one\n", "    ok 1 one\nok 2 stock\n",
                      "    ok 3 three # SKIP\n# bad\nnot ok 1 patched\n"):
            self.assertIn(lines, text)
        results = ktap.read(report.as_ktap({"patched": bad}), Plan.FIRST)
        self.assertEqual((results.outcomes, results.incomplete), (bad.outcomes, ""))
