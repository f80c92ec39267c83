# SPDX-License-Identifier: GPL-2.0-only
"""The model of the walk: spin verifies it, and refutes every wrong variant of it. Needs no kernel."""

import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from lab import station
from lab.data import rows
from lab.errors import LabError, Status
from lab.proc import Shell, ask

VERIFIED = "-"
SECONDS = 600.0  # a search that takes longer has a state space nobody meant
DEPTH = 100_000


@dataclass(frozen=True)
class Search:
    """A line of model/runs: `breaks` is the assertion that must break, "-" if none may."""

    name: str
    breaks: str
    defines: tuple[str, ...]


def read_runs(path: Path) -> list[Search]:
    """Read model/runs; USAGE when a line is short or a name is there twice."""
    searches: list[Search] = []
    for where, words in rows(path):
        if len(words) < 3:
            raise LabError(Status.USAGE, f"{where}: a search is `name assertion DEFINE...`")
        if any(search.name == words[0] for search in searches):
            raise LabError(Status.USAGE, f"{where}: search {words[0]} is listed twice")
        searches.append(Search(words[0], words[1], tuple(words[2:])))
    return searches


def outcome(text: str) -> tuple[str, int]:
    """Read pan's report: "-", the assertion that broke or what else is wrong, and the number of states.

    NO_RESULT when the report is cut, or when the search was not exhaustive and found nothing.
    """
    errors = re.search(r"errors: (\d+)$", text, re.MULTILINE)
    states = re.search(r"^\s*([\d.e+]+) states, stored", text, re.MULTILINE)
    if not errors or not states:
        raise LabError(Status.NO_RESULT, "spin's report is cut", "look for a crash or a lack of memory in model.log")
    broken = re.search(r"^pan:\d+: (?:assertion violated +)?(.*?)(?: \(at depth \d+\))?$", text, re.MULTILINE)
    if errors[1] == "0":
        if "Search not completed" in text or "max search depth too small" in text:
            raise LabError(Status.NO_RESULT, "spin did not search all states", "raise DEPTH in lab/model.py")
        return VERIFIED, int(float(states[1]))
    return broken[1] if broken else "an error without a name", int(float(states[1]))


def search(shell: Shell, folder: Path, model: Path, one: Search) -> tuple[str, int]:
    """Do one search in `folder`; give outcome()."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    shell.run(["spin", "-a", *(f"-D{define}" for define in one.defines), model.absolute()], Status.NOT_BUILT, cwd=folder)
    shell.run(["gcc", "-O2", "-DSAFETY", "-DCOLLAPSE", "-o", "pan", "pan.c"], Status.NOT_BUILT, cwd=folder)
    begin = shell.log.stat().st_size
    if not shell.run(["./pan", f"-m{DEPTH}", "-n"], Status.NO_RESULT, cwd=folder, timeout=SECONDS):
        raise LabError(Status.NO_RESULT, f"the search {one.name} took over {SECONDS:.0f} s", "make the model smaller")
    return outcome(shell.log.read_bytes()[begin:].decode(errors="replace"))


def run(root: Path, build: Path) -> list[str]:
    """Do all searches of model/runs, print a table, leave build/model.json; give the names of those that went wrong."""
    model, place = root / "proof/model/refusal.pml", build / "model"
    shell = Shell(place / "model.log")
    shell.log.unlink(missing_ok=True)
    wrong, kept = [], []
    for one in read_runs(root / "proof/model/runs"):
        what, states = search(shell, place / one.name, model, one)
        as_expected = what == VERIFIED if one.breaks == VERIFIED else one.breaks in what
        said = "verified" if what == VERIFIED else f"refuted: {what}"
        print(f"  {'ok' if as_expected else 'not ok'} {one.name}: {said}, {states:,} states", flush=True)
        if not as_expected:
            wrong.append(one.name)
        kept.append({"search": one.name, "defines": list(one.defines), "outcome": what, "states": states})
    version = ask(["spin", "-V"], Status.TOOL_MISSING).strip()
    station.write_atomic(build / "model.json", json.dumps({"spin": version, "searches": kept}, indent=1) + "\n")
    return wrong
