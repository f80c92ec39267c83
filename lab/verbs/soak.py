# SPDX-License-Identifier: GPL-2.0-only
"""The verb `soak`: all tests and races on kernels that check themselves; and its short form."""

from pathlib import Path
from typing import Any

from lab.base.data import CONFIGS, ROOT, malformed, pattern, rows
from lab.base.errors import LabError, Status
from lab.base.memory import write_json
from lab.judge.verdict import PATCHED, STOCK, Verdict, same, summary
from lab.kernel.bases import Stack
from lab.kernel.kernel import Kernel, patched, with_fragments
from lab.kernel.source import Source
from lab.suites import soak
from lab.suites.selftests import Program
from lab.suites.suite import Expect, Planned
from lab.verbs.context import Context, has_driver, in_tree, provenance, suite_of, unknown
from lab.verbs.run import there

# By kernel its fragments, and what it prints when it checks itself.
KERNELS = {"kasan": ("soak-kasan",), "lockdep": ("soak-lockdep", "soak-users"),
           "kcsan": ("soak-kcsan",), "rt": ("soak-rt", "soak-users")}
WATCHES = {"kasan": "KernelAddressSanitizer initialized", "lockdep": "Lock dependency validator",
           "kcsan": "kcsan: selftest: 3/3 tests passed", "rt": " PREEMPT_RT "}
SHORT = 20  # seconds of races in `make test`
NEEDED = 100_000  # refused process_mrelease() calls, over all kernels of a campaign


def read_allowed(path: Path) -> dict[str, tuple[str, ...]]:
    """Read lab/configs/soak-allowed: by kernel the splats that do not count, with a reason."""
    found: dict[str, tuple[str, ...]] = {}
    form = f"`kernel regex reason...`, the kernel one of {' '.join(KERNELS)}"
    for where, (name, splat, *_) in rows(path, form, 3):
        if name not in KERNELS:
            raise malformed(where, form)
        pattern(where, splat)
        found[name] = (*found.get(name, ()), splat)
    return found


def kernel(stack: Stack, source: Source, name: str) -> Kernel:
    return with_fragments(patched(stack, source), stack.file(f"soak-{name}"), KERNELS[name])


def boots_of(stack: Stack, source: Source, name: str, seconds: int) -> list[Planned]:
    """Give the boots on one kernel: what passes on the patched kernel has to pass here."""
    allowed = read_allowed(CONFIGS / "soak-allowed").get(name, ())
    whole, one = patched(stack, source), kernel(stack, source, name)
    expect, slow = Expect(PATCHED, allowed=allowed), soak.SLOW
    boots = [Planned(one, suite_of(stack), expect, slow)]
    for test in in_tree(stack, source, whole, adds_only=stack.lower is not None):
        if not has_driver(test, name):
            continue
        boots.append(Planned(one, test, expect, slow))
        if isinstance(test, Program) and test.test.tree == "stock":  # to be compared with
            boots.append(Planned(whole, test, Expect(STOCK)))
    if "soak-users" in KERNELS[name] and (name != "rt" or "BASE_SETCPUID" in stack.base.features):
        boots.append(Planned(one, soak.Users(stack.base.may_skip.get(soak.USERS, "")), expect))
    seed = list(KERNELS).index(name) + 1
    return [*boots, Planned(one, soak.Race(seconds, seed, WATCHES[name]), expect)]


def chosen(context: Context, stack: Stack) -> list[str]:
    """Give the kernels that a base can have, or that of KERNEL=."""
    only = context.word("KERNEL")
    known = [name for name in KERNELS if name != "rt" or name in stack.base.kernels]
    if only and only not in known:
        raise unknown("kernel", only, known)
    return [name for name in known if only in ("", name)]


def plan(context: Context, stack: Stack, source: Source) -> list[Planned]:
    seconds = int(context.word("DURATION"))
    return [boot for name in chosen(context, stack)
            for boot in boots_of(stack, source, name, seconds)]


def short_plan(_context: Context, stack: Stack, source: Source) -> list[Planned]:
    return [Planned(patched(stack, source), soak.Race(SHORT, 1))]


def short(context: Context, stack: Stack) -> None:
    with context.work(stack) as source:
        boots = short_plan(context, stack, source)
        verdict = context.boot(stack, boots)[0]
    show("soak", boots[0])
    context.tally.verdict(f"soak ({boots[0].folder.place})", verdict)


def show(title: str, race: Planned) -> soak.Figures:
    figures = soak.parse(race.folder.logs().results)
    print(f"  {title}: " + ", ".join(f"{value:,} {figure.replace('_', ' ')}"
                                     for figure, value in figures.items()))
    return figures


def campaign(context: Context, stack: Stack, source: Source, name: str,
             seconds: int) -> dict[str, Any]:
    """Boot all tests and then the races on one kernel; give what is kept."""
    *tests, race = there(boots_of(stack, source, name, seconds))
    verdicts = context.boot(stack, tests)
    stocks = {one.suite.name: verdict for one, verdict in zip(tests, verdicts, strict=True)
              if one.expect.kernel == STOCK}
    found: dict[str, Verdict] = {}
    for one, verdict in zip(tests, verdicts, strict=True):
        if one.expect.kernel != STOCK:
            if isinstance(one.suite, Program) and one.suite.name in stocks:
                compare(stocks[one.suite.name], verdict)
            found[one.suite.name] = verdict
    for title, verdict in found.items():
        words = f": {verdict.status.meaning}" if verdict.status else ""
        print(f"  {name}: {title}: {summary(verdict)}{words}")
        context.tally.verdict(f"{title} on {name} ({race.kernel.place})", verdict)
    verdict = context.boot(stack, [race])[0]
    figures = show(f"soak on {name}", race)
    context.tally.verdict(f"soak on {name} ({race.folder.place})", verdict)
    wrong = [problem for one in (*found.values(), verdict) for problem in one.problems]
    return {"tests": {title: summary(one) for title, one in found.items()}, "figures": figures,
            "seed": list(KERNELS).index(name) + 1, "wrong": wrong}


def compare(before: Verdict, verdict: Verdict) -> None:
    """Compare a program with its results on the patched kernel as it is."""
    same(before, verdict)
    if before.status:
        verdict.status = verdict.status or before.status
        verdict.problems += [f"without the checks: {problem}" for problem in before.problems]


def run(context: Context, stack: Stack) -> None:
    """Run the campaign, or its part on the kernel of KERNEL=.

    docs/soak keeps a whole campaign without a failure.
    """
    seconds, kept = int(context.word("DURATION")), {}
    with context.work(stack) as source:
        for name in chosen(context, stack):
            kept[name] = campaign(context, stack, source, name, seconds)
    whole = not context.word("KERNEL")
    reaps = sum(part["figures"].get("refused_reaps", 0) for part in kept.values())
    missed = [f"{reaps:,} refused reaps, not {NEEDED:,}: take a longer DURATION"
              ] if whole and reaps < NEEDED else []
    print(f"\nbase {stack.name}: {reaps:,} refused reaps",
          *(f"  missed: {line}" for line in missed), sep="\n")
    for line in missed:
        context.tally.fail(Status.TEST_FAILED, line)
    if whole:
        data = {**provenance(stack, source), "seconds": seconds,
                "machine": f"-smp {soak.CPUS},sockets={soak.CPUS}", "missed": missed,
                "kernels": kept}
        # A campaign that is short, or failed, does not replace an earlier one.
        target = (source.place / stack.file("soak.json") if context.tally.failed
                  else ROOT / f"docs/soak/{stack.name}.json")
        write_json(target, data)
        print(f"  kept in {target.parent.name}/{target.name}")
