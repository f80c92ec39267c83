# SPDX-License-Identifier: GPL-2.0-only
"""The verb `revert`: without one patch its own cases fail; so do the tests alone on stock."""

from collections.abc import Iterator
from dataclasses import replace

from lab.base.data import CONFIGS, slug
from lab.base.errors import LabError, Status
from lab.base.memory import write_json
from lab.judge.verdict import Verdict, summary
from lab.kernel import queue
from lab.kernel.bases import Stack
from lab.kernel.kernel import Kernel, changed, patched, stock
from lab.kernel.source import Source
from lab.kernel.tree import Change, Without
from lab.suites.selftests import Program
from lab.suites.suite import SECONDS, Expect, Planned
from lab.verbs import mutants
from lab.verbs.context import Context, Proofs, cures, in_tree, series_key, suite_of, unknown

ALONE = "tests-alone"
# Stock lacks a header that the KUnit suite includes; with the stub one of its cases is skipped.
TRACE, STUB = "#include <trace/events/mmu_notifier.h>", CONFIGS / "tracepoint-stub.patch"
Outcomes = dict[str, dict[str, str]]


def slugs(context: Context, stack: Stack) -> list[str]:
    only, names = context.word("PATCH"), [slug(path.name) for path in stack.patches]
    if stack.base.kit:
        excused = context.series.unproven
        found = [slug(path.name) for path in stack.patches if not queue.only_tests(path)]
        found = [name for name in found if name not in excused]
    else:
        found = [name for name in names if name in cures(stack)]
    if only in names and only not in found:
        why = context.series.unproven.get(only, "it only adds tests or words")
        raise LabError(Status.USAGE, f"{only} is not taken out: {why}",
                       f"PATCH is one of: {' '.join(found)}")
    if only and only not in found:
        raise unknown("patch", only, found)
    return [only] if only else found


def leave_out(stack: Stack, name: str) -> Change:
    """Give the change that takes a patch out: the listed one, or the revert of the patch."""
    listed, title = mutants.FOLDER / "without", f"without-{name}"
    for one in mutants.read(listed) if listed.exists() else ():
        if one.name == name:
            return replace(one, name=title)
    return Without(title, ([slug(path.name) for path in stack.patches].index(name),))


def without(stack: Stack, source: Source, name: str) -> list[Planned]:
    """Give the boots of the kernel without one patch: the listed cases, and programs it cures."""
    whole = patched(stack, source)
    kernel = changed(whole, leave_out(stack, name))
    programs = [one for one in in_tree(stack, source, whole)
                if isinstance(one, Program) and name in one.test.cures] if stack.base.kit else []
    expect = Expect(name, elsewhere=bool(programs))
    return [Planned(kernel, suite_of(stack), expect),
            *(Planned(kernel, program, expect) for program in programs)]


def alone(stack: Stack, source: Source) -> list[Planned]:
    """Give the boots of stock with nothing but the tests that the patches add.

    KUnit and the series' programs run only where the series is applied: this is their "before".
    """
    if stack.lower or not stack.base.kit:
        return []
    tests = tuple(path for path in stack.patches if queue.only_tests(path)
                  and not queue.only_words(path.read_text(encoding="utf-8")))
    if any(TRACE in path.read_text(encoding="utf-8") for path in tests):
        tests = (STUB, *tests)
    first = stock(source)
    kernel = Kernel(source, ALONE, first, tests, arch=first.arch)
    return [Planned(kernel, one, Expect(ALONE, whole=True), 2 * SECONDS)
            for one in in_tree(stack, source, patched(stack, source))
            if not isinstance(one, Program) or one.test.cures]


def plan(context: Context, stack: Stack, source: Source) -> list[Planned]:
    boots = [one for name in slugs(context, stack) for one in without(stack, source, name)]
    return boots if context.word("PATCH") else [*boots, *alone(stack, source)]


def judge_without(boots: list[Planned], verdicts: list[Verdict]) -> tuple[Verdict, list[str]]:
    """Give the verdict on a kernel without a patch, and what fails as it should.

    A program that the patch cures has to fail, or to hang the guest.
    """
    verdict = verdicts[0]
    failed = [case for case in verdict.failed() if case not in verdict.unexpected]
    for one, other in zip(boots[1:], verdicts[1:], strict=True):
        if verdict.status:
            break
        if other.failed() or other.status == Status.GUEST:
            failed.append(one.suite.name)
        else:
            verdict.status = other.status or Status.TEST_FAILED
            verdict.problems += other.problems or [f"{one.suite.name} does not fail"]
    return verdict, failed


def compared(one: Planned, verdict: Verdict, stack: Stack, source: Source) -> dict[str, str]:
    """Give the outcomes without the fixes of the cases that `run` has; NO_RESULT if one lacks."""
    name = one.suite.name
    after = one.suite.judge(Planned(patched(stack, source), one.suite).folder.logs(), Expect())
    if after.status:
        raise LabError(Status.NO_RESULT, f"{name} without the fixes cannot be compared: "
                       "no good run", f"make run {stack.command}")
    missing = [case for case in after.outcomes if case not in verdict.outcomes]
    if missing or verdict.status == Status.NO_RESULT:
        raise LabError(Status.NO_RESULT, f"{name} without the fixes has no result of "
                       f"{len(missing)} cases", f"see {one.folder.place}",
                       "\n".join([*missing, *verdict.problems]))
    return {case: verdict.outcomes[case] for case in after.outcomes}


def run_alone(context: Context, stack: Stack, source: Source) -> Outcomes:
    """Boot stock with the tests alone; each suite has to run to its end, and to fail."""
    boots, proofs = alone(stack, source), Proofs(source)
    if not boots:
        return {}
    found: Outcomes | None = proofs.get(ALONE, boots)
    if not found:
        found = {one.suite.name: compared(one, verdict, stack, source)
                 for one, verdict in zip(boots, context.boot(stack, boots), strict=True)}
    problems = [f"{title} does not fail on stock" for title, outcomes in found.items()
                if "fail" not in outcomes.values()]
    if not problems:
        proofs.put(ALONE, boots, found)
    context.tally.proven("stock with the tests alone", Verdict().conclude([], "", problems))
    return found


def run_without(context: Context, stack: Stack, source: Source,
                names: list[str]) -> Iterator[tuple[str, bool, list[str]]]:
    """Boot each kernel without one patch; yield slug, whether it is proven, and what fails."""
    proofs = Proofs(source)
    for name in names:
        boots = without(stack, source, name)
        kept = proofs.get(f"without-{name}", boots)
        if kept:
            print(f"  without {name}: cached")
            verdict, failed = Verdict(), list(kept)
        else:
            verdict, failed = judge_without(boots, context.boot(stack, boots))
            if verdict.status == Status.OK:
                proofs.put(f"without-{name}", boots, failed)
        title = f"without {name} ({boots[0].folder.place.parent})"
        context.tally.proven(title, verdict)
        yield name, verdict.status == Status.OK, failed


def run(context: Context, stack: Stack) -> None:
    """Leave out each patch, or that of PATCH=; print a table, write revert.json."""
    names, only = slugs(context, stack), context.word("PATCH")
    if not names:
        print(f"base {stack.name}: no patch to take out: all are tests or in [unproven]")
        return
    with context.work(stack) as source:
        kept = source.place / stack.file("revert.json")
        kept.unlink(missing_ok=True)
        rows = list(run_without(context, stack, source, names))
        before = {} if only else run_alone(context, stack, source)
        if not only and all(proven for _, proven, _ in rows):
            write_json(kept, {"source": source.name, "series": series_key(stack),
                              "fails": {name: failed for name, _, failed in rows},
                              "before": before})
    width = max(len(name) for name in names)
    print(f"\nbase {stack.name}: each patch taken out alone\n"
          f"  {'patch'.ljust(width)}  proven  cases that fail without it")
    for name, proven, failed in rows:
        print(f"  {name.ljust(width)}  {'yes' if proven else 'NO':6}  {', '.join(failed) or '-'}")
    for title, outcomes in before.items():
        print(f"  stock with the tests alone: {title} {summary(Verdict(outcomes=outcomes))}")
