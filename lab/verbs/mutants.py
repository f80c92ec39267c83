# SPDX-License-Identifier: GPL-2.0-only
"""The verb `mutants`: small wrong changes to the patched kernel; a test must catch each one."""

import re
from pathlib import Path

from lab.base.data import ROOT
from lab.base.errors import LabError, Status
from lab.base.memory import write_json
from lab.judge.console import Console, lost
from lab.judge.verdict import Verdict
from lab.kernel.bases import Stack
from lab.kernel.kernel import Kernel, changed, patched
from lab.kernel.source import Source
from lab.kernel.tree import Mutant
from lab.suites import kunit
from lab.suites.suite import Planned
from lab.verbs.context import Context, Proofs, provenance, series_key, suite_of, unknown

FOLDER = ROOT / "proof/mutants"


def read(path: Path) -> list[Mutant]:
    """Read the mutants of a stack; USAGE if there is no such file, or it is malformed."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        have = " ".join(sorted(file.name for file in path.parent.glob("[0-9]*")))
        raise LabError(Status.USAGE, f"{path} does not exist",
                       f"there are mutants for: {have}") from None
    mutants: dict[str, Mutant] = {}
    for block in re.split(r"^== ", text, flags=re.MULTILINE)[1:]:
        head, _, body = block.partition("\n")
        words = head.split()
        parts = [part.strip("\n").splitlines()
                 for part in re.split(r"^@@$", body, flags=re.MULTILINE)]
        has_report = re.search(r" reports=\S+$", head)
        reports = words.pop().removeprefix("reports=") if has_report else ""
        odd = any(not re.match(r"[-+ ]", line) for part in parts for line in part)
        if len(words) != 2 or words[0] in mutants or odd:
            raise LabError(Status.USAGE, f"{path}: `== {head}` is listed twice, or is not `== name "
                           "file [reports=REGEX]` and hunks of ' ', '-' and '+' lines")
        hunks = tuple((side(part, " -"), side(part, " +")) for part in parts)
        mutants[words[0]] = Mutant(words[0], words[1], hunks, reports)
    return list(mutants.values())


def side(lines: list[str], signs: str) -> str:
    return "".join(f"{line[1:]}\n" for line in lines if line[0] in signs)


def chosen(context: Context, path: Path) -> list[Mutant]:
    every, only = read(path), context.word("MUTANT")
    found = [one for one in every if only in ("", one.name)]
    if not found:
        raise unknown("mutant", only, [one.name for one in every])
    return found


def boots_of(stack: Stack, kernel: Kernel) -> list[Planned]:
    """Give the boots of a mutant, in order: KUnit, then the kit.

    What has to report itself needs the kit only.
    """
    suites = kunit.of(stack.base, kernel)
    alone = isinstance(kernel.change, Mutant) and kernel.change.reports
    boots = [] if alone or not suites else [Planned(kernel, suites)]
    return [*boots, Planned(kernel, suite_of(stack))]


def plan(context: Context, stack: Stack, source: Source) -> list[Planned]:
    whole = patched(stack, source)
    kernels = [whole, *(changed(whole, one, f"mutant-{one.name}")
                        for one in chosen(context, FOLDER / stack.name))]
    return [boot for kernel in kernels for boot in boots_of(stack, kernel)]


def killer(name: str, verdict: Verdict, last: str, console: str) -> str:
    """Name the test that noticed, "" if none did; of a guest that hangs, the test it hung in.

    NO_RESULT if none did, and the console is not whole.
    """
    if verdict.unexpected:
        more = len(verdict.unexpected) - 1
        return f"{name} {verdict.unexpected[0]}{f' and {more} more' if more else ''}"
    if lost(console):
        raise LabError(Status.NO_RESULT, f"{name}: {lost(console)}",
                       "give the guest a larger log_buf_len (lab/engines/boot.py)")
    if verdict.status and not last:
        raise LabError(Status.NO_RESULT, f"{name}: the guest ended before its first test",
                       "repeat it: what was killed is remembered")
    return f"{name} {last} does not end" if verdict.status else ""


def test(context: Context, stack: Stack, kernel: Kernel) -> str:
    """Boot what a kernel needs until a test notices; name that test, "" for none."""
    for one in boots_of(stack, kernel):
        verdict = context.boot(stack, [one])[0]
        console = one.folder.logs().console
        if isinstance(kernel.change, Mutant) and kernel.change.reports:
            said = re.search(kernel.change.reports, console)
            return f"the kernel: {said[0]}" if said else ""
        if isinstance(one.suite, kunit.KUnit):
            cases = re.findall(r"(?:not )?ok \d+ (?:- )?(\S+)", console)
            last = f"after {cases[-1]}" if cases else ""
        else:
            last = Console.parse(console).last_case
        found = killer(one.suite.name, verdict, last, console)
        if found or verdict.status:
            return found
    return ""


def unharmed(context: Context, stack: Stack, kernel: Kernel, mutants: list[Mutant]) -> None:
    """Raise TEST_FAILED if the kernel without a mutant fails a test, or prints a report."""
    found = test(context, stack, kernel)
    console = boots_of(stack, kernel)[-1].folder.logs().console
    said = [match[0] for one in mutants
            if one.reports and (match := re.search(one.reports, console))]
    found = found or (f"it prints {said[0]!r}" if said else "")
    found = found or ("" if console else "the kit did not run")
    if found:
        raise LabError(Status.TEST_FAILED, f"{found}, on the kernel without a mutant",
                       f"make run {stack.command}")


def run(context: Context, stack: Stack) -> None:
    """Build and test each mutant, or that of MUTANT=; print and keep what noticed it."""
    mutants, only = chosen(context, FOLDER / stack.name), context.word("MUTANT")
    killed: dict[str, str] = {}
    with context.work(stack) as source:
        kept = source.place / stack.file("mutants.json")
        if not only:
            kept.unlink(missing_ok=True)
        whole = patched(stack, source)
        unharmed(context, stack, whole, mutants)
        proofs = Proofs(source)
        for number, mutant in enumerate(mutants, 1):
            kernel = changed(whole, mutant, f"mutant-{mutant.name}")
            boots = boots_of(stack, kernel)
            found = proofs.get(kernel.name, boots) or test(context, stack, kernel)
            if found:
                killed[mutant.name] = found
                if not mutant.reports:  # the key does not have the pattern
                    proofs.put(kernel.name, boots, found)
            else:
                context.tally.fail(Status.TEST_FAILED, f"mutant {mutant.name} survived")
            shown = f"killed by {found}" if found else "SURVIVED"
            print(f"  {number} of {len(mutants)}: {shown}: {mutant.name}", flush=True)
        if not only:
            names = [one.name for one in mutants]
            write_json(kept, {**provenance(stack, source), "series": series_key(stack),
                              "killed": killed,
                              "survivors": [name for name in names if name not in killed]})
    context.tally.passed += len(killed)
    print(f"\nbase {stack.name}: {len(killed)} of {len(mutants)} mutants killed")
