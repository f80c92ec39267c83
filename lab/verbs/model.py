# SPDX-License-Identifier: GPL-2.0-only
"""The verb `model`: spin searches the model of the traversal, herd7 runs the litmus tests."""

import re
import shutil
from datetime import date
from functools import partial
from pathlib import Path

from lab.base import memory, packages
from lab.base.data import ROOT, rows
from lab.base.errors import LabError, Status
from lab.base.memory import write_json
from lab.base.proc import Shell, ask
from lab.kernel.bases import Stack
from lab.kernel.source import Source
from lab.verbs.context import Context

VERIFIED = "verified"
SECONDS = 600.0  # a search that takes longer has more states than intended
DEPTH = 100_000
FOLDER, LITMUS = ROOT / "proof/model", ROOT / "proof/litmus"
NO_HERD = "litmus tests not run: herd7 is in Debian testing (package herdtools7)"
Found = tuple[str, str, str, int]  # name, what must come out, what came out, states


def read_runs(path: Path) -> list[list[str]]:
    """Give each name, what must come out, and spin's defines; USAGE if a line is wrong."""
    searches: list[list[str]] = []
    for where, words in rows(path, "`name outcome DEFINE...`", 3):
        if words[0] in (name for name, *_ in searches):
            raise LabError(Status.USAGE, f"{where}: search {words[0]} is listed twice")
        searches.append(words)
    return searches


def outcome(text: str) -> tuple[str, int]:
    """Give what a search of spin found and the states it stored; NO_RESULT if cut."""
    found = re.search(r"errors: (\d+)\n\s*([\d.e+]+) states, stored", text)
    if not found:
        raise LabError(Status.NO_RESULT, "spin's report is cut", "see model.log")
    if found[1] == "0" and re.search("Search not completed|max search depth too small", text):
        raise LabError(Status.NO_RESULT, "spin did not search all states", "raise DEPTH")
    broken = re.search(r"(?m)^pan:\d+: (?:assertion violated +)?(.*?)(?: \(at depth \d+\))?$", text)
    what = VERIFIED if found[1] == "0" else broken[1] if broken else "an error without a name"
    return what, int(float(found[2]))


def observed(text: str) -> tuple[str, int]:
    """Give what herd7 observed, with its flags, and the final states; NO_RESULT if cut."""
    found = re.search(r"(?m)^States (\d+)$(?s:.*)^Observation \S+ (\w+) \d", text)
    if not found:
        raise LabError(Status.NO_RESULT, "herd7's report is cut", "see model.log")
    return " ".join([found[2], *re.findall(r"(?m)^Flag (.*)$", text)]), int(found[1])


def output(shell: Shell, words: list[str | Path], folder: Path) -> str:
    begin = shell.log.stat().st_size
    if not shell.run(words, Status.NO_RESULT, cwd=folder, timeout=SECONDS):
        raise LabError(Status.NO_RESULT, f"a check took over {SECONDS:.0f} s", "see model.log")
    return shell.log.read_bytes()[begin:].decode(errors="replace")


def search(shell: Shell, name: str, must: str, *defines: str) -> Found:
    at = shell.log.parent / name
    shutil.rmtree(at, ignore_errors=True)
    at.mkdir(parents=True)
    shell.run(["spin", "-a", *(f"-D{define}" for define in defines), FOLDER / "refusal.pml"],
              Status.NOT_BUILT, cwd=at)
    shell.run(["gcc", "-O2", "-DSAFETY", "-DCOLLAPSE", "-opan", "pan.c"], Status.NOT_BUILT, cwd=at)
    what, states = outcome(output(shell, ["./pan", f"-m{DEPTH}", "-n"], at))
    return name, must, must if must in what else what, states


def litmus(shell: Shell, path: Path, model: Path) -> Found:
    must = path.read_text(encoding="utf-8").partition(" * Result: ")[2].partition("\n")[0]
    return path.stem, must, *observed(output(shell, ["herd7", "-conf", "linux-kernel.cfg", path],
                                             model))


def run(context: Context, _stack: Stack) -> None:
    """Do all; print a table, write build/model.json, which `make docs RECORD=model` keeps."""
    context.need(packages.MODEL)
    shell = Shell(context.build / "model/model.log")
    shell.log.unlink(missing_ok=True)
    source = Source(next(iter(context.series.bases.values())), context.build)
    todo = [partial(search, shell, *words) for words in read_runs(FOLDER / "runs")]
    herd = NO_HERD
    if packages.present("herd7"):
        with memory.lock(source.place):
            source.fetch()
        version = ask(["herd7", "-version"], Status.TOOL_MISSING).partition(",")[0]
        herd = f"herd7 {version} with the memory model of {source.name}"
        todo += [partial(litmus, shell, path, source.src / "tools/memory-model")
                 for path in sorted(LITMUS.glob("*.litmus"))]
    context.tally.skipped += herd == NO_HERD
    kept = []
    for work in todo:
        kept.append(work())
        name, must, seen, states = kept[-1]
        line = f"{name}: {seen}, {states:,} states"
        print(f"  {'ok' if seen == must else 'not ok'} {line}", flush=True)
        context.tally.passed += seen == must
        if seen != must:
            context.tally.fail(Status.TEST_FAILED, f"model: {line}")
    tools = f"{ask(['spin', '-V'], Status.TOOL_MISSING).strip()}; {herd}"
    print(f"  {tools}")
    write_json(context.build / "model.json",
               {"date": date.today().isoformat(), "tools": tools, "found": kept})
