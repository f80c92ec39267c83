# SPDX-License-Identifier: GPL-2.0-only
"""The table of verbs, and the command line: python3 -m lab VERB [NAME=VALUE]... [--dryrun]."""

import errno
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.base.data import ROOT
from lab.base.errors import LabError, Status, exit_table
from lab.base.memory import read_json, write_json
from lab.kernel import bases
from lab.kernel.bases import Stack
from lab.kernel.source import Source
from lab.suites.suite import Planned
from lab.verbs import (bench, docs, field, formats, intree, judge_mutants, model, mutants,
                       pack, revert, run, send, soak, steps, tree)
from lab.verbs import test as everything
from lab.verbs.context import ENGINES, Context, unknown


@dataclass(frozen=True)
class Verb:
    """A verb: what --help shows, the words it takes, what it does, its boots for --dryrun."""

    name: str
    help: str
    words: tuple[str, ...]
    do: Callable[[Context, Stack], None]
    plan: Callable[[Context, Stack, Source], list[Planned]] | None = None


# The words, with an example or the default.
WORDS = {
    "BASE": "7.3", "PART": "debug", "TREE": "DIR", "PATCH": "slug", "MUTANT": "name",
    "KERNEL": "kasan", "DURATION": "300", "FROM": "7.3", "TO": "6.12", "RECORD": "6.12",
    "LOGS": "DIR", "GATE": "no", "ENGINE": "qemu|lava", "SKIP": "yes",
    "FORMAT": "kcidb|junit|ktap", "ORIGIN": "name", "ARCH": "arm64"}
ON = ("BASE", "PART", "TREE")
VARIANT = ("ARCH", "KERNEL")
BOOTED = (*ON, "ENGINE")


def write_docs(context: Context, _stack: Stack) -> None:
    if (name := context.word("RECORD")) == "model":
        write_json(ROOT / "docs/model.json", read_json(context.build / "model.json"))
    elif name:
        stack = context.series.stack(name, *map(context.word, ("PART", *VARIANT)))
        print(f"recorded in {docs.record(ROOT, context.source(stack).place, stack)}")
    docs.write(context.series)


def port(context: Context, _stack: Stack) -> None:
    if not context.word("FROM") or not context.word("TO"):
        raise LabError(Status.USAGE, "FROM= and TO= are needed", "make port FROM=7.3 TO=6.12")
    origin, target = (context.series.stack(context.word(name), context.word("PART"))
                      for name in ("FROM", "TO"))
    # TREE= is the base that needs one.
    given = Path(context.word("TREE")) if context.word("TREE") else None
    old = None if target.base.needs_tree else given
    tree.port(target, context.source(target), origin, Source(origin.base, context.build, old))


VERBS = (
    Verb("run", "the suites on the stock and on the patched kernel, in a table",
         (*BOOTED, "SKIP", *VARIANT), run.run, run.plan),
    Verb("revert", "take each patch out alone: its cases must fail", (*BOOTED, "PATCH"),
         revert.run, revert.plan),
    Verb("steps", "run the tests at each patch, from the first patch that adds them", BOOTED,
         steps.run, steps.plan),
    Verb("gate", "each patch builds everywhere and adds no finding; one base or all", ON,
         everything.gates),
    Verb("lint", "check series, kit and lab; then the gate, unless GATE=no", ("GATE",),
         everything.lint_all),
    Verb("bench", "cost in instructions, stock against patched; the figures go to docs/bench",
         BOOTED, bench.run, bench.plan),
    Verb("soak", "all tests and races on kernels with KASAN, lockdep, KCSAN, RT; docs/soak",
         (*BOOTED, "DURATION", "KERNEL"), soak.run, soak.plan),
    Verb("field", "the kit on Debian's binary kernels and on unusual machines; docs/field",
         ("KERNEL", "ENGINE"), field.run, field.plan),
    Verb("mutants", "mutations of the patched kernel; a test must catch each one",
         (*BOOTED, "MUTANT"), mutants.run, mutants.plan),
    Verb("judge-mutants", "mutations of the judge; a unit test must catch each one", ("MUTANT",),
         judge_mutants.run),
    Verb("model", "spin searches the model of the traversal; herd7 runs the litmus tests", (),
         model.run),
    Verb("report", "write the last run for a fleet: KCIDB 5.3, JUnit or KTAP",
         (*ON, "FORMAT", "ORIGIN", *VARIANT), formats.run),
    Verb("pack", "write the boots of run to a directory for another machine", ON, pack.pack,
         run.plan),
    Verb("judge", "judge the logs of boots again, without booting", ("LOGS",), pack.judge),
    Verb("tree", "make build/BASE/tree, a git tree with the series as commits", ON,
         lambda context, stack: tree.tree(stack, context.source(stack))),
    Verb("refresh", "write the commits of build/BASE/tree back to series/", ON,
         lambda context, stack: tree.refresh(stack, context.source(stack))),
    Verb("port", "start a port in the tree of TO; it stops at a conflict",
         ("FROM", "TO", "PART", "TREE"), port),
    Verb("intree", "write the in-tree tests of intree/ into build/BASE/tree", ON,
         lambda context, stack: intree.intree(context.series, stack, context.source(stack))),
    Verb("send", "write a part as mails for git send-email to build/BASE/send/PART", ON,
         send.send),
    Verb("docs", "make the tables of docs/; RECORD= keeps the last run first",
         ("RECORD", "PART", "TREE", *VARIANT), write_docs),
    Verb("test", "everything, for one base or for all", BOOTED, everything.test))


def usage() -> str:
    lines = ["make VERB [NAME=VALUE]... or python3 -m lab VERB [NAME=VALUE]... [--dryrun]", ""]
    for verb in VERBS:
        shown = " ".join(f"[{name}={WORDS[name]}]" for name in verb.words)
        lines += [f"  {verb.name.ljust(14)} {verb.help}", *([f"{'':17}{shown}"] if shown else [])]
    return "\n".join([*lines, "  clean          remove build/", "",
                      "--dryrun (make: DRYRUN=yes): a verb that boots only prints its boots.",
                      "", "exit statuses (make prints them as Error N):", exit_table()])


def parse(argv: Sequence[str]) -> tuple[Verb, Context, bool]:
    """Read the command line; USAGE for a word that the verb does not take."""
    verb = next((one for one in VERBS if one.name == argv[0]), None)
    if not verb:
        raise unknown("verb", argv[0], [one.name for one in VERBS])
    words = {"DURATION": WORDS["DURATION"]}
    dryrun, build = False, ROOT / "build"
    for word in argv[1:]:
        name, equals, value = word.partition("=")
        if name == "--build" and value:
            build = Path(value)
        elif word == "--dryrun":
            dryrun = True
        elif not equals or name not in verb.words:
            takes = " ".join(f"{one}=" for one in verb.words) or "nothing"
            raise LabError(Status.USAGE, f"{verb.name} does not take {word!r}", f"it takes {takes}")
        elif value:
            words[name] = value
    if not words["DURATION"].isdigit():
        raise LabError(Status.USAGE, f"DURATION={words['DURATION']} is no number of seconds")
    if words.get("ENGINE", "qemu") not in ENGINES:
        raise unknown("engine", words["ENGINE"], list(ENGINES))
    if dryrun and not verb.plan and verb.name != "test":
        raise LabError(Status.USAGE, f"{verb.name} boots nothing: no --dryrun")
    return verb, Context(bases.read(ROOT), build, words), dryrun


def dispatch(argv: Sequence[str]) -> Status:
    verb, context, dryrun = parse(argv)
    base = context.word("BASE") or next(iter(context.series.bases))
    part = context.word("PART") if "BASE" in verb.words else ""
    variant = map(context.word, VARIANT) if set(VARIANT) <= set(verb.words) else ()
    stack = context.series.stack(base, part, *variant)
    if "BASE" in verb.words:
        stack.allows(verb.name)
    if not dryrun:
        verb.do(context, stack)
        return context.tally.status
    plans = ([(verb.name, verb.plan(context, stack, context.source(stack)))] if verb.plan
             else everything.plans(context))
    for title, boots in plans:
        kernels = dict.fromkeys(str(one.kernel) for one in boots)
        print(f"{title}: {len(kernels)} kernels", *(f"  {one}" for one in kernels), sep="\n")
        print(f"{title}: {len(boots)} boots", *(f"  {one}" for one in boots), sep="\n")
    return Status.OK


def interrupt(_number: int, _frame: object) -> None:
    """End the work once; the cleaning up that follows is not interrupted again."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def main(argv: Sequence[str]) -> int:
    if not argv or argv[0] in ("-h", "--help", "help"):
        print(usage())
        return Status.OK if argv else Status.USAGE
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
    try:
        status = dispatch(argv)
        if status:
            raise LabError(status, "see above")
        print(f"lab: {status.meaning}")
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
