# SPDX-License-Identifier: GPL-2.0-only
"""The verb `steps`: the tests pass at each patch from the first one on that adds them."""

from dataclasses import dataclass

from lab.base.data import slug
from lab.base.errors import LabError, Status
from lab.judge.verdict import Verdict
from lab.kernel import queue
from lab.kernel.bases import Stack
from lab.kernel.kernel import Kernel, changed, patched
from lab.kernel.source import Source
from lab.kernel.tree import Prefix
from lab.suites import kunit, test_hmm_sh
from lab.suites.suite import Planned
from lab.verbs.context import Context, Proofs, in_tree

Found = dict[str, Verdict]


@dataclass(frozen=True)
class Step:
    """The kernel that ends with a patch, its boots, and whether the script is judged."""

    slug: str
    kernel: Kernel
    boots: list[Planned]
    script: bool


def steps(stack: Stack, source: Source) -> list[Step]:
    """Give the steps, the last patch first, down to the first that adds tests.

    Where only words change, there is none. Where only a script changes, nothing is booted. The
    last kernel with a code change is the patched one, whose boots `run` has.
    """
    patches, whole = stack.patches, patched(stack, source)
    touched = {at: queue.touched([path]) for at, path in reversed([*enumerate(patches)])
               if not queue.only_words(path.read_text(encoding="utf-8"))}
    first = min((at for at in touched if queue.only_tests(patches[at])), default=len(patches))
    touched = {at: names for at, names in touched.items() if at >= first}
    booted = [at for at, names in touched.items() if not all(one.endswith(".sh") for one in names)]
    fixed = min((at for at, names in touched.items()
                 if any(one.endswith(test_hmm_sh.NAME) for one in names)), default=len(patches))
    found = []
    for at in touched:
        name = slug(patches[at].name)
        kernel = (whole if at == max(booted, default=-1)
                  else changed(whole, Prefix(f"at-{name}", at + 1)))
        suites = in_tree(stack, source, kernel) if at in booted else []
        found.append(Step(name, kernel, [Planned(kernel, one) for one in suites], at >= fixed))
    return found


def plan(_context: Context, stack: Stack, source: Source) -> list[Planned]:
    return [one for step in steps(stack, source) for one in step.boots]


def at_step(context: Context, stack: Stack, step: Step) -> Found:
    found = {one.suite.name: verdict for one, verdict
             in zip(step.boots, context.boot(stack, step.boots), strict=True)}
    if step.script:
        step.kernel.checkout()
        if script := test_hmm_sh.run(step.kernel.src):
            found[test_hmm_sh.NAME] = script
    if not found:
        raise LabError(Status.NO_RESULT, f"no test to run at {step.slug}")
    return found


def run(context: Context, stack: Stack) -> None:
    rows = []
    with context.work(stack) as source:
        proofs = Proofs(source)
        for step in steps(stack, source):
            # Without a boot, what the script gave still depends on the tree.
            known = step.boots or [Planned(step.kernel, kunit.KUnit(()))]
            name = f"at-{step.slug}"
            if kept := proofs.get(name, known):
                print(f"  at {step.slug}: cached")
                found = {title: Verdict(outcomes=outcomes) for title, outcomes in kept.items()}
            else:
                found = at_step(context, stack, step)
                if not any(verdict.status for verdict in found.values()):
                    proofs.put(name, known, {title: verdict.outcomes
                                             for title, verdict in found.items()})
            for title, verdict in found.items():
                context.tally.verdict(f"{title} at {step.slug} ({step.kernel.place})", verdict)
            rows.append(f"  {step.slug.ljust(24)}{', '.join(passed(found))}")
    print(f"\nbase {stack.name}: the tests that pass at each patch, the last one first", *rows,
          sep="\n")


def passed(found: Found) -> list[str]:
    return [f"{title} {list(verdict.outcomes.values()).count('pass')}"
            + (" NOT OK" if verdict.status else "") for title, verdict in found.items()]
