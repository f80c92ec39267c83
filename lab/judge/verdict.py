# SPDX-License-Identifier: GPL-2.0-only
"""A verdict, and the one ladder: guest died > no complete result > test failed > as expected."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from lab.base.errors import Status

STOCK, PATCHED = "stock", "patched"  # what is expected; else the slug of the patch left out
COUNTED = ("pass", "fail", "skip")


@dataclass(frozen=True)
class Logs:
    """What a boot left: the results, the console in whole records, whether the guest ended."""

    results: str
    console: str
    ended: bool = True


@dataclass(frozen=True)
class Splat:
    """A kernel message that should not be there, and the case it fell into ("" outside any)."""

    line: str
    case: str
    allowed: bool = False


@dataclass
class Verdict:
    """What logs mean: `outcomes` maps each case to pass, fail or skip, in order.

    `unexpected` names the cases with another outcome than expected. `problems` lists all that is
    wrong, the most serious first.
    """

    status: Status = Status.OK
    outcomes: dict[str, str] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    splats: list[Splat] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def failed(self) -> list[str]:
        """Give the cases that failed."""
        return [name for name, outcome in self.outcomes.items() if outcome == "fail"]

    def fail(self, name: str, reason: str) -> None:
        """Turn the outcome of a case into a failure."""
        self.outcomes[name] = "fail"
        self.reasons[name] = reason

    def conclude(self, guest: Iterable[str], incomplete: str,
                 deviations: Iterable[str] = ()) -> "Verdict":
        """Climb the ladder: what the guest did wrong, what is missing, what deviates."""
        guest = list(guest)
        found = [] if incomplete else list(deviations)
        self.problems = [*guest, *([incomplete] if incomplete else []), *found]
        self.status = (Status.GUEST if guest else Status.NO_RESULT if incomplete
                       else Status.TEST_FAILED if found else Status.OK)
        return self


def count(names: Iterable[str]) -> str:
    """Count outcomes in words."""
    found = list(names)
    return ", ".join(f"{found.count(word)} {word}" for word in COUNTED if word in found)


def summary(verdict: Verdict) -> str:
    """Say in a line how many cases passed, failed and were skipped."""
    return count(verdict.outcomes.values()) or "no result"


def hung(logs: Logs, last: str = "") -> list[str]:
    """Give the problem of a guest that was stopped, nothing for one that ended."""
    after = f"; last case: {last}" if last else ""
    return [] if logs.ended else [f"the guest hung and was stopped{after}"]


def all_pass(verdict: Verdict, may_skip: Iterable[str] = ()) -> Verdict:
    """Expect every case to pass; those in `may_skip` may be skipped. At least one has to pass."""
    if verdict.status:
        return verdict
    allowed = set(may_skip)
    verdict.unexpected = [name for name, outcome in verdict.outcomes.items()
                          if outcome == "fail" or (outcome == "skip" and name not in allowed)]
    found = [f"{name}: {verdict.outcomes[name]}, but expected to pass{why(verdict, name)}"
             for name in verdict.unexpected]
    nothing = "" if found or "pass" in verdict.outcomes.values() else NO_PASS
    return verdict.conclude([], nothing, found)


NO_PASS = "no test passes: nothing was tested"


def why(verdict: Verdict, name: str) -> str:
    """Give the reason of an outcome in brackets."""
    reason = verdict.reasons.get(name)
    return f" ({reason})" if reason else ""


def same(stock: Verdict, patched: Verdict) -> None:
    """Expect the patched kernel's outcomes to be those of stock; a difference is its failure."""
    if stock.status or patched.status:
        return
    found = []
    for name in dict.fromkeys([*stock.outcomes, *patched.outcomes]):
        before, after = (one.outcomes.get(name, "no result") for one in (stock, patched))
        if before != after:
            patched.unexpected.append(name)
            found.append(f"{name}: {before} on stock, {after} with the series{why(patched, name)}")
    nothing = "" if found or "pass" in stock.outcomes.values() else NO_PASS
    patched.conclude([], nothing, found)


def worst(verdicts: Sequence[Verdict]) -> Status:
    """Give the most serious status."""
    return max((verdict.status for verdict in verdicts), default=Status.OK)
