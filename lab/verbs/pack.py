# SPDX-License-Identifier: GPL-2.0-only
"""The verbs `pack` and `judge`: boots to run on another machine, and the logs that come back."""

import shlex
import shutil
from pathlib import Path
from typing import Any

from lab.base.data import ROOT
from lab.base.errors import LabError, Status
from lab.engines import qemu
from lab.engines.boot import BOOT, IMAGE, INITRD, JUDGE, Boot, Folder
from lab.judge.verdict import PATCHED, STOCK, Verdict, same, summary
from lab.kernel.bases import Series, Stack
from lab.suites import bench, field, kit, kunit, selftests, soak
from lab.suites.mirror import Mirror
from lab.suites.selftests import Program
from lab.suites.suite import Expect, Suite
from lab.verbs import run
from lab.verbs.context import Context, suite_of

SCRIPT = Path(qemu.__file__).with_name("boots.sh")
ACCELERATOR = "$ACCEL"


def pack(context: Context, stack: Stack) -> None:
    """Write the boots of `run` to build/pack/STACK, with a script that runs them."""
    target = context.build / "pack" / stack.name
    with context.work(stack) as source:
        boots = run.there(run.plan(context, stack, source))
        folders = [one.prepare(stack.name) for one in boots]
    shutil.rmtree(target, ignore_errors=True)
    for folder in folders:
        copy(folder, target / folder.place.parent.name / folder.place.name)
    shutil.copy2(SCRIPT, target / "run")
    (target / "run").chmod(0o755)
    print(f"\nbase {stack.name}: {len(folders)} boots in {target}\n"
          f"  on any machine with QEMU: {target.name}/run; then here: make judge LOGS={target}")


def copy(folder: Folder, target: Path) -> None:
    target.mkdir(parents=True)
    for name in (IMAGE, INITRD, BOOT, JUDGE):
        shutil.copy2(folder.place / name, target / name)
    boot = folder.read()
    accelerator = "tcg" if boot.machine.options else ACCELERATOR
    words = [word if word == ACCELERATOR else shlex.quote(word)
             for word in qemu.command(boot, accelerator)]
    (target / "command").write_text(f"exec {' '.join(words)}\n", encoding="utf-8")
    (target / "limit").write_text(f"{boot.seconds:.0f}\n", encoding="utf-8")


def suite(stack: Stack, boot: Boot, details: dict[str, Any]) -> Suite:
    if boot.suite == suite_of(stack).name:
        return suite_of(stack)
    if boot.suite == kunit.KUnit.name:
        wanted = details["suites"]
        return kunit.KUnit(wanted, kunit.announced(stack.base, wanted))
    if boot.suite == soak.USERS:
        return soak.Users(stack.base.may_skip.get(soak.USERS, ""))
    if boot.suite == soak.RACE:
        return soak.Race(int(boot.seconds), 0, details["watches"])
    if boot.suite == bench.Bench.name:
        return bench.Bench()
    if (name := boot.suite.removeprefix("field-")) in field.BOOTS:
        return field.Field(name, kit.read_cases(ROOT / "kit/cases", stack.base))
    for test in selftests.read():
        if test.name == boot.suite:
            return Program(test, None, details["left_out"])
    raise LabError(Status.USAGE, f"no suite {boot.suite!r} in this version of the lab")


def expected(data: dict[str, Any]) -> Expect:
    fields: dict[str, Any] = {**data, "allowed": tuple(data["allowed"])}
    return Expect(**fields)


def judge_one(series: Series, folder: Folder) -> tuple[Boot, Suite, Verdict]:
    boot = folder.read()
    folder.verify()
    stacks = {stack.name: stack for stack in series.recorded()}
    if boot.stack not in stacks:
        raise LabError(Status.USAGE, f"{folder.place}: no base {boot.stack!r} in series/bases.toml")
    try:
        details = folder.judge()
        one, expect = suite(stacks[boot.stack], boot, details), expected(details["expect"])
    except (KeyError, TypeError) as error:
        raise LabError(Status.USAGE, f"{folder.place / JUDGE}: {error}") from None
    return boot, one, one.judge(folder.logs(), expect)


def judge(context: Context, _stack: Stack) -> None:
    """Judge all boots below LOGS=; print a line each, and count the cases."""
    logs = Path(context.word("LOGS") or ".")
    places = sorted(path.parent for path in logs.rglob(BOOT)) if context.word("LOGS") else []
    if not places:
        raise LabError(Status.USAGE, f"no {BOOT} below LOGS={context.word('LOGS')}",
                       "name a directory of `make pack`, or build/BASE/boots, with LOGS=DIR")
    found = {place: judge_one(context.series, Folder(place)) for place in places}
    for boot, one, verdict in found.values():
        if isinstance(one, Program) and one.test.tree == "stock" and boot.kernel == PATCHED:
            for other, _, stock in found.values():
                if (other.stack, other.suite, other.kernel) == (boot.stack, boot.suite, STOCK):
                    same(stock, verdict)
    for place, (boot, _, verdict) in found.items():
        print(f"  {boot.stack}: {boot.suite} on {boot.kernel}: {summary(verdict)}")
        context.tally.verdict(f"{boot.suite} on {boot.kernel} ({place})", verdict)
    print(context.tally)
