# SPDX-License-Identifier: GPL-2.0-only
"""The verb `gate`: each patch builds everywhere and adds no finding.

At each state of a tree, compilers build what the patch touches, and other tools read it. A finding
is new if it occurs more often than at every earlier state; line numbers are ignored. Results are
kept under the content of all that they depend on, so a second gate runs no compiler.
"""

from functools import partial

from lab.base import memory, packages
from lab.base.errors import Status
from lab.base.proc import parallel
from lab.gate.builds import Objects, builds
from lab.gate.files import CHECKERS, check
from lab.gate.findings import Found, Line, known
from lab.gate.states import History, State
from lab.kernel import queue
from lab.kernel.bases import Stack
from lab.kernel.source import Source
from lab.verbs.context import Tally


def gate(stack: Stack, source: Source, tally: Tally) -> None:
    packages.need({**packages.BUILD, **packages.GATE}, source.cache.parent / "packages.log")
    with memory.lock(source.place):
        source.fetch()
        lines = check_all(History(stack, source))
    counts = ", ".join(f"{part.name} {len(queue.listed(stack.folder(part)))}"
                       for part in stack.parts)
    print(f"{stack.name}: git am: {len(stack.patches)} patches apply one by one ({counts})")
    tally.passed += 1
    for line in lines:
        print(f"{stack.name}: {line}", *line.new, sep="\n    ")
        if line.new:
            tally.fail(Status.TEST_FAILED, "\n  ".join([f"{stack.name}: {line}", *line.new[:3]]))
        tally.skipped += bool(line.not_run)
        tally.passed += not line.new and not line.not_run


def check_all(history: History) -> list[Line]:
    history.prepare()
    found, variants = memory.Memory(history.place / "found"), builds(history)
    for state in history.states:
        plans = {one: names for one in variants
                 if not one.line.not_run and (names := one.plan(state))}
        keys = {one: one.key(state, names) for one, names in plans.items()}
        for one, result in known(found, keys, partial(build, history, state, plans)).items():
            one.line.add(state.patch, [result])
    lines = [*(one.line for one in variants), *(check(one, history, found) for one in CHECKERS)]
    found.sweep()
    return lines


def build(history: History, state: State, plans: dict[Objects, list[str]],
          missing: list[Objects]) -> dict[Objects, Found]:
    history.checkout(state)
    counts = ", ".join(f"{one.name} {len(plans[one])}" for one in missing)
    print(f"  {state.patch or 'stock'}: {counts}", flush=True)
    return parallel({one: partial(one.build, state, plans[one]) for one in missing})
