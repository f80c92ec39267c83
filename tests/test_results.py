# SPDX-License-Identifier: GPL-2.0-only
"""Golden logs in, verdicts out. Each test spoils one good pair of logs in one way."""

import tempfile
import unittest
from pathlib import Path

from lab import vm
from lab.data import read_cases
from lab.errors import Status
from lab.results import PATCHED, REPLAY, STOCK, Console, Verdict, judge, lost, unusable, whole_records

GOLDEN = Path(__file__).parent / "golden"
CASES = read_cases(GOLDEN / "cases")
WRONG_CODE = "wrong_refusal_code_is_reported_once"


def logs(flavour: str) -> tuple[str, str]:
    """Give the good results and console of a flavour."""
    return (GOLDEN / f"{flavour}.results").read_text(), (GOLDEN / f"{flavour}.console").read_text()


def after(text: str, marker: str, line: str) -> str:
    """Put a line behind the first line that ends in marker."""
    assert f"{marker}\n" in text
    return text.replace(f"{marker}\n", f"{marker}\n{line}\n", 1)


class Good(unittest.TestCase):
    """Logs as they should be."""

    def test_patched_passes(self) -> None:
        verdict = judge(*logs(PATCHED), CASES, PATCHED)
        self.assertEqual((verdict.status, verdict.problems, verdict.splats), (Status.OK, [], []))
        self.assertEqual(list(verdict.outcomes.values()), ["pass"] * 4 + ["skip", "pass"])

    def test_stock_fails_where_it_should(self) -> None:
        verdict = judge(*logs(STOCK), CASES, STOCK)
        self.assertEqual((verdict.status, verdict.problems), (Status.OK, []))
        self.assertEqual(len(verdict.failed()), 3)
        self.assertEqual([splat.case for splat in verdict.splats], [WRONG_CODE, "victim_exits_after_a_refusal"])

    def test_carriage_returns_do_not_matter(self) -> None:
        results, console = (text.replace("\n", "\r\n") for text in logs(PATCHED))
        self.assertEqual(judge(results, console, CASES, PATCHED).status, Status.OK)

    def test_reason_is_kept(self) -> None:
        verdict = judge(*logs(STOCK), CASES, STOCK)
        self.assertEqual(verdict.reasons["victim_exits_after_a_refusal"], "the victim never exits")

    def test_console_line_belongs_to_the_running_case(self) -> None:
        console = Console.parse("[ 1.0] mn_kit: case a\nx\nmn_kit: end a\n[    2.5][ T33] y\n")
        self.assertEqual([pair for pair in console.lines if "mn_kit" not in pair[1]], [("a", "x"), ("", "y")])


class WholeRecords(unittest.TestCase):
    """A record that another printer took over and began again."""

    RECORD = "[    2.1]     # case: EXPECTATION FAILED at x.c:1\n[    2.1]     Expected a == b, but\n[    2.1]         a == 1\n"

    def check(self, halves: str, record: str = RECORD) -> None:
        """Expect that nothing remains of the halves."""
        before, behind = "[    2.0]     ok 1 one\n", "[    2.2]     not ok 2 two\n"
        self.assertEqual(whole_records(before + halves + record + behind), before + record + behind)

    def test_nothing_is_replayed(self) -> None:
        self.check("")
        self.assertEqual(whole_records(""), "")

    def test_every_cut(self) -> None:
        for at in range(len(self.RECORD)):
            half = self.RECORD[:at]
            with self.subTest(half=half):
                self.check(f"{half}{'' if half.endswith(chr(10)) or not half else chr(10)}{REPLAY}\n")

    def test_begun_more_than_once(self) -> None:
        first = self.RECORD.partition("at x")[0]
        self.check(f"{first}\n{REPLAY}\n[    2.1]     # c\n{REPLAY}\n")
        self.check(f"[    2.1]     # c\n{REPLAY}\n{first}\n{REPLAY}\n")

    def test_begun_again_at_once(self) -> None:
        """Nothing was printed between the messages."""
        for halves in ("", "[    2.1]     # c\n"):
            self.check(f"{halves}{REPLAY}\n{REPLAY}\n")
            self.check(f"{halves}{REPLAY}\n{REPLAY[:9]}\n{REPLAY}\n")

    def test_the_message_itself_is_cut(self) -> None:
        self.check(f"[    2.1]     # c\n{REPLAY[:9]}\n{REPLAY}\n")

    def test_a_subtest(self) -> None:
        """Half of it would hide the subtest from kunit.py."""
        line = "[   17.525042]         # Subtest: a_refusal_is_one_step_of_the_sequence\n"
        for at in range(len(line) - 1):
            self.check(f"{line[:at]}\n{REPLAY}\n" if at else f"{REPLAY}\n", line)

    def test_only_a_half_goes(self) -> None:
        """Neighbours that are alike are records of their own; one of them at the most is taken for a half."""
        same = "[    2.1] callback failed\n"
        self.check("[    2.1] callb\n" + f"{REPLAY}\n", same)
        for half in ("", "[    2.1] callb\n"):
            lines = whole_records(f"{same * 9}{half}{REPLAY}\n{same * 9}").splitlines()
            self.assertEqual(set(lines), {same.strip()})
            self.assertIn(len(lines), (17, 18))

    def test_a_line_that_holds_the_message(self) -> None:
        """Only the message alone is one."""
        text = f"[    2.1] x\n[    2.1] {REPLAY}\n[    2.1] x\n"
        self.assertEqual(whole_records(text), text)

    def test_the_end_is_cut(self) -> None:
        """Nothing came after it: the half stays."""
        self.assertEqual(whole_records(f"a\nhalf\n{REPLAY}\nanother\n"), "a\nhalf\nanother\n")


class Reading(unittest.TestCase):
    """vm.logs(), through which every judge reads."""

    def test_logs(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder)
            self.assertEqual(vm.logs(place), ("", ""))
            for name, prefix in (("", ""), ("kunit", "kunit-")):
                (place / f"{prefix}console.log").write_text(f"half\n{REPLAY}\nhalf a line\n")
                (place / f"{prefix}results.log").write_text(f"half\n{REPLAY}\n")
                self.assertEqual(vm.logs(place, name), (f"half\n{REPLAY}\n", "half a line\n"))

    def test_lost(self) -> None:
        self.assertEqual([lost("[ 1.0] x\n"), unusable("[ 1.0] x\n"), lost("\n")], ["", "", ""])
        self.assertEqual(lost("[ 1.0] a test: ** 7 printk messages dropped **\n"), "")
        self.assertEqual(unusable("\n"), "the kernel wrote nothing on its console")


class NoResult(unittest.TestCase):
    """What is missing, cut or unknown is never a pass."""

    def check(self, results: str, words: str, flavour: str = PATCHED) -> None:
        """Expect NO_RESULT and a problem that says why."""
        verdict = judge(results, logs(flavour)[1], CASES, flavour)
        self.assertEqual(verdict.status, Status.NO_RESULT)
        self.assertIn(words, "\n".join(verdict.problems))

    def test_empty_results(self) -> None:
        self.check("", "wrote no results")

    def test_empty_console(self) -> None:
        verdict = judge(logs(PATCHED)[0], "\n", CASES, PATCHED)
        self.assertEqual((verdict.status, verdict.problems), (Status.NO_RESULT, ["the kernel wrote nothing on its console"]))

    def test_lost_messages(self) -> None:
        for flavour in (PATCHED, STOCK):
            results, console = logs(flavour)
            verdict = judge(results, f"{console}** 7 printk messages dropped **\n", CASES, flavour)
            self.assertEqual((verdict.status, verdict.problems), (Status.NO_RESULT, ["the console lost messages 1 times: ** 7 printk messages dropped **"]))

    def test_every_cut_is_seen(self) -> None:
        results = logs(PATCHED)[0]
        for length in range(len(results)):
            with self.subTest(length=length):
                self.check(results[:length], "")

    def test_no_plan(self) -> None:
        self.check(logs(PATCHED)[0].replace("1..6\n", ""), "before any plan")

    def test_plan_not_met(self) -> None:
        self.check(logs(PATCHED)[0].replace("1..6", "1..7"), "6 results of 7")

    def test_result_lost(self) -> None:
        self.check(logs(PATCHED)[0].replace("ok 3", "garbled 3"), "result 4")

    def test_zero_tests(self) -> None:
        self.check("KTAP version 1\n1..0\nlab: kit exited 0\n", "no result of all_accept")

    def test_missing_case(self) -> None:
        results = logs(PATCHED)[0].replace("ok 6 victim_exits_after_a_refusal\n", "").replace("1..6", "1..5")
        self.check(results, "no result of victim_exits_after_a_refusal")

    def test_unknown_case(self) -> None:
        self.check(logs(PATCHED)[0].replace("all_accept", "all_except"), "all_except is not in kit/cases")

    def test_duplicate_case(self) -> None:
        self.check(logs(PATCHED)[0].replace("2 refuser_first_among_1", "2 all_accept"), "all_accept has two results")

    def test_module_did_not_load(self) -> None:
        self.check("lab: cannot load module: Exec format error\n", "cannot load module: Exec format error")

    def test_kit_was_killed(self) -> None:
        results = logs(PATCHED)[0].replace("lab: kit exited 0", "lab: kit killed by signal 11")
        self.check(results, "killed by signal 11")

    def test_bail_out(self) -> None:
        self.check(after(logs(PATCHED)[0], "1..6", "Bail out! no module"), "Bail out! no module")

    def test_bad_exit_without_a_failed_case(self) -> None:
        self.check(logs(PATCHED)[0].replace("exited 0", "exited 1"), "though no case failed")


class Guest(unittest.TestCase):
    """Splats, panics and hangs."""

    def check(self, console: str, words: str, flavour: str = PATCHED, results: str = "", ended: bool = True) -> Verdict:
        """Expect GUEST and a problem that says why."""
        verdict = judge(results or logs(flavour)[0], console, CASES, flavour, ended=ended)
        self.assertEqual(verdict.status, Status.GUEST)
        self.assertIn(words, "\n".join(verdict.problems))
        return verdict

    def test_splats_are_known(self) -> None:
        for line in (
            "WARNING: CPU: 1 PID: 71 at mm/mmu_notifier.c:500 foo+0x1/0x2",
            "BUG: kernel NULL pointer dereference, address: 0000000000000008",
            "BUG: sleeping function called from invalid context at mm/x.c:1",
            "BUG: KASAN: slab-use-after-free in foo",
            "watchdog: BUG: soft lockup - CPU#0 stuck for 26s!",
            "Oops: 0000 [#1] SMP", "kernel BUG at mm/x.c:12!", "UBSAN: shift-out-of-bounds in mm/x.c:1:2",
            "rcu: INFO: rcu_sched detected stalls on CPUs/tasks:", "rcu: INFO: rcu_sched self-detected stall on CPU",
            "INFO: task mn-kit:71 blocked for more than 3 seconds.", "BUG: Bad page state in process x",
            "general protection fault, probably for non-canonical address",
        ):
            with self.subTest(line=line):
                console = after(logs(PATCHED)[1], "case refuser_first_among_1", f"[    1.02] {line}")
                self.check(console, f"splat in refuser_first_among_1: {line}")

    def test_splat_outside_any_case(self) -> None:
        console = after(logs(PATCHED)[1], "/init as init process", "[    0.7] WARNING: CPU: 0 PID: 1 at x.c:1 y")
        self.check(console, "splat outside any case")

    def test_report_of_another_kind_is_a_splat(self) -> None:
        console = after(logs(PATCHED)[1], f"case {WRONG_CODE}", "[    1.07] WARNING: CPU: 0 PID: 1 at x.c:1 y")
        self.check(console, f"splat in {WRONG_CODE}")

    def test_announced_report_is_no_splat(self) -> None:
        line = "[    1.07] WARNING: mn_kit_hlist_start+0x0/0x30 returned -22"
        verdict = judge(logs(PATCHED)[0], after(logs(PATCHED)[1], f"case {WRONG_CODE}", line), CASES, PATCHED)
        self.assertEqual((verdict.status, [splat.allowed for splat in verdict.splats]), (Status.OK, [True]))

    def test_hung_guest_names_the_last_case(self) -> None:
        results, console = logs(PATCHED)
        end = console.index("[    1.074033] mn_kit: end two_pass")
        self.check(console[:end], "last case: two_pass_is_finished", results=results[:90], ended=False)

    def test_guest_that_never_boots(self) -> None:
        verdict = judge("", "", CASES, PATCHED, ended=False)
        self.assertEqual(verdict.status, Status.GUEST)
        self.assertIn("last case: none started", verdict.problems[0])

    def test_panic_counts_more_than_the_missing_results(self) -> None:
        results, console = logs(PATCHED)
        line = "[    1.1] Kernel panic - not syncing: Fatal exception"
        verdict = self.check(after(console, "case refuser_first_among_1", line), "Kernel panic", results=results[:60])
        self.assertIn("the results are cut", "\n".join(verdict.problems))

    def test_stock_splat_in_a_case_that_passes(self) -> None:
        console = after(logs(STOCK)[1], "case all_accept", "[    1.0] WARNING: CPU: 0 PID: 1 at x.c:1 y")
        self.check(console, "splat in all_accept", STOCK)

    def test_stock_late_hung_task_is_allowed_only_after_a_failure(self) -> None:
        results, console = logs(STOCK)
        line = "[   44.0] INFO: task mn-kit:9 blocked for more than 3 seconds."
        late = after(console, "end victim_exits_after_a_refusal", line)
        self.assertEqual(judge(results, late, CASES, STOCK).status, Status.OK)
        self.check(after(console, "case all_accept", line), "splat in all_accept", STOCK)

    def test_stock_late_splat_of_another_kind(self) -> None:
        console = after(logs(STOCK)[1], "end victim_exits_after_a_refusal", "[   44.0] BUG: Bad page state")
        self.check(console, "splat outside any case: BUG: Bad page state", STOCK)

    def test_late_hung_task_on_patched(self) -> None:
        line = "[   44.0] INFO: task mn-kit:9 blocked for more than 3 seconds."
        self.check(after(logs(PATCHED)[1], "end victim_exits_after_a_refusal", line), "splat outside any case")


class TestFailed(unittest.TestCase):
    """Complete logs that say something else than they should."""

    def check(self, results: str, name: str, flavour: str, console: str = "") -> None:
        """Expect TEST_FAILED and exactly this case to be unexpected."""
        verdict = judge(results, console or logs(flavour)[1], CASES, flavour)
        self.assertEqual((verdict.status, verdict.unexpected), (Status.TEST_FAILED, [name]))
        self.assertIn(name, verdict.problems[0])

    def test_failure_on_patched(self) -> None:
        self.check(logs(PATCHED)[0].replace("ok 1 all", "not ok 1 all"), "all_accept", PATCHED)

    def test_unexpected_pass_on_stock(self) -> None:
        self.check(logs(STOCK)[0].replace("not ok 2", "ok 2"), "refuser_first_among_1", STOCK)

    def test_unexpected_failure_on_stock(self) -> None:
        self.check(logs(STOCK)[0].replace("ok 1", "not ok 1"), "all_accept", STOCK)

    def test_skip_not_allowed(self) -> None:
        results = logs(PATCHED)[0].replace("ok 1 all_accept", "ok 1 all_accept # SKIP no module")
        self.check(results, "all_accept", PATCHED)
        verdict = judge(results, logs(PATCHED)[1], CASES, PATCHED, allow_skip=True)
        self.assertEqual(verdict.status, Status.OK)

    def test_missing_report(self) -> None:
        console = logs(PATCHED)[1].replace("mn_kit_hlist_start+0x0/0x30 [mn_kit] returned", "somebody said")
        self.check(logs(PATCHED)[0], WRONG_CODE, PATCHED, console)

    def test_report_in_another_case_does_not_count(self) -> None:
        lines = logs(PATCHED)[1].splitlines()
        report = next(line for line in lines if "returned -22" in line)
        lines.remove(report)
        console = after("\n".join(lines) + "\n", "case all_accept", report)
        self.check(logs(PATCHED)[0], WRONG_CODE, PATCHED, console)


class Reverted(unittest.TestCase):
    """The patched kernel without one patch."""

    def test_its_case_fails(self) -> None:
        results = logs(PATCHED)[0].replace("ok 2", "not ok 2")
        self.assertEqual(judge(results, logs(PATCHED)[1], CASES, "exact-pairs").status, Status.OK)

    def test_no_case_fails(self) -> None:
        verdict = judge(*logs(PATCHED), CASES, "exact-pairs")
        self.assertEqual(verdict.status, Status.TEST_FAILED)
        self.assertIn("without exact-pairs none of its cases fails", verdict.problems[0])

    def test_no_case_named(self) -> None:
        verdict = judge(*logs(PATCHED), CASES, "nobody")
        self.assertIn("kit/cases names none", verdict.problems[0])

    def test_another_case_fails(self) -> None:
        results = logs(PATCHED)[0].replace("ok 1 all", "not ok 1 all").replace("ok 2", "not ok 2")
        verdict = judge(results, logs(PATCHED)[1], CASES, "exact-pairs")
        self.assertEqual((verdict.status, verdict.unexpected), (Status.TEST_FAILED, ["all_accept"]))

    def test_missing_report_is_a_failure_of_its_case(self) -> None:
        console = logs(PATCHED)[1].replace("returned -22", "said -22")
        verdict = judge(logs(PATCHED)[0], console, CASES, "callback-errors")
        self.assertEqual((verdict.status, verdict.failed()), (Status.OK, [WRONG_CODE]))
