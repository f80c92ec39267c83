# SPDX-License-Identifier: GPL-2.0-only
"""The verb `test`: everything, one step after the other, going on after a failure."""

import os
import sys
import time
import unittest
from collections.abc import Callable, Sequence
from functools import partial

from lab.base import memory, packages
from lab.base.data import ROOT
from lab.base.errors import MEANING, LabError, Status
from lab.kernel.bases import Stack
from lab.verbs import model, revert, run, soak, steps
from lab.verbs.context import Context
from lab.verbs.gate import gate
from lab.verbs.lint import lint

Step = tuple[str, Callable[[], None]]


def complain(error: LabError) -> None:
    """Print an error so that its last line says what to do."""
    if error.detail:
        print(error.detail)
    print(f"lab: {MEANING[error.status]}: {error.message}\nlab: {error.advice}", flush=True)


def unit(context: Context) -> None:
    """Run the lab's own tests."""
    context.build.mkdir(exist_ok=True)
    packages.need(packages.UNIT, context.build / "packages.log")
    suite = unittest.defaultTestLoader.discover(str(ROOT / "lab/tests"), top_level_dir=str(ROOT))
    outcome = unittest.TextTestRunner(stream=sys.stdout, buffer=True).run(suite)
    bad = [str(case) for case, _ in (*outcome.failures, *outcome.errors)]
    context.tally.skipped += len(outcome.skipped)
    context.tally.passed += max(0, outcome.testsRun - len(bad) - len(outcome.skipped))
    for line in bad or ([] if outcome.testsRun else ["no test was found"]):
        context.tally.fail(Status.TEST_FAILED, line)


def check(context: Context) -> None:
    """Lint."""
    context.need(packages.LINT)
    lint(context.series, context.build, context.tally)


def on(context: Context, title: str, stack: Stack, verb: Callable[[], None]) -> Step:
    """Give the step that does a verb on a stack; without its tree it is skipped."""
    def step() -> None:
        if stack.base.needs_tree and not context.tree:
            print(f"  {stack.name}: not run: needs TREE=DIR")
            context.tally.skipped += 1
        else:
            verb()

    return f"{title} {stack.name}", step


def gate_step(context: Context, stack: Stack) -> Step:
    """Give the step of the gate."""
    def work() -> None:
        context.need(packages.GATE)
        gate(stack, context.source(stack), context.tally)

    return on(context, "gate", stack, work)


def steps_of(context: Context, stacks: Sequence[Stack]) -> list[Step]:
    """Give all steps.

    Which case needs which patch is the same on all bases: the first one shows it, and has the
    short soak. A stack on top of another one has no steps.
    """
    found: list[Step] = [("the lab's own tests", partial(unit, context)),
                         ("lint", partial(check, context)), ("model", partial(model.run, context))]
    for stack in stacks:
        found += [gate_step(context, stack),
                  on(context, "run", stack, partial(run.run, context, stack))]
        if not stack.lower and stack.base.kit:
            found.append(on(context, "steps", stack, partial(steps.run, context, stack)))
        if stack is stacks[0]:
            found += [on(context, "soak", stack, partial(soak.short, context, stack)),
                      on(context, "revert", stack, partial(revert.revert, context, stack))]
    return found


def do_all(context: Context, todo: Sequence[Step]) -> None:
    """Do one step after the other, going on after a failure."""
    for title, step in todo:
        print(f"\n== {title}", flush=True)
        try:
            step()
        except LabError as error:
            complain(error)
            context.tally.fail(error.status, f"{title}: {error.message}")


def test(context: Context, stacks: Sequence[Stack]) -> None:
    """Do everything; leave the count in build/tally, and say again what failed."""
    begun = time.monotonic()
    do_all(context, steps_of(context, stacks))
    context.build.mkdir(exist_ok=True)
    memory.write_atomic(context.build / "tally", f"{context.tally}\n")
    minutes = (time.monotonic() - begun) / 60
    print(f"\n{minutes:.1f} minutes on {os.cpu_count()} CPUs", *context.tally.wrong,
          context.tally, sep="\n")
