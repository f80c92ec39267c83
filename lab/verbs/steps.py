# SPDX-License-Identifier: GPL-2.0-only
"""The verb `steps`: the tests pass at each patch from the first one on that adds them."""

from dataclasses import dataclass

from lab.base import memory
from lab.base.data import slug
from lab.base.errors import LabError, Status
from lab.judge.verdict import Verdict
from lab.kernel import queue
from lab.kernel.bases import Stack
from lab.kernel.kernel import Kernel, changed, patched, stock
from lab.kernel.source import Source
from lab.kernel.tree import Prefix
from lab.suites import kunit, selftests, test_hmm_sh
from lab.suites.suite import Planned
from lab.verbs.context import Context, Proofs, read_json
from lab.verbs.run import fit
from lab.verbs.run import plan as plan_of_run

Found = dict[str, Verdict]


@dataclass(frozen=True)
class Step:
    """The kernel that ends with a patch, its boots, and whether the script is judged."""

    slug: str
    kernel: Kernel
    boots: list[Planned]
    script: bool
    last: bool  # it is the patched kernel, but for words and scripts


def steps(stack: Stack, source: Source) -> list[Step]:
    """Give the steps, the last patch first, down to the first that adds tests.

    Where only words change, there is none. Where only a script changes, nothing is booted.
    """
    patches = stack.patches
    first = next((at for at, path in enumerate(patches) if queue.only_tests(path)), len(patches))
    numbers = [at for at in range(len(patches) - 1, first - 1, -1)
               if not queue.only_words(patches[at].read_text(encoding="utf-8"))]
    touched = {at: queue.touched([patches[at]]) for at in numbers}
    scripts = [at for at in numbers if all(name.endswith(".sh") for name in touched[at])]
    booted = [at for at in numbers if at not in scripts]
    fixed = min((at for at in numbers if any(name.endswith(test_hmm_sh.NAME)
                                             for name in touched[at])), default=len(patches))
    found = []
    for at in numbers:
        name = slug(patches[at].name)
        kernel = changed(patched(stack, source), Prefix(f"at-{name}", at + 1))
        boots = boots_of(stack, source, kernel) if at in booted else []
        found.append(Step(name, kernel, boots, at >= fixed, at == max(booted, default=-1)))
    return found


def boots_of(stack: Stack, source: Source, kernel: Kernel) -> list[Planned]:
    """Give KUnit and the programs of the series, as far as a kernel has them."""
    suites = kunit.of(stack.base, kernel)
    programs = selftests.on(kernel, stock(source), selftests.read(), adds_only=True)
    return [Planned(kernel, one) for one in (*([suites] if suites else []), *programs)]


def plan(_context: Context, stack: Stack, source: Source) -> list[Planned]:
    """Give all boots, but those that `run` has."""
    return [one for step in steps(stack, source) if not step.last for one in step.boots]


def of_run(context: Context, stack: Stack, source: Source, step: Step) -> Found:
    """Give what `run` saw on the whole series, {} if that is missing or was not as expected."""
    report = read_json(source.place / stack.file("report.json"))
    if report.get("key") != Proofs.key(plan_of_run(context, stack, source)):
        return {}
    suites = {name: one for name, one in report["selftests"].items()
              if one["tree"] == "series" and name != test_hmm_sh.NAME}
    outcomes = {name: one["patched"] for name, one in suites.items()}
    if "kunit" in report:
        suites[kunit.KUnit.name] = report["kunit"]
        outcomes[kunit.KUnit.name] = report["kunit"]["cases"]
    wanted = {one.suite.name for one in step.boots}
    if any(one["status"] for one in suites.values()) or wanted != set(outcomes):
        return {}
    return {name: Verdict(outcomes=cases) for name, cases in outcomes.items()}


def at_step(context: Context, stack: Stack, source: Source, step: Step) -> Found:
    """Run what there is at a step."""
    found = of_run(context, stack, source, step) if step.last else {}
    if step.boots and not found:
        verdicts = context.boot(stack, step.boots)
        found = {one.suite.name: verdict
                 for one, verdict in zip(step.boots, verdicts, strict=True)}
    if step.script:
        step.kernel.checkout()
        if script := test_hmm_sh.run(step.kernel.src):
            found[test_hmm_sh.NAME] = script
    if not found:
        raise LabError(Status.NO_RESULT, f"no test to run at {step.slug}")
    return found


def run(context: Context, stack: Stack) -> None:
    """Go back patch by patch; print what passes at each."""
    context.need()
    source, rows = context.source(stack), []
    with memory.lock(source.place):
        fit(stack, source)
        proofs = Proofs(source)
        for step in steps(stack, source):
            # What only a script changed still depends on the kernel's tree.
            name, key = step.kernel.name, step.boots or [Planned(step.kernel, kunit.KUnit(()))]
            kept = proofs.get(name, key)
            if kept:
                print(f"  at {step.slug}: cached")
                found = {title: Verdict(outcomes=outcomes) for title, outcomes in kept.items()}
            else:
                found = at_step(context, stack, source, step)
                if not any(verdict.status for verdict in found.values()):
                    proofs.put(name, key, {title: verdict.outcomes
                                           for title, verdict in found.items()})
            for title, verdict in found.items():
                context.tally.verdict(f"{title} at {step.slug} ({step.kernel.place})", verdict)
            rows.append(f"  {step.slug.ljust(24)}{', '.join(passed(found))}")
    print(f"\nbase {stack.name}: the tests that pass at each patch, the last one first", *rows,
          sep="\n")


def passed(found: Found) -> list[str]:
    """Count the cases of each suite that pass."""
    return [f"{title} {list(verdict.outcomes.values()).count('pass')}"
            + (" NOT OK" if verdict.status else "") for title, verdict in found.items()]
