# SPDX-License-Identifier: GPL-2.0-only
"""The verb gate: each patch builds everywhere and adds no finding.

A tree is brought from stock to the last patch. At each state, several compilers build what the
patch touches. Other checkers read the touched files. A finding is new if it occurs more often than
at every earlier state; line numbers are ignored. The memory keeps findings by the content of all
that they depend on, so a second gate runs no compiler.
"""

from functools import partial

from lab.base import memory, packages
from lab.base.errors import Status
from lab.base.memory import Memory
from lab.base.proc import parallel
from lab.gate.builds import Objects, builds
from lab.gate.files import CHECKERS, check
from lab.gate.findings import Found, Line, known
from lab.gate.states import History, State
from lab.kernel.bases import Stack
from lab.kernel.source import Source
from lab.verbs.context import Tally


def gate(stack: Stack, source: Source, tally: Tally) -> None:
    """Check every patch of a stack."""
    if stack.base.needs_tree and not source.tree:
        print(f"{stack.name}: gate: not run: needs TREE")
        tally.skipped += 1
        return
    packages.need({**packages.BUILD, **packages.GATE}, source.cache.parent / "packages.log")
    with memory.lock(source.place):
        source.fetch()
        lines = check_all(History(stack, source))
    print(f"{stack.name}: git am: {len(stack.patches)} patches apply, one after the other")
    tally.passed += 1
    for line in lines:
        print(f"{stack.name}: {line}", *line.new, sep="\n    ")
        if line.new:
            tally.fail(Status.TEST_FAILED,
                       "\n  ".join([f"{stack.name}: {line}", *line.new[:3]]))
        elif line.not_run:
            tally.skipped += 1
        else:
            tally.passed += 1


def check_all(history: History) -> list[Line]:
    """Run all checks and give their lines."""
    history.prepare()
    found, variants = Memory(history.place / "found"), builds(history)
    for state in history.states:
        build([one for one in variants if not one.line.not_run], state, history, found)
    lines = [one.line for one in variants]
    lines += [check(checker, history, found) for checker in CHECKERS]
    found.sweep()
    return lines


def build(variants: list[Objects], state: State, history: History, found: Memory) -> None:
    """Build the objects of a state in every variant, and add what is found to the lines."""
    plans = {one: names for one in variants if (names := one.plan(state))}

    def make(missing: list[Objects]) -> dict[Objects, Found]:
        if history.checkout(state):
            for one in variants:
                one.configured = False
        counts = ", ".join(f"{one.name} {len(plans[one])}" for one in missing)
        print(f"  {state.patch or 'stock'}: {counts}", flush=True)
        return parallel({one: partial(one.build, state, plans[one]) for one in missing})

    keys = {one: one.key(state, names) for one, names in plans.items()}
    for one, result in known(found, keys, make).items():
        one.line.add(state.patch, [result])
