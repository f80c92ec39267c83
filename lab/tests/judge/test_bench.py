# SPDX-License-Identifier: GPL-2.0-only
"""The numbers of bench and soak: a missed one is named; a log that is not whole does not count."""

from lab.judge.verdict import STOCK, Logs, Verdict
from lab.suites import soak
from lab.suites.bench import Bench, Rows, parse
from lab.suites.soak import FIGURES, Race, Users
from lab.suites.suite import Expect
from lab.tests.judge.judging import (FAILED, FAILURE, FINE, NO_RESULT, OK, SOAKED, USAGE, USERS,
                                     Judging, spoilt)
from lab.verbs import bench
from lab.verbs.soak import read_allowed

LOOP, LINES, OOM = ("calibrate instructions=1000000", "lines vmas=1000 hlist=8 refuser=0",
                    "oom hlist=8 refuser=0")
CALL, EMPTY = bench.SUCCESS[0], bench.FREE[1]
BEFORE = {LOOP: 1000010, **dict.fromkeys(bench.SUCCESS, 90000), LINES: 5055, OOM: 5000,
          **dict.fromkeys(bench.REFUSED, 12000000), **dict.fromkeys(bench.FREE, 2000000)}
AFTER = {**BEFORE, CALL: 89999, **dict.fromkeys(bench.REFUSED, 1200000), LINES: 0, EMPTY: 800001,
         bench.REFUSED[7]: 1100000}
SIZES = dict.fromkeys(bench.SIZES, 56)
WORKER = "worker 1 round 2: slot 3, kind 0: 1 starts never ended\n"
WATCHES = "kcsan: selftest: 3/3 tests passed"


def judged(text: str) -> Verdict:
    return Bench().judge(Logs(text, FINE), Expect(STOCK))


def log(rows: Rows) -> str:
    lines = [*(f"{name} {value}" for name, value in rows.items()), f"rows {len(rows)}"]
    return "\r\n".join([*lines, "lab: mn-bench exited 0", ""])


class Numbers(Judging):
    def test_rows_of_a_boot(self) -> None:
        """They are whole, and the loop took a tick for each instruction."""
        good = log(BEFORE)
        self.assertEqual(parse(good), BEFORE)
        self.assertEqual(self.check(judged(good), OK).outcomes, dict.fromkeys(BEFORE, "pass"))
        for old, new, words in (
            (CALL, "!", "not whole"), ("exited 0", "exited 1", "not whole"),
            (f"{OOM} 5000\r\n", "", "not whole"), (" 1000010", " 2000000", "not a tick"),
            (" 1000010", " 998000", "not a tick"), (LOOP, "x y=1", "not a tick")):
            self.check(judged(spoilt(good, old, new)), NO_RESULT, words)
        self.check(judged(log({})), NO_RESULT, "no loop")

    def test_limits(self) -> None:
        for name, value, words in (
            (CALL, 90044, ""), (OOM, 999999, ""),  # 1.000, to three decimals
            (CALL, 90046, "1.001 of stock (90046 after 90000 instructions), not at most 1.000"),
            *((name, 1200001, "10.0 times cheaper (1200001 after 12000000 instructions), not 10")
              for name in bench.REFUSED),
            *((name, 799999, "1.50 of it if the first of 8 notifiers refuses (1200000 of 799999 "
               "instructions), not at most 1.5") for name in bench.FREE),
            (LINES, 1, "1 lines in the log, not 0")):
            found = bench.judge(BEFORE, {**AFTER, name: value}, SIZES, SIZES)
            self.assertEqual(found, [f"{name}: {words}"] if words else [])
        less = {name: value for name, value in AFTER.items() if name not in (CALL, EMPTY)}
        for rows, names in (((BEFORE, {**AFTER, "x": 1}), ["x"]), ((less, less), [CALL, EMPTY]),
                            (({**BEFORE, "x": 1}, AFTER), ["x"]), ((BEFORE, less), [CALL, EMPTY])):
            self.assertEqual(bench.judge(*rows, SIZES, SIZES),
                             [f"{name}: not on both kernels" for name in names])

    def test_sizes(self) -> None:
        text = "".join(f"struct {name} {{\n\tint a; /* 0 4 */\n\n\t/* size: {size}, x */\n}};\n"
                       for name, size in SIZES.items())
        self.assertEqual(bench.parse_sizes(text), SIZES)
        self.assertEqual(bench.judge(BEFORE, AFTER, SIZES, {**SIZES, "mm_struct": 64}),
                         ["sizeof(struct mm_struct) was 56 and is 64"])
        self.refused(NO_RESULT, "no size of struct mm_struct", bench.parse_sizes,
                     text.replace("struct mm_struct", "struct other"))


def raced(text: str = SOAKED, console: str = FINE, watches: str = "") -> Verdict:
    return Race(20, 1, watches).judge(Logs(text, console), Expect())


class Judged(Judging):
    def test_whole_figures(self) -> None:
        self.assertEqual(self.check(raced(), OK).outcomes, {"mn-soak": "pass"})
        figures = soak.parse(SOAKED)
        self.assertEqual((figures["refused_reaps"], tuple(figures)), (156319, FIGURES))
        for old, new, words in (
            ("exited 0", "exited 1", "not whole"), ("soak reads", "reads", "no figure of reads"),
            ("soak reads", "soak more 7\nsoak reads", "no figure of what was asked for")):
            self.check(raced(spoilt(SOAKED, old, new)), NO_RESULT, words)
        self.check(raced(WORKER + spoilt(SOAKED, "exited 0", "exited 3")), NO_RESULT, WORKER[:-1])
        self.check(raced(spoilt(FAILURE, "exited 1", "exited 0")), NO_RESULT, "failures is 1")

    def test_figures(self) -> None:
        """What never happened was not tested."""
        for name, value in soak.parse(SOAKED).items():
            if name != "failures":
                verdict = raced(spoilt(SOAKED, f" {name} {value}", f" {name} 0"))
                self.check(verdict, FAILED, f"{name} is 0", ["mn-soak"])
        verdict = self.check(raced(WORKER + FAILURE), FAILED, "failures is 1", ["mn-soak"])
        self.assertEqual(verdict.problems[0], WORKER.strip())
        self.check(raced(WORKER + SOAKED), FAILED, "starts never ended", ["mn-soak"])
        self.check(raced(SOAKED, f"{FINE}[ 0.1] {WATCHES}\n", WATCHES), OK)
        self.check(raced(SOAKED, FINE, WATCHES), NO_RESULT, "does not report that it checks")

    def test_users(self) -> None:
        """A skip needs a reason that is allowed."""
        address = USERS.replace("rxe does", "no session of the kit comes before KVM's notifier:")
        for text, may_skip, status in (
            (USERS, "", FAILED), (USERS, "rxe does not", OK), (USERS, "does not", FAILED),
            (address, "", OK), (address, "rxe does not", OK),
            (USERS.replace("ok 2", "not ok 2"), "rxe does not", FAILED),
            ("1..1\nok 1 rxe # SKIP rxe\nlab: mn-users exited 0\n", "rxe", NO_RESULT)):
            verdict = Users(may_skip).judge(Logs(text, FINE), Expect())
            self.check(verdict, status, "", ["rxe"] if status == FAILED else [])

    def test_allowed_splats(self) -> None:
        text = "# head\nkcsan data-race.in.a./.b$ on purpose\nkcsan c.d why\nkasan x why\n"
        self.assertEqual(read_allowed(self.write("allowed", text)),
                         {"kcsan": ("data-race.in.a./.b$", "c.d"), "kasan": ("x",)})
        for bad in ("kcsan a.b\n", "ubsan a.b why\n", "kcsan a(b why\n"):
            self.refused(USAGE, "allowed:1", read_allowed, self.write("allowed", bad))
