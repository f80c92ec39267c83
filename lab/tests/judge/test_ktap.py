# SPDX-License-Identifier: GPL-2.0-only
"""The reader of KTAP: flat, nested, and as the guest's init ends it."""

import unittest

from lab.judge import ktap
from lab.judge.ktap import Plan
from lab.suites import kunit
from lab.tests.judge.judging import golden, spoilt

FLAT = "KTAP version 1\n1..2\nok 1 a\nok 2 b\n"
DEEP = ("1..1\n    # Subtest: s\n    1..2\n        # Subtest: c\n        ok 1 x\n"
        "        ok 2 y\n    ok 1 c\n    ok 2 d\nok 1 s\n")


class Reader(unittest.TestCase):
    def test_a_result(self) -> None:
        for line, name, outcome, reason in (
            ("ok 1 a b # x", "a b", "pass", "x"), ("ok 1 - a", "a", "pass", ""),
            ("ok 1 -4", "-4", "pass", ""), ("not ok 1 a # why", "a", "fail", "why"),
            ("ok 1 a # SKIP why", "a", "skip", "why"), ("ok 1 a # skip", "a", "skip", ""),
            ("not ok 1 a # SKIP x", "a", "fail", "x"), ("ok 1 a # SKIPS", "a", "pass", "SKIPS"),
            ("ok 1 a # no # SKIP", "a", "pass", "no # SKIP")):
            found = ktap.read(f"1..1\r\n{line}\r\n", Plan.FIRST)
            self.assertEqual((found.outcomes, found.reasons, found.incomplete),
                             ({name: outcome}, {name: reason}, ""), line)

    def test_names_of_selftests(self) -> None:
        """The harness's announcement, a word, or the program's name and the number."""
        text = "1..4\n#  RUN           hmm.read ...\nok 1 x\nok 2 word\nok 3 1 MB\nok 4 # SKIP\n"
        self.assertEqual(ktap.read(text, Plan.MET, "prog").outcomes,
                         {"hmm.read": "pass", "word": "pass", "prog 3": "pass", "prog 4": "skip"})

    def test_incomplete_flat_results(self) -> None:
        for old, new, words in (
            ("1..2\n", "", "no plan"), ("1..2", "1..3", "plan not met: 2 results of 3"),
            ("1..2", "1..1", "2 results of 1"), ("ok 1 a\n", "", "result 2 (b) follows result 0"),
            ("ok 2", "ok 3", "result 3 (b) follows result 1"), ("ok 2", "ok 1", "result 1 (b)"),
            ("ok 2 b", "ok 2 a", "a has two results"), ("ok 2 b\n", "", "1 results of 2"),
            ("ok 2", "Bail out! x\nBail out!\nok 2", "! x"), ("ok 2", "    ok 1 b\nok 2", "b has"),
            ("ok 2 b\n", "    1..1\n    ok 1 b\n", "a subtest has no result"),
            ("ok 2 b\n", "    1..2\n    ok 1 x\nok 2 b\n", "plan of b not met: 1 results of 2")):
            self.assertIn(words, ktap.read(spoilt(FLAT, old, new), Plan.MET).incomplete)
        self.assertEqual(ktap.read(FLAT, Plan.MET).incomplete, "")
        self.assertIn("no plan", ktap.read("", Plan.MET).incomplete)
        last = "ok 1 a\nok 2 b\n1..2\n"
        self.assertEqual(ktap.read(last, Plan.MET).incomplete, "")
        self.assertIn("before any plan", ktap.read(last, Plan.FIRST).incomplete)

    def test_golden(self) -> None:
        for base in ("7.3", "6.12", "6.1"):
            found = kunit.read(golden(f"kunit-{base}.console"))
            shown = "".join(f"{found.outcomes[name]} {name}\n" for name in found.outcomes)
            self.assertEqual(shown, golden(f"kunit-{base}.outcomes"))
            self.assertEqual((found.incomplete, found.suites), ("", ["mmu_notifier"]))
        self.assertIn("was reported before, once per boot",
                      kunit.read(golden("kunit-6.12.console")).reasons.values())

    def test_incomplete_nested_results(self) -> None:
        code = "a_wrong_code_is_reported"
        for old, new, words in (
            ("] 1..1", "] 1..2", "plan not met: 1 results of 2"), ("] 1..1", "]", "hold no plan"),
            ("    1..3", "    1..4", "plan of mmu_notifier not met: 3 results of 4"),
            ("    1..3", "    1 .3", "mmu_notifier has no plan"),
            ("# Subtest: mmu", "# Subtext: mmu", "without a name is named mmu_notifier"),
            (f"# Subtest: {code}", "", f"a subtest without a name is named {code}"),
            ("ok 3 a_wrong_code", "ok 3 a_code", f"{code} is named a_code_is"),
            ("    ok 3 a_wrong", "    3 a_wrong", "plan of mmu_notifier not met: 2 results of 3"),
            ("ok 2 -12", "ok 2 -4", f"{code}: -4 has two results"),
            ("ok 2 -12", "-12", "result 3 (-16) follows result 1"),
            ("        ok 4 1", "        4 1", f"{code} has 3 results of 4"),
            ("ok 1 mmu_notifier", "", "mmu_notifier has no result"),
            ("    ok 1 an_mm", "    Bail out! an_mm", "Bail out!")):
            found = kunit.read(spoilt(golden("kunit-7.3.console"), old, new))
            self.assertIn(words, found.incomplete, old)

    def test_failures(self) -> None:
        """A subtest that fails for a reason of its own is a failure, too."""
        for lines, failed in (((" ok 2 y", " ok 1 c", "\nok 1 s"), "c: y"), (("\nok 1 s",), "s"),
                              ((" ok 2 d", "\nok 1 s"), "d"), ((" ok 1 c", "\nok 1 s"), "c")):
            text = DEEP
            for line in lines:
                text = spoilt(text, line, line.replace("ok", "not ok"))
            found = ktap.read(text, Plan.NESTED)
            failures = [name for name, outcome in found.outcomes.items() if outcome == "fail"]
            self.assertEqual((failures, found.incomplete, found.suites), ([failed], "", ["s"]))

    def test_skips_that_the_lines_do_not_show(self) -> None:
        """6.1 gives only how many parameters of a case were skipped: the last ones."""
        for name, skips, mark, expected in (
            ("c", 0, "", ["pass", "pass"]), ("c", 1, "", ["pass", "skip"]),
            ("c", 2, "", ["skip", "skip"]), ("c", 1, " # SKIP", ["skip", "pass"]),
            ("c", 2, " # SKIP", ["skip", "skip"]), ("c", 3, "", ["skip", "skip"]),
            ("other", 1, "", ["pass", "pass"])):
            total = f"    # {name}: pass:0 fail:0 skip:{skips} total:2\n    ok 1 c"
            text = spoilt(spoilt(DEEP, "    ok 1 c", total), "ok 1 x", f"ok 1 x{mark}")
            found = ktap.read(text, Plan.NESTED)
            self.assertEqual([*found.outcomes.values(), found.incomplete], [*expected, "pass", ""])

    def test_other_lines(self) -> None:
        """Other words, and lines with another indentation, are no results."""
        text = DEEP.replace("\n", "\n  ok 9 odd\n  # Subtest: odd\n# ok 1 s\nnot now\n")
        self.assertEqual(ktap.read(text, Plan.NESTED), ktap.read(DEEP, Plan.NESTED))
        text = "1..1\n    # Subtest: s\n    1..0\nok 1 s\n"
        self.assertEqual(ktap.read(text, Plan.NESTED).suites, [])

    def test_exit_status(self) -> None:
        """It is the result of a program without results; it must not contradict results."""
        one = "1..1\nok 1 a\n"
        for text, plan, status, outcome, words in (
            ("x\n", Plan.MET, 0, "pass", ""), ("x\n", Plan.MET, 1, "fail", ""),
            ("x\n", Plan.MET, 4, "skip", ""), ("x\n", Plan.MET, 127, "fail", ""),
            ("", Plan.MET, 4, "skip", ""), ("x\n", Plan.FIRST, 0, "", "hold no plan"),
            (one, Plan.MET, 1, "pass", "prog exited 1 though no test failed"),
            (one, Plan.FIRST, 4, "pass", ""), (one, Plan.FIRST, 3, "pass", "though no test failed"),
            (one, Plan.FIRST, 0, "pass", ""), ("1..1\nnot ok 1 a\n", Plan.FIRST, 1, "fail", ""),
            ("1..0\n", Plan.MET, 4, "", ""), ("1..1\n", Plan.MET, 0, "", "plan not met"),
            ("Bail out!\n", Plan.MET, 0, "", "Bail"), ("Bail out!\n", Plan.MET, 1, "", "Bail")):
            found = ktap.read_program(f"{text}lab: prog exited {status}\n", "prog", plan)
            self.assertEqual("".join(found.outcomes.values()), outcome, text)
            self.assertEqual(bool(found.incomplete), bool(words), text)
            self.assertIn(words, found.incomplete)
            self.assertIn(found.reasons.get("prog"), (None, "x", "lab: prog exited 4"))

    def test_another_end(self) -> None:
        for end, words in (
            ("", "cut: they end in 'ok 2 b'"), ("lab: prog exited 0", "cut: they end in "),
            ("lab: prog exited 0 \n", "lab: prog exited 0 "), ("lab: no\n", "lab: no"),
            ("lab: prog exited 0\nmore\n", "cut: they end in 'more'")):
            self.assertIn(words, ktap.read_program(FLAT + end, "prog", Plan.MET).incomplete)
        self.assertIn("wrote no", ktap.read_program("\n\n", "prog", Plan.MET).incomplete)
