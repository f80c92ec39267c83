# SPDX-License-Identifier: GPL-2.0-only
"""The suites of a soak: a race is whole, quiet and above zero, or it failed."""

from lab.judge.verdict import Logs, Verdict
from lab.suites import soak
from lab.suites.soak import FIGURES, Race, Users
from lab.suites.suite import Expect
from lab.tests.judge.judging import (FAILED, FAILURE, FINE, NO_RESULT, OK, SOAKED, USAGE,
                                     USERS, Judging, spoilt)
from lab.verbs.soak import read_allowed

WORKER = "worker 1 round 2: slot 3, kind 0: 1 starts never ended\n"
WATCHES = "kcsan: selftest: 3/3 tests passed"


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
