# SPDX-License-Identifier: GPL-2.0-only
"""A verdict, and the one ladder: guest died > no complete result > test failed > as expected."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from lab.base.errors import Status

STOCK, PATCHED = "stock", "patched"  # what is expected; else the slug of the patch left out
COUNTED = ("pass", "fail", "skip")
NO_PASS = "no test passes: nothing was tested"


@dataclass(frozen=True)
class Logs:
    """What a boot left: the results, the console in whole records, whether the guest ended."""

    results: str
    console: str
    ended: bool = True


@dataclass(frozen=True)
class Splat:
    """A kernel message that should not be there."""

    line: str
    case: str  # that it fell into, "" outside any; of a program without cases its name
    allowed: bool = False

    def __str__(self) -> str:
        return f"splat {f'in {self.case}' if self.case else 'outside any case'}: {self.line}"


@dataclass
class Verdict:
    """What logs mean."""

    status: Status = Status.OK
    outcomes: dict[str, str] = field(default_factory=dict)  # by case pass, fail or skip, in order
    reasons: dict[str, str] = field(default_factory=dict)
    splats: list[Splat] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)  # cases with another outcome than expected
    problems: list[str] = field(default_factory=list)  # the most serious first

    def failed(self) -> list[str]:
        return [name for name, outcome in self.outcomes.items() if outcome == "fail"]

    def fail(self, name: str, reason: str) -> None:
        self.outcomes[name], self.reasons[name] = "fail", reason

    def why(self, name: str) -> str:
        return f" ({self.reasons[name]})" if self.reasons.get(name) else ""

    def deviates(self, name: str, wanted: str) -> str:
        """Note a case as unexpected; say so in a line."""
        self.unexpected.append(name)
        return f"{name}: {self.outcomes[name]}, but expected to {wanted}{self.why(name)}"

    def decide(self, deviations: Sequence[str]) -> "Verdict":
        """Conclude from whole results: at least one test has to pass, if nothing deviates."""
        nothing = not deviations and "pass" not in self.outcomes.values()
        return self.conclude([], NO_PASS if nothing else "", deviations)

    def conclude(self, guest: Iterable[str], incomplete: str,
                 deviations: Iterable[str] = ()) -> "Verdict":
        """Climb the ladder: what the guest did wrong, what is missing, what deviates."""
        died, found = list(guest), [] if incomplete else list(deviations)
        self.problems = [*died, *([incomplete] if incomplete else []), *found]
        self.status = (Status.GUEST if died else Status.NO_RESULT if incomplete
                       else Status.TEST_FAILED if found else Status.OK)
        return self


def count(names: Iterable[str]) -> str:
    found = list(names)
    return ", ".join(f"{found.count(word)} {word}" for word in COUNTED if word in found)


def summary(verdict: Verdict) -> str:
    return count(verdict.outcomes.values()) or "no result"


def all_pass(verdict: Verdict, may_skip: Iterable[str] = ()) -> Verdict:
    """Expect every case to pass; those in `may_skip` may be skipped. At least one has to pass."""
    if verdict.status:
        return verdict
    allowed = set(may_skip)
    return verdict.decide([verdict.deviates(name, "pass")
                           for name, outcome in verdict.outcomes.items()
                           if outcome == "fail" or (outcome == "skip" and name not in allowed)])


def same(stock: Verdict, patched: Verdict) -> None:
    """Expect the patched kernel's outcomes to be those of stock; a difference is its failure."""
    if stock.status or patched.status:
        return
    found = []
    for name in dict.fromkeys([*stock.outcomes, *patched.outcomes]):
        before, after = (one.outcomes.get(name, "no result") for one in (stock, patched))
        if before != after:
            patched.unexpected.append(name)
            found.append(f"{name}: {before} on stock, {after} with the series{patched.why(name)}")
    patched.decide(found)


def worst(verdicts: Sequence[Verdict]) -> Status:
    return max((verdict.status for verdict in verdicts), default=Status.OK)
