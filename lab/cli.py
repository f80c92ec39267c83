# SPDX-License-Identifier: GPL-2.0-only
"""The verbs. Each ends in one exit status and one line of advice."""

import argparse
import errno
import os
import signal
import sys
import time
import unittest
from collections.abc import Callable
from functools import partial
from pathlib import Path

from lab import bench, docs, host, intree, job, lint, mirror, model, mutants, queue, results, soak, station, steps
from lab.data import Base, read_bases, read_cases
from lab.errors import MEANING, LabError, Status, exit_table
from lab.gate import gate
from lab.job import Job, Tally, revert, run

Step = tuple[str, Callable[[], None]]


def run_lint(bases: dict[str, Base], build: Path, tally: Tally) -> None:
    """Run every check; print the findings of those that fail."""
    host.need({**host.BUILD, **host.LINT}, build / "host.log")
    newest = max(bases.values(), key=lambda base: [int(part) for part in base.name.split("-")[0].split(".")])
    kernel = Job(newest, build)
    with station.lock(kernel.place):
        kernel.source()
    for name, check in lint.checks(job.ROOT, bases, (kernel.place / "stock/src").absolute()):
        found = check()
        print(f"  {'ok' if not found else 'not ok'} {name}")
        for line in found:
            print(f"    {line}")
        if found:
            tally.fail(Status.TEST_FAILED, f"{name}: {found[0]}")
        else:
            tally.passed += 1


def run_unit(build: Path, tally: Tally) -> None:
    """Run the lab's own tests."""
    build.mkdir(exist_ok=True)
    host.need(host.UNIT, build / "host.log")
    suite = unittest.defaultTestLoader.discover(str(job.ROOT / "tests"), top_level_dir=str(job.ROOT))
    outcome = unittest.TextTestRunner(stream=sys.stdout, buffer=True).run(suite)
    bad = [str(case) for case, _ in (*outcome.failures, *outcome.errors)]
    tally.skipped += len(outcome.skipped)
    tally.passed += max(0, outcome.testsRun - len(bad) - len(outcome.skipped))
    for line in bad or ([] if outcome.testsRun else ["no test was found"]):
        tally.fail(Status.TEST_FAILED, line)


def run_model(build: Path, tally: Tally) -> None:
    """Let spin search the model."""
    host.need({**host.BUILD, **host.MODEL}, build / "host.log")
    wrong = model.run(job.ROOT, build)
    tally.passed += len(model.read_runs(job.ROOT / "proof/model/runs")) - len(wrong)
    for line in wrong:
        tally.fail(Status.TEST_FAILED, f"model: {line}")


def test(options: argparse.Namespace, bases: dict[str, Base], tally: Tally) -> None:
    """Do everything, for one base or for all, going on after a failure; leave the count in build/tally.

    Of all bases, only the first one has its patches taken out, and a short soak. One on top of another has no steps.
    """
    begun = time.monotonic()
    steps: list[Step] = [
        ("the lab's own tests", partial(run_unit, options.build, tally)),
        ("lint", partial(run_lint, bases, options.build, tally)),
        ("model", partial(run_model, options.build, tally)),
    ]
    chosen = [options.base] if options.base else list(bases)
    for base in chosen:
        # Which case needs which patch is the same on all bases: prove it where the series is submitted.
        only_first: list[Callable[[Job], None]] = [short_soak, revert] if base == chosen[0] else []
        at_patches = [] if base in bases and bases[base].under else [at_each_patch]
        verbs = [gate, run, *at_patches, *only_first]
        steps += [on_base(verb, base, options, bases, tally) for verb in verbs]
    do_all(steps, tally)
    options.build.mkdir(exist_ok=True)
    station.write_atomic(options.build / "tally", f"{tally}\n")
    # The end of the output may be all that anybody sees of it.
    print(f"\n{(time.monotonic() - begun) / 60:.1f} minutes on {os.cpu_count()} CPUs", *tally.wrong, tally, sep="\n")


def short_soak(kernel: Job) -> None:
    """Race for a moment on the patched kernel."""
    soak.short(kernel)


def at_each_patch(kernel: Job) -> None:
    """Run the tests at each patch that has them."""
    steps.run(kernel)


def gates(options: argparse.Namespace, bases: dict[str, Base], tally: Tally) -> None:
    """Do the gate of one base or of all."""
    do_all([on_base(gate, base, options, bases, tally) for base in ([options.base] if options.base else bases)], tally)


def do_all(steps: list[Step], tally: Tally) -> None:
    """Do one step after the other, going on after a failure."""
    for title, step in steps:
        print(f"\n== {title}", flush=True)
        try:
            step()
        except LabError as error:
            complain(error)
            tally.fail(error.status, f"{title}: {error.message}")


def on_base(verb: Callable[[Job], None], base: str, options: argparse.Namespace, bases: dict[str, Base], tally: Tally) -> Step:
    """Give the step that does a verb on one base; one that needs TREE=DIR is skipped, and said so."""
    one = argparse.Namespace(**{**vars(options), "base": base})

    def step() -> None:
        kernel = make_job(one, bases, tally)
        if kernel.tree or not kernel.base.needs_tree:
            verb(kernel)
        else:
            print(f"  {base}: not run: needs TREE=DIR")
            tally.skipped += 1

    return f"{verb.__name__} {base}", step


def make_job(options: argparse.Namespace, bases: dict[str, Base], tally: Tally) -> Job:
    """Look the base up; USAGE names those there are."""
    if options.base not in bases:
        raise LabError(Status.USAGE, f"unknown base {options.base!r}", f"BASE is one of: {' '.join(bases)}")
    one = Job(bases[options.base], options.build, getattr(options, "tree", None), getattr(options, "allow_skip", False), tally)
    if not one.patches and options.verb not in ("tree", "refresh", "port", "intree"):
        raise LabError(Status.USAGE, f"base {options.base} has no series yet", f"make port FROM=... TO={options.base}, or make tree")
    return one


def judge(options: argparse.Namespace, tally: Tally) -> None:
    """Judge old logs again."""
    text = [path.read_text(encoding="utf-8", errors="replace") for path in (options.results, options.console)]
    verdict = results.judge(text[0], results.whole_records(text[1]), read_cases(options.cases, options.base), options.flavour, allow_skip=options.allow_skip)
    tally.verdict(options.flavour, verdict)
    print(tally)


def parser() -> argparse.ArgumentParser:
    """Give the command line."""
    top = argparse.ArgumentParser(prog="python3 -m lab", epilog=f"exit statuses:\n{exit_table()}",
                                  formatter_class=argparse.RawDescriptionHelpFormatter)
    top.add_argument("--build", type=Path, default=job.ROOT / "build", help="where everything is written (build/)")
    verbs = top.add_subparsers(dest="verb", required=True)
    for name, text in (
        ("run", "kit on stock and patched kernel, before/after table"),
        ("revert", "take each patch out alone: its cases must fail"),
        ("steps", "the tests pass at each patch from the first one on that adds them"),
        ("test", "the lab's own tests, lint, model, gate, run, steps, revert, a short soak"),
        ("lint", "check series, kit and lab; the gate"),
        ("gate", "every patch builds everywhere and brings no new finding"),
        ("bench", "what the series costs, in instructions, and what a refusal costs no more"),
        ("soak", "kernels with KASAN, lockdep or KCSAN: all tests, and races for as long as one likes"),
        ("mutants", "apply one wrong change after the other to the patched kernel: a test must fail"),
        ("model", "let spin search the model of the walk, and refute its wrong variants"),
        ("tree", "make build/BASE/tree, a git tree with the series as commits"),
        ("refresh", "write the commits of build/BASE/tree back to series/BASE"),
        ("port", "make build/BASE/tree with the series of another base"),
        ("intree", "write the in-tree tests of intree/ into build/BASE/tree"),
        ("docs", "regenerate the tables of README.md, docs/results.md and docs/bench.md"),
        ("judge", "judge old logs again"),
    ):
        verb = verbs.add_parser(name, help=text)
        if name in ("run", "revert", "steps", "gate", "lint", "test", "tree", "refresh", "port", "intree", "mutants", "bench", "soak"):
            default = {"test": "", "gate": "", "lint": "", "mutants": "7.3", "bench": "7.3", "soak": "7.3"}.get(name, "6.12")
            verb.add_argument("--base", default=default, help="a base of series/bases")
        if name == "mutants":
            verb.add_argument("--mutant", default="", help="only this one")
        if name == "soak":
            verb.add_argument("--duration", type=int, default=300, help="seconds of races on each kernel (300)")
            verb.add_argument("--kernel", default="", help="only this one")
        if name in ("run", "judge"):
            verb.add_argument("--allow-skip", action="store_true", help="a skipped case is no failure")
        if name == "lint":
            verb.add_argument("--no-gate", action="store_true", help="nothing that builds a kernel's objects")
        if name in ("run", "revert", "steps", "tree", "refresh", "gate"):
            verb.add_argument("--tree", type=Path, help="a kernel tree to use instead of the base's package; only read")
        if name == "port":
            verb.add_argument("--from", dest="origin", required=True, help="the base whose series is ported")
        if name == "revert":
            verb.add_argument("--patch", default="", help="only this slug")
        if name == "docs":
            verb.add_argument("--record", metavar="BASE", help="first keep what the last run and revert of a base gave")
        if name == "judge":
            verb.add_argument("--cases", type=Path, default=job.ROOT / "kit/cases")
            verb.add_argument("--base", default="6.12", help="the base whose stock column counts")
            verb.add_argument("--flavour", default=results.PATCHED, help="stock, patched, or the slug the kernel lacks")
            verb.add_argument("results", type=Path)
            verb.add_argument("console", type=Path)
    return top


def dispatch(options: argparse.Namespace) -> Status:
    """Do the verb; give its status."""
    tally = Tally()
    if options.verb == "judge":
        judge(options, tally)
        return tally.status
    bases = read_bases(job.ROOT / "series/bases")
    if options.verb == "docs":
        if options.record:
            print(f"recorded in {docs.record(job.ROOT, options.build, options.record)}")
        docs.write(job.ROOT)
    elif options.verb == "run":
        one = make_job(options, bases, tally)
        (mirror.run if one.base.needs_tree else run)(one)
    elif options.verb == "revert":
        one = make_job(options, bases, tally)
        (mirror.revert if one.base.needs_tree else revert)(one, options.patch)
    elif options.verb == "steps":
        steps.run(make_job(options, bases, tally))
    elif options.verb == "tree":
        queue.tree(make_job(options, bases, tally))
    elif options.verb == "refresh":
        queue.refresh(make_job(options, bases, tally))
    elif options.verb == "intree":
        one = make_job(options, bases, tally)
        for name in intree.write(job.ROOT, one.base.name, one.place / "tree"):
            print(f"  {one.place / 'tree' / name}")
    elif options.verb == "port":
        origin = make_job(argparse.Namespace(**{**vars(options), "base": options.origin}), bases, tally)
        queue.port(make_job(options, bases, tally), origin)
    elif options.verb == "gate":
        gates(options, bases, tally)
    elif options.verb == "lint":
        run_lint(bases, options.build, tally)
        if not options.no_gate:
            gates(options, bases, tally)
    elif options.verb == "model":
        run_model(options.build, tally)
    elif options.verb == "mutants":
        for name in mutants.run(make_job(options, bases, tally), options.mutant):
            tally.fail(Status.TEST_FAILED, name)
    elif options.verb == "soak":
        soak.run(make_job(options, bases, tally), options.duration, options.kernel)
        print(tally)
    elif options.verb == "bench":
        for line in bench.run(make_job(options, bases, tally)):
            tally.fail(Status.TEST_FAILED, line)
    else:
        test(options, bases, tally)
    return tally.status


def complain(error: LabError) -> None:
    """Print an error so that its last line says what to do."""
    if error.detail:
        print(error.detail)
    print(f"lab: {MEANING[error.status]}: {error.message}\nlab: {error.advice}", flush=True)


def interrupt(_number: int, _frame: object) -> None:
    """End the work once; the cleaning up that follows is not interrupted again."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def main(argv: list[str] | None = None) -> int:
    """Run the command line; give the exit status."""
    options = parser().parse_args(argv)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
    try:
        status = dispatch(options)
        if not status:
            print(f"lab: {MEANING[status]}")
            return status
        raise LabError(status, "see above")
    except LabError as error:
        complain(error)
        return error.status
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        complain(LabError(Status.DISK_FULL, str(error)))
        return Status.DISK_FULL
    except KeyboardInterrupt:
        print()
        complain(LabError(Status.INTERRUPTED, options.verb))
        return Status.INTERRUPTED
