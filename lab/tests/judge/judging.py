# SPDX-License-Identifier: GPL-2.0-only
"""What the judge's tests share: golden logs, ways to spoil them, one check of a verdict."""

from collections.abc import Iterator
from pathlib import Path

from lab.base.errors import Status
from lab.judge.verdict import Verdict
from lab.suites.kit import Case, read_cases
from lab.suites.mirror import Mirror
from lab.tests.repository import Repository

OK, FAILED, USAGE, NOT_BUILT, GUEST, NO_RESULT = (
    Status.OK, Status.TEST_FAILED, Status.USAGE, Status.NOT_BUILT, Status.GUEST, Status.NO_RESULT)
GOLDEN = Path(__file__).parents[1] / "golden"
CASES = read_cases(GOLDEN / "cases")
OLD = Mirror()  # with the cases of hmm-mirror-tests.results
OLD.cases = {name: Case(name, stock, cures, None) for name, stock, cures in (
    ("sees", "pass", ()), ("refuses", "fail", ("exact-pairs",)), ("skips", "skip", ()))}
FINE = "[    1.0] fine\n"
WARNING = "[    1.0] WARNING: CPU: 0 PID: 1 at mm/x.c:1 f+0x1/0x2\n"
NO_CONSOLE = {"": "wrote nothing on its console", "\n": "wrote nothing on its console",
              f"{FINE}** 7 printk messages dropped **\n":
              "the console lost messages 1 times: ** 7 printk messages dropped **"}


def golden(name: str) -> str:
    return (GOLDEN / name).read_text(encoding="utf-8")


SOAKED = golden("mn-soak.results")
FAILURE = SOAKED.replace("failures 0", "failures 1").replace("exited 0", "exited 1")
USERS = "1..2\nok 1 kvm\nok 2 rxe # SKIP rxe does not page in\nlab: mn-users exited 0\n"


def spoilt(text: str, old: str, new: str) -> str:
    """Replace the first `old`, which has to be there."""
    assert old in text, old
    return text.replace(old, new, 1)


def cuts(text: str) -> Iterator[str]:
    return (text[:length] for length in range(len(text)))


class Judging(Repository):
    def check(self, verdict: Verdict, status: Status, words: str = "",
              unexpected: list[str] | None = None) -> Verdict:
        """Expect a status, words in the problems, and the names of the unexpected cases."""
        self.assertEqual(verdict.status, status, verdict.problems)
        self.assertIn(words, "\n".join(verdict.problems))
        self.assertEqual(bool(verdict.problems), bool(status))
        if unexpected is not None:
            self.assertEqual(verdict.unexpected, unexpected)
        return verdict
