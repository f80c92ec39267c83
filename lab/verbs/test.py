# SPDX-License-Identifier: GPL-2.0-only
"""The verb `test`: everything, one step after the other, going on after a failure."""

import os
import sys
import time
import unittest
from collections.abc import Callable, Sequence

from lab.base import memory, packages
from lab.base.data import ROOT
from lab.base.errors import LabError, Status
from lab.kernel.bases import Stack
from lab.kernel.source import Source
from lab.suites.suite import Planned
from lab.verbs import judge_mutants, model, revert, run, soak, steps
from lab.verbs.context import Context
from lab.verbs.gate import gate
from lab.verbs.lint import lint

Work = Callable[[Context, Stack], None]
Step = tuple[str, Work, Stack]


def complain(error: LabError) -> None:
    """Print an error so that its last line says what to do."""
    if error.detail:
        print(error.detail)
    print(f"lab: {error.status.meaning}: {error.message}\nlab: {error.advice}", flush=True)


def unit(context: Context, _stack: Stack) -> None:
    packages.need(packages.UNIT, context.build / "packages.log")
    suite = unittest.defaultTestLoader.discover(str(ROOT / "lab/tests"), top_level_dir=str(ROOT))
    outcome = unittest.TextTestRunner(stream=sys.stdout, buffer=True).run(suite)
    bad = [str(case) for case, _ in (*outcome.failures, *outcome.errors)]
    context.tally.skipped += len(outcome.skipped)
    context.tally.passed += max(0, outcome.testsRun - len(bad) - len(outcome.skipped))
    for line in bad or ([] if outcome.testsRun else ["no test was found"]):
        context.tally.fail(Status.TEST_FAILED, line)


def check(context: Context, _stack: Stack) -> None:
    context.need(packages.LINT)
    lint(context.series, context.build, context.tally)


def check_patches(context: Context, stack: Stack) -> None:
    gate(stack, context.source(stack), context.tally)


def steps_of(context: Context) -> list[Step]:
    """Give all steps.

    Which case needs which patch is the same on all bases: the first one shows it, and has the
    short soak. A stack on top of another one has no steps.
    """
    stacks = context.chosen()
    found: list[Step] = [("the lab's own tests", unit, stacks[0]), ("lint", check, stacks[0]),
                         ("mutants of the judge", judge_mutants.run, stacks[0]),
                         ("model", model.run, stacks[0])]
    for stack in stacks:
        todo: dict[str, Work] = {"gate": check_patches, "run": run.run}
        if not stack.lower and stack.base.kit:
            todo["steps"] = steps.run
        if stack is stacks[0]:
            todo |= {"soak": soak.short, "revert": revert.run}
        found += [(f"{name} {stack.name}", work, stack) for name, work in todo.items()]
    return found


def do_all(context: Context, todo: Sequence[Step]) -> None:
    """Do one step after the other; a failure does not end it, a missing TREE= skips a step."""
    for title, work, stack in todo:
        print(f"\n== {title}", flush=True)
        if stack.base.needs_tree and not context.word("TREE"):
            print(f"  {stack.name}: not run: needs TREE=DIR")
            context.tally.skipped += 1
            continue
        try:
            work(context, stack)
        except LabError as error:
            complain(error)
            context.tally.fail(error.status, f"{title}: {error.message}")


def gates(context: Context, _stack: Stack) -> None:
    do_all(context, [(f"gate {stack.name}", check_patches, stack) for stack in context.chosen()])


def lint_all(context: Context, stack: Stack) -> None:
    """Lint, and end with the gate of all bases unless GATE=no."""
    check(context, stack)
    if context.word("GATE") != "no":
        gates(context, stack)


def test(context: Context, _stack: Stack) -> None:
    """Do everything; leave the count in build/tally, and say again what failed."""
    begun = time.monotonic()
    context.build.mkdir(exist_ok=True)
    do_all(context, steps_of(context))
    memory.write_atomic(context.build / "tally", f"{context.tally}\n")
    minutes = (time.monotonic() - begun) / 60
    print(f"\n{minutes:.1f} minutes on {os.cpu_count()} CPUs", *context.tally.wrong,
          context.tally, sep="\n")


def plans(context: Context) -> list[tuple[str, list[Planned]]]:
    of: dict[Work, Callable[[Context, Stack, Source], list[Planned]]] = {
        run.run: run.plan, steps.run: steps.plan, soak.short: soak.short_plan,
        revert.run: revert.plan}
    return [(title, of[work](context, stack, context.source(stack)))
            for title, work, stack in steps_of(context) if work in of]
