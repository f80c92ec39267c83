# SPDX-License-Identifier: GPL-2.0-only
"""The table of verbs, and the command line: python3 -m lab VERB [NAME=VALUE]... [--dryrun]."""

import errno
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.base.data import ROOT
from lab.base.errors import MEANING, LabError, Status, exit_table
from lab.engines.boot import Engine
from lab.kernel import bases
from lab.kernel.bases import Stack
from lab.suites.suite import Planned
from lab.verbs import (bench, docs, intree, judge_mutants, model, mutants, pack, revert, run, soak,
                       steps, tree)
from lab.verbs import test as everything
from lab.verbs.context import ENGINES, Context, unknown

Words = dict[str, str]
DURATION = "300"
BUILD = "--build="


@dataclass(frozen=True)
class Call:
    """A verb with its words, on a stack."""

    context: Context
    stack: Stack
    words: Words


@dataclass(frozen=True)
class Verb:
    """A verb: what it shows, the words it takes, what it does, and its boots for --dryrun."""

    name: str
    help: str
    words: tuple[str, ...]
    do: Callable[[Call], None]
    plan: Callable[[Call], Sequence[Planned]] | None = None
    on_all: bool = False  # without BASE= it is for all bases


HELP = {
    "BASE": "7.3", "PART": "debug", "TREE": "DIR", "PATCH": "slug", "MUTANT": "name",
    "KERNEL": "kasan", "DURATION": "300", "FROM": "7.3", "TO": "6.12", "RECORD": "6.12",
    "LOGS": "DIR", "GATE": "no", "ENGINE": "qemu", "SKIP": "yes",
}
ON = ("BASE", "PART")
BOOTED = (*ON, "TREE", "ENGINE")


def source_plan(plan: Callable[..., Sequence[Planned]],
                *names: str) -> Callable[[Call], Sequence[Planned]]:
    """Give the plan of a verb for a call; `names` are words that it takes as well."""
    def planned(call: Call) -> Sequence[Planned]:
        more = [int(call.words[name]) if name == "DURATION" else call.words.get(name, "")
                for name in names]
        return plan(call.context, call.stack, call.context.source(call.stack), *more)

    return planned


def do_gate(call: Call) -> None:
    """Do the gate of one base or of all."""
    todo = [everything.gate_step(call.context, stack) for stack in chosen(call)]
    everything.do_all(call.context, todo)


def do_lint(call: Call) -> None:
    """Lint, and end with the gate of all bases."""
    everything.check(call.context)
    if call.words.get("GATE") != "no":
        do_gate(call)


def do_docs(call: Call) -> None:
    """Record what was run, and make the tables."""
    if name := call.words.get("RECORD"):
        stack = call.context.series.stack(name, call.words.get("PART", ""))
        print(f"recorded in {docs.record(ROOT, call.context.source(stack).place, stack)}")
    docs.write(ROOT)


def do_port(call: Call) -> None:
    """Start a port."""
    for name in ("FROM", "TO"):
        if not call.words.get(name):
            raise LabError(Status.USAGE, f"{name}= is missing", "make port FROM=7.3 TO=6.12")
    series, part = call.context.series, call.words.get("PART", "")
    origin, target = (series.stack(call.words[name], part) for name in ("FROM", "TO"))
    tree.port(target, call.context.source(target), origin, call.context.source(origin))


def do_judge(call: Call) -> None:
    """Judge logs, or with MUTANT= the judge itself."""
    if not call.words.get("LOGS"):
        raise LabError(Status.USAGE, "LOGS= is missing", "make judge LOGS=build/7.3/boots")
    pack.judge(call.context, Path(call.words["LOGS"]))


def chosen(call: Call) -> list[Stack]:
    """Give the stacks of a verb that is for one base or for all."""
    if call.words.get("BASE"):
        series = call.context.series
        one = series.stack(call.words["BASE"], call.words.get("PART", ""))
        return [one] if call.words.get("PART") else series.stacks(one.base)
    return call.context.series.all_stacks()


VERBS = (
    Verb("run", "the suites on the stock and on the patched kernel, in a table",
         (*BOOTED, "SKIP"), lambda call: run.run(call.context, call.stack), source_plan(run.plan)),
    Verb("revert", "take each patch out alone: its cases must fail", (*BOOTED, "PATCH"),
         lambda call: revert.revert(call.context, call.stack, call.words.get("PATCH", "")),
         source_plan(revert.plan, "PATCH")),
    Verb("steps", "the tests pass at each patch, from the first one on that adds them", BOOTED,
         lambda call: steps.run(call.context, call.stack), source_plan(steps.plan)),
    Verb("gate", "each patch builds everywhere and brings no new finding; one base or all",
         (*ON, "TREE"), do_gate, on_all=True),
    Verb("lint", "check series, kit, prose and lab; then the gate, unless GATE=no", ("GATE",),
         do_lint, on_all=True),
    Verb("bench", "cost in instructions, stock against patched; the figures go to docs/bench",
         BOOTED, lambda call: bench.run(call.context, call.stack), source_plan(bench.plan)),
    Verb("soak", "all tests and races on kernels with KASAN, lockdep, KCSAN; docs/soak",
         (*BOOTED, "DURATION", "KERNEL"),
         lambda call: soak.run(call.context, call.stack, int(call.words["DURATION"]),
                               call.words.get("KERNEL", "")),
         source_plan(soak.plan, "DURATION", "KERNEL")),
    Verb("mutants", "mutations of the patched kernel; a test must catch each one",
         (*BOOTED, "MUTANT"),
         lambda call: mutants.run(call.context, call.stack, call.words.get("MUTANT", "")),
         source_plan(mutants.plan, "MUTANT")),
    Verb("judge-mutants", "mutations of the judge; a unit test must catch each one", ("MUTANT",),
         lambda call: judge_mutants.run(call.context, call.words.get("MUTANT", ""))),
    Verb("model", "let spin search the model of the traversal, and refute its wrong variants", (),
         lambda call: model.run(call.context)),
    Verb("pack", "write the boots of run to a directory for another machine", (*ON, "TREE"),
         lambda call: pack.pack(call.context, call.stack), source_plan(run.plan)),
    Verb("judge", "judge the logs of boots again, without booting", ("LOGS",), do_judge),
    Verb("tree", "make build/BASE/tree, a git tree with the series as commits", (*ON, "TREE"),
         lambda call: tree.tree(call.stack, call.context.source(call.stack))),
    Verb("refresh", "write the commits of build/BASE/tree back to series/", (*ON, "TREE"),
         lambda call: tree.refresh(call.stack, call.context.source(call.stack))),
    Verb("port", "start a port in the tree of TO; it stops at a conflict",
         ("FROM", "TO", "PART", "TREE"), do_port),
    Verb("intree", "write the in-tree tests of intree/ into build/BASE/tree", (*ON, "TREE"),
         lambda call: intree.intree(call.context.series, call.stack,
                                    call.context.source(call.stack))),
    Verb("docs", "make the tables of docs/; RECORD= keeps the last run first",
         ("RECORD", "PART", "TREE"), do_docs),
    Verb("test", "everything; for one base or for all", (*ON, "ENGINE"),
         lambda call: everything.test(call.context, chosen(call)), on_all=True),
)


def usage() -> str:
    """Give the help: the verbs, their words, the exit statuses."""
    lines = ["make VERB [NAME=VALUE]... or python3 -m lab VERB [NAME=VALUE]... [--dryrun]", ""]
    for verb in VERBS:
        shown = " ".join(f"[{name}={HELP[name]}]" for name in verb.words)
        lines += [f"  {verb.name.ljust(14)} {verb.help}", *([f"{'':17}{shown}"] if shown else [])]
    return "\n".join([*lines, "  clean          remove build/", "",
                      "--dryrun (make: DRYRUN=yes) prints the kernels and boots of a verb only.",
                      "", "exit statuses (make prints them as Error N):", exit_table()])


def parse(argv: Sequence[str]) -> tuple[Verb, Words, bool, Path]:
    """Read the command line; USAGE for a word that the verb does not take."""
    words: Words = {}
    dryrun, build = False, ROOT / "build"
    names = [verb.name for verb in VERBS]
    verb = next((one for one in VERBS if argv and one.name == argv[0]), None)
    if not verb:
        raise unknown("verb", argv[0] if argv else "", names)
    for word in argv[1:]:
        name, equals, value = word.partition("=")
        if word.startswith(BUILD):
            build = Path(value)
        elif word == "--dryrun":
            dryrun = True
        elif not equals or name not in verb.words:
            takes = " ".join(f"{one}=" for one in verb.words) or "nothing"
            raise LabError(Status.USAGE, f"{verb.name} does not take {word!r}", f"it takes {takes}")
        elif value:
            words[name] = value
    if "DURATION" in verb.words and not words.setdefault("DURATION", DURATION).isdigit():
        raise LabError(Status.USAGE, f"DURATION={words['DURATION']} is no number of seconds")
    if dryrun and not verb.plan and verb.name != "test":
        raise LabError(Status.USAGE, f"{verb.name} boots nothing: no --dryrun")
    return verb, words, dryrun, build


def dispatch(argv: Sequence[str]) -> Status:
    """Do the verb; give its status."""
    verb, words, dryrun, build = parse(argv)
    engine = words.get("ENGINE", "qemu")
    if engine not in ENGINES:
        raise unknown("engine", engine, list(ENGINES))
    series = bases.read(ROOT)
    tree_path = Path(words["TREE"]) if "TREE" in words else None
    context = Context(series, build, tree=tree_path, allow_skip="SKIP" in words,
                      engine_name=engine)
    stack = series.stack(words.get("BASE") or next(iter(series.bases)), words.get("PART", ""))
    if not verb.on_all and "BASE" in verb.words:
        stack.allows(verb.name)
    call = Call(context, stack, words)
    if dryrun:
        show(verb, call)
        return Status.OK
    verb.do(call)
    return context.tally.status


def show(verb: Verb, call: Call) -> None:
    """Print the kernels and boots of a verb."""
    if verb.name == "test":
        for stack in chosen(call):
            show_one("run", run.plan(call.context, stack, call.context.source(stack)))
            if not stack.lower and stack.base.kit:
                show_one("steps", steps.plan(call.context, stack, call.context.source(stack)))
        first = chosen(call)[0]
        source = call.context.source(first)
        show_one("soak", soak.short_plan(call.context, first, source))
        show_one("revert", revert.plan(call.context, first, source))
    elif verb.plan:
        show_one(verb.name, verb.plan(call))


def show_one(name: str, boots: Sequence[Planned]) -> None:
    """Print the kernels and boots of a plan."""
    kernels = dict.fromkeys(str(one.kernel) for one in boots)
    print(f"{name}: {len(kernels)} kernels", *(f"  {one}" for one in kernels), sep="\n")
    print(f"{name}: {len(boots)} boots", *(f"  {one}" for one in boots), sep="\n")


def interrupt(_number: int, _frame: object) -> None:
    """End the work once; the cleaning up that follows is not interrupted again."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def main(argv: Sequence[str]) -> int:
    """Run the command line; give the exit status."""
    if not argv or argv[0] in ("-h", "--help", "help"):
        print(usage())
        return Status.OK if argv else Status.USAGE
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
    try:
        status = dispatch(argv)
        if status:
            raise LabError(status, "see above")
        print(f"lab: {MEANING[status]}")
        return status
    except LabError as error:
        everything.complain(error)
        return error.status
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        everything.complain(LabError(Status.DISK_FULL, str(error)))
        return Status.DISK_FULL
    except KeyboardInterrupt:
        print()
        everything.complain(LabError(Status.INTERRUPTED, argv[0]))
        return Status.INTERRUPTED
