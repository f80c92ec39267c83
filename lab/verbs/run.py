# SPDX-License-Identifier: GPL-2.0-only
"""The verb `run`: stock fails where the bug is, the patched kernel passes everything."""

from typing import Any

from lab.base import memory
from lab.base.data import slug
from lab.base.memory import write_json
from lab.judge.verdict import PATCHED, STOCK, Verdict, same, summary, worst
from lab.kernel.bases import Stack
from lab.kernel.kernel import Kernel, changed, patched, stock
from lab.kernel.source import Source
from lab.kernel.tree import Without
from lab.suites import kunit, mirror, test_hmm_sh
from lab.suites.selftests import Program
from lab.suites.suite import Expect, Planned
from lab.verbs import report
from lab.verbs.context import Context, cures, in_tree, provenance, series_key, suite_of

NOT_RUN = "No test of HMM was run: a PREEMPT_RT kernel has no huge pages, and so no HMM driver."
# The stock kernel brackets hlist callbacks on PREEMPT_RT too; no-brackets-on-rt ends that.
BRACKETS = r"BUG: sleeping function called from invalid context at kernel/locking/spinlock_rt\.c"
Found = dict[str, dict[str, Verdict]]  # by suite, by kernel (stock, patched)


def before(stack: Stack, source: Source) -> Kernel | None:
    """Give the kernel that the patched one is compared with, None for a stack on another one."""
    if stack.lower:
        return None
    if stack.base.kit:
        return stock(source)
    needed = cures(stack)
    fixes = [at for at, path in enumerate(stack.patches) if slug(path.name) in needed]
    return changed(patched(stack, source), Without("before", tuple(fixes)))


def plan(context: Context, stack: Stack, source: Source) -> list[Planned]:
    kernel, first, suite = patched(stack, source), before(stack, source), suite_of(stack)
    skip = bool(context.word("SKIP") or (context.word("TREE") and not stack.base.needs_tree))
    kernels = {STOCK: first, PATCHED: kernel}
    allowed = {STOCK: (BRACKETS,) if stack.base.kernel else ()}
    boots = [Planned(one, suite, Expect(name, allow_skip=skip, allowed=allowed.get(name, ())))
             for name, one in kernels.items() if one]
    if not stack.base.kit:
        return boots
    for test in in_tree(stack, source, kernel, adds_only=stack.lower is not None):
        both = isinstance(test, Program) and test.test.tree == "stock"
        boots += [Planned(one, test, Expect(name)) for name, one in kernels.items()
                  if one and (both or name == PATCHED)]
    return boots


def there(boots: list[Planned]) -> list[Planned]:
    return [one for one in boots
            if not isinstance(one.suite, Program) or one.suite.source is not None]


def run(context: Context, stack: Stack) -> None:
    """Boot and judge; print the table, and write report.json and report.ktap."""
    with context.work(stack) as source:
        outputs = [source.place / stack.file(name) for name in ("report.json", "report.ktap")]
        for path in outputs:
            path.unlink(missing_ok=True)
        boots = there(plan(context, stack, source))
        found: Found = {}
        for one, verdict in zip(boots, context.boot(stack, boots), strict=True):
            found.setdefault(one.suite.name, {})[one.expect.kernel] = verdict
        compare(boots, found)
        build_modules(stack, source)
        scripts = run_scripts(stack, source)
        write(stack, source, boots, found, scripts)
        show(stack, boots, found, scripts)
    places = {(one.suite.name, one.expect.kernel): one.folder.place for one in boots}
    for suite, kernels in {**found, test_hmm_sh.NAME: scripts}.items():
        for name, verdict in kernels.items():
            where = places.get((suite, name), "not booted")
            context.tally.verdict(f"{suite}, {name} ({where})", verdict)


def compare(boots: list[Planned], found: Found) -> None:
    for one in boots:
        kernels = found[one.suite.name]
        if isinstance(one.suite, Program) and STOCK in kernels and one.expect.kernel == PATCHED:
            same(kernels[STOCK], kernels[PATCHED])
            if kernels[PATCHED].status:
                one.folder.forget()


def build_modules(stack: Stack, source: Source) -> None:
    """Build what has to link as a module: what test_hmm.sh loads, and the parts' examples."""
    kernel, first = patched(stack, source), before(stack, source)
    kernel.checkout()
    tests = sorted((kernel.src / "lib").glob("test_hmm*.c")) if stack.base.kit else []
    examples = [stack.root / part.example for part in stack.parts if part.example]
    for one, paths in ((kernel, [*tests, *examples]), (first or kernel, examples)):
        for path in paths:
            one.module(path)


def run_scripts(stack: Stack, source: Source) -> dict[str, Verdict]:
    """Judge test_hmm.sh by kernel."""
    if not stack.base.kit or stack.base.kernel:
        return {}
    kernel, first = patched(stack, source), before(stack, source)
    kernels = {STOCK: first, PATCHED: kernel}
    judged = {name: test_hmm_sh.run(one.src, stock=name == STOCK)
              for name, one in kernels.items() if one}
    return {name: verdict for name, verdict in judged.items() if verdict}


def write(stack: Stack, source: Source, boots: list[Planned], found: Found,
          scripts: dict[str, Verdict]) -> None:
    suite, programs = suite_of(stack).name, {}
    for one in boots:
        if isinstance(one.suite, Program):
            programs[one.suite.name] = {"tree": one.suite.test.tree, "left_out": one.suite.left_out}
    if scripts:
        programs[test_hmm_sh.NAME] = {"tree": "series", "left_out": {}}
    about: dict[str, Any] = {**provenance(stack, source), "series": series_key(stack),
        "patches": [path.name for path in stack.patches]}
    if not stack.base.kit:
        about["note"] = mirror.NOTE
    elif stack.base.kernel:
        about["note"] = NOT_RUN
    if inside := found.get(kunit.KUnit.name):
        verdict = inside[PATCHED]
        about["kunit"] = {"status": verdict.status, "cases": verdict.outcomes}
    every = {**found, test_hmm_sh.NAME: scripts}
    about["selftests"] = {name: {**facts, "status": worst(list(every[name].values())),
               **{kernel: verdict.outcomes for kernel, verdict in every[name].items()}}
        for name, facts in programs.items()}
    about["kernels"] = {name: report.as_json(verdict) for name, verdict in found[suite].items()}
    write_json(source.place / stack.file("report.json"), about)
    titles = {f"{name} {kernel}": verdict for name, kernels in every.items()
              for kernel, verdict in kernels.items()}
    memory.write_atomic(source.place / stack.file("report.ktap"), report.as_ktap(titles))


def show(stack: Stack, boots: list[Planned], found: Found, scripts: dict[str, Verdict]) -> None:
    suite = boots[0].suite
    kernels, number = found[suite.name], len(stack.patches)
    cases = getattr(suite, "cases")
    if STOCK in kernels:
        title = f"base {stack.name}: the {suite.name} before and after {number} patches"
        print("\n" + report.before_after(title, [slug(path.name) for path in stack.patches], cases,
                                         kernels[STOCK], kernels[PATCHED]))
    else:
        assert stack.lower
        print(f"\nbase {stack.name}: {number} patches on top of {stack.lower.name}\n"
              f"  the {suite.name} on the patched kernel: {summary(kernels[PATCHED])}")
    left_out = {one.suite.name: one.suite.left_out for one in boots
                if isinstance(one.suite, Program)}
    for one in dict.fromkeys(one.suite.name for one in boots[1:]):
        if one == kunit.KUnit.name:
            print(f"  KUnit on the patched kernel: {summary(found[one][PATCHED])}")
        elif one != suite.name:
            print(f"  {report.selftest(one, found[one], left_out[one])}")
    if stack.base.kernel:
        print(f"  {NOT_RUN}")
    if scripts:
        print(f"  {test_hmm_sh.NAME} with stubs: "
              + "; ".join(f"{name} {summary(verdict)}" for name, verdict in scripts.items()))
