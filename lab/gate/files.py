# SPDX-License-Identifier: GPL-2.0-only
"""Checkers of touched files that need no build."""

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from lab.base.errors import LabError, Status
from lab.base.memory import Memory, key
from lab.base.proc import ask, parallel
from lab.gate.findings import VERSION, Found, Line, findings_in, known
from lab.gate.states import History

Version = tuple[int, str]  # the number of a state, and a file's name
Words = list[str | Path]


@dataclass(frozen=True)
class Checker:
    """A tool: `commands` takes the pristine tree and the files to check."""

    title: str
    suits: str
    commands: Callable[[Path, list[Path]], list[Words]]
    tool: str = ""
    thin: bool = False  # leave out functions that no patch changes


def check(checker: Checker, history: History, memory: Memory) -> Line:
    """Run a checker on every version of every file that it suits."""
    line = Line(checker.title)
    texts = {(at, name): text for state in history.states for name in state.touched
             if re.search(checker.suits, name) for at in (0, state.number)
             if (text := history.content(at, name)) is not None}
    texts = thin(texts) if checker.thin else texts
    tool = ask([checker.tool, "--version"], Status.TOOL_MISSING) if checker.tool else ""
    keys = {(at, name): key(VERSION, checker.title, tool, history.identity, name, text)
            for (at, name), text in texts.items()}
    results = known(memory, keys, lambda missing: run(
        checker, history, {version: texts[version] for version in missing}))
    for state in history.states:
        line.add(state.patch, [one for (at, _), one in results.items() if at == state.number])
    return line


def thin(texts: dict[Version, str]) -> dict[Version, str]:
    """Blank the functions that are the same in all versions of a file; directives stay.

    A semantic patch takes seconds on mm/memory.c, and a hundredth of that on what a series
    changes. A part of a file ends with a brace in the first column.
    """
    thinned = dict(texts)
    for name in {name for _, name in texts}:
        parts = {version: re.findall(r".*?^}[^\n]*\n|.+\Z", text, re.DOTALL | re.MULTILINE)
                 for version, text in texts.items() if version[1] == name}
        same = set.intersection(*map(set, parts.values())) if len(parts) > 1 else set()
        blank = {part: re.sub(r"^(?!#)(?<!\\\n).*$", "", part, flags=re.MULTILINE) for part in same}
        for version, all_of in parts.items():
            thinned[version] = "".join(blank.get(part, part) for part in all_of)
    return thinned


def run(checker: Checker, history: History, texts: dict[Version, str]) -> dict[Version, Found]:
    """Write versions of files to a folder and give what a checker finds there."""
    print(f"  {checker.title}: {len(texts)} files", flush=True)
    folder = history.place / "files"
    shutil.rmtree(folder, ignore_errors=True)
    paths = {(at, name): Path(f"{at}/{name}") for at, name in texts}
    for version, path in paths.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(texts[version], encoding="utf-8")
    commands = checker.commands(history.pristine.absolute(), sorted(paths.values()))
    jobs = {number: partial(found, history, f"{checker.title}/{number}", argv, folder)
            for number, argv in enumerate(commands)}
    lines = sum(parallel(jobs).values(), [])
    results: dict[Version, Found] = {}
    for (at, name), path in paths.items():
        where = re.compile(rf"(?<![\w/])(?:\./)?{re.escape(str(path))}(?=[:\s])")
        own = [where.sub(name, line) for line in lines if where.search(line)]
        results[at, name] = {"findings": own, "checked": [name]}
    return results


def found(history: History, log: str, argv: Words, folder: Path) -> list[str]:
    """Give the findings of a tool in a folder. A tool that fails must have one."""
    shell = history.shell(log)
    try:
        shell.run(argv, Status.NO_RESULT, cwd=folder, env={"PYTHONDONTWRITEBYTECODE": "1"})
    except LabError as error:
        if error.status != Status.NO_RESULT or not findings_in(shell.log):
            raise
    return findings_in(shell.log)


def kernel_doc(src: Path, paths: list[Path]) -> list[Words]:
    """Give the command of the tree's kernel-doc."""
    script = src / "scripts/kernel-doc"
    wall = ["-Wall"] if "Wall" in script.read_text(encoding="utf-8") else []
    return [[script, "-none", *wall, *paths]]


def coccicheck(src: Path, _paths: list[Path]) -> list[Words]:
    """Give the commands of scripts/coccicheck, except for semantic patches with OCaml.

    OCaml needs its compiler, and these semantic patches are for other folders.
    """
    texts = {path: path.read_text(encoding="utf-8")
             for path in sorted((src / "scripts/coccinelle").rglob("*.cocci"))}
    return [["spatch", "-D", "report", "--very-quiet", "--no-show-diff", "--cocci-file", path,
             *" ".join(re.findall(r"^// Options:(.*)$", text, re.MULTILINE)).split(), "--dir", "."]
            for path, text in texts.items()
            if re.search(r"^virtual\s.*\breport\b", text, re.M) and not re.search(r"\bocaml\b", text)]


CHECKERS = (
    Checker("kernel-doc", r"^(?!tools/|samples/).*\.[ch]$", kernel_doc),
    Checker("coccicheck", r"^(?!tools/|samples/).*\.c$", coccicheck, "spatch", thin=True),
    Checker("docutils", r"\.rst$", lambda _, paths: [  # Sphinx itself is not run
        ["rst2html", "--report=2", "--halt=5", path, "/dev/null"] for path in paths], "rst2html"),
    Checker("shellcheck", r"(?:\.sh|/run_vmtests)$", lambda _, paths: [
        ["shellcheck", "-f", "gcc", "-S", "warning", *paths]], "shellcheck"),
)
