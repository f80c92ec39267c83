# SPDX-License-Identifier: GPL-2.0-only
"""The verb `model`: spin verifies the model of the traversal, and refutes its wrong variants."""

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from lab.base import packages
from lab.base.data import ROOT, rows
from lab.base.errors import LabError, Status
from lab.base.proc import Shell, ask
from lab.kernel.bases import Stack
from lab.verbs.context import Context, write_json

VERIFIED = "-"
SECONDS = 600.0  # a search that takes longer has more states than intended
DEPTH = 100_000
FOLDER = ROOT / "proof/model"


@dataclass(frozen=True)
class Search:
    """A line of proof/model/runs: `breaks` is the assertion that must break, "-" for none."""

    name: str
    breaks: str
    defines: tuple[str, ...]


def read_runs(path: Path) -> list[Search]:
    """Read proof/model/runs; USAGE if a line is short or a name is listed twice."""
    searches: list[Search] = []
    for where, words in rows(path):
        if len(words) < 3:
            raise LabError(Status.USAGE, f"{where}: a search is `name assertion DEFINE...`")
        if any(search.name == words[0] for search in searches):
            raise LabError(Status.USAGE, f"{where}: search {words[0]} is listed twice")
        searches.append(Search(words[0], words[1], tuple(words[2:])))
    return searches


def outcome(text: str) -> tuple[str, int]:
    """Give what a search found ("-": no error) and the states it stored; NO_RESULT if cut."""
    errors = re.search(r"errors: (\d+)$", text, re.MULTILINE)
    states = re.search(r"^\s*([\d.e+]+) states, stored", text, re.MULTILINE)
    if not errors or not states:
        raise LabError(Status.NO_RESULT, "spin's report is cut",
                       "look for a crash or a lack of memory in model.log")
    broken = re.search(r"^pan:\d+: (?:assertion violated +)?(.*?)(?: \(at depth \d+\))?$", text,
                       re.MULTILINE)
    if errors[1] == "0":
        if "Search not completed" in text or "max search depth too small" in text:
            raise LabError(Status.NO_RESULT, "spin did not search all states",
                           "raise DEPTH in lab/verbs/model.py")
        return VERIFIED, int(float(states[1]))
    return broken[1] if broken else "an error without a name", int(float(states[1]))


def search(shell: Shell, folder: Path, model: Path, one: Search) -> tuple[str, int]:
    """Do one search in `folder`."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    defines = [f"-D{define}" for define in one.defines]
    shell.run(["spin", "-a", *defines, model.absolute()], Status.NOT_BUILT, cwd=folder)
    shell.run(["gcc", "-O2", "-DSAFETY", "-DCOLLAPSE", "-o", "pan", "pan.c"], Status.NOT_BUILT,
              cwd=folder)
    begin = shell.log.stat().st_size
    if not shell.run(["./pan", f"-m{DEPTH}", "-n"], Status.NO_RESULT, cwd=folder,
                     timeout=SECONDS):
        raise LabError(Status.NO_RESULT, f"the search {one.name} took over {SECONDS:.0f} s",
                       "make the model smaller")
    return outcome(shell.log.read_bytes()[begin:].decode(errors="replace"))


def run(context: Context, _stack: Stack) -> None:
    """Do all searches; print a table, write build/model.json."""
    context.need(packages.MODEL)
    place = context.build / "model"
    shell = Shell(place / "model.log")
    shell.log.unlink(missing_ok=True)
    kept = []
    for one in read_runs(FOLDER / "runs"):
        what, states = search(shell, place / one.name, FOLDER / "refusal.pml", one)
        expected = what == VERIFIED if one.breaks == VERIFIED else one.breaks in what
        shown = "verified" if what == VERIFIED else f"refuted: {what}"
        line = f"{one.name}: {shown}, {states:,} states"
        print(f"  {'ok' if expected else 'not ok'} {line}", flush=True)
        if expected:
            context.tally.passed += 1
        else:
            context.tally.fail(Status.TEST_FAILED, f"model: {line}")
        kept.append({"search": one.name, "defines": list(one.defines), "outcome": what,
                     "states": states})
    version = ask(["spin", "-V"], Status.TOOL_MISSING).strip()
    write_json(context.build / "model.json", {"spin": version, "searches": kept})
