# SPDX-License-Identifier: GPL-2.0-only
"""Checkers of touched files that need no build."""

import re
import shutil
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

from lab.base.errors import Status
from lab.base.memory import Memory, key
from lab.base.proc import ask, parallel
from lab.gate.findings import VERSION, Found, Line, Words, heard, known
from lab.gate.states import History

Version = tuple[int, str]  # the number of a state, and a file's name
Commands = Callable[[Path, list[Path]], list[Words]]  # for a pristine tree, and files to check
TOOLS = ("spatch", "rst2html", "shellcheck")
PART = re.compile(r".*?^}[^\n]*\n|.+\Z", re.DOTALL | re.MULTILINE)  # to a brace in the first column
LINE = re.compile(r"^(?!#)(?<!\\\n).*$", re.MULTILINE)  # of code, not of a directive


def check(title: str, history: History, memory: Memory) -> Line:
    suits, commands = CHECKERS[title]
    texts = {(at, name): text for state in history.states for name in state.touched
             if re.search(suits, name) for at in (0, state.number)
             if (text := history.content(at, name)) is not None}
    texts = thin(texts) if title == "coccicheck" else texts
    tools = [ask([tool, "--version"], Status.TOOL_MISSING) for tool in TOOLS]
    keys = {(at, name): key(VERSION, LOST, title, *tools, history.identity, name, text)
            for (at, name), text in texts.items()}
    results = known(memory, keys, partial(run, title, commands, history, texts))
    line = Line(title)
    for state in history.states:
        line.add(state.patch, [one for (at, _), one in results.items() if at == state.number])
    return line


def thin(texts: dict[Version, str]) -> dict[Version, str]:
    """Blank the functions that are the same in all versions of a file, because spatch is slow."""
    parts = {version: PART.findall(text) for version, text in texts.items()}
    files = Counter(name for _, name in texts)
    same = Counter((name, part) for (_, name), every in parts.items() for part in {*every})
    return {(at, name): "".join(LINE.sub("", part) if 1 < files[name] == same[name, part] else part
                                for part in every) for (at, name), every in parts.items()}


def run(title: str, commands: Commands, history: History, texts: dict[Version, str],
        missing: list[Version]) -> dict[Version, Found]:
    print(f"  {title}: {len(missing)} files", flush=True)
    folder = history.place / "files"
    shutil.rmtree(folder, ignore_errors=True)
    paths = {(at, name): Path(f"{at}/{name}") for at, name in missing}
    for version, path in paths.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(texts[version], encoding="utf-8")
    argvs = commands(history.pristine.absolute(), sorted(paths.values()))
    jobs = {number: partial(heard, history.logs / f"{title}-{number}.log", [argv],
                            Status.NO_RESULT, folder, {"PYTHONDONTWRITEBYTECODE": "1"})
            for number, argv in enumerate(argvs)}
    lines = []
    for found, error in parallel(jobs).values():
        if error and not found:
            raise error  # a tool that fails must have a finding
        lines += found
    results: dict[Version, Found] = {}
    for (at, name), path in paths.items():
        where = re.compile(rf"(?<![\w/])(?:\./)?{re.escape(str(path))}(?=[:\s])")
        own = [where.sub(name, line) for line in lines if where.search(line)]
        results[at, name] = {"findings": own, "checked": [name]}
    return results


def kernel_doc(src: Path, paths: list[Path]) -> list[Words]:
    script = src / "scripts/kernel-doc"
    wall = ["-Wall"] if "Wall" in script.read_text(encoding="utf-8") else []
    return [[script, "-none", *wall, *paths]]


def coccicheck(src: Path, _paths: list[Path]) -> list[Words]:
    """Give the commands of scripts/coccicheck. Semantic patches that need OCaml are left out."""
    texts = {path: path.read_text(encoding="utf-8")
             for path in sorted((src / "scripts/coccinelle").rglob("*.cocci"))}
    return [["spatch", "-D", "report", "--very-quiet", "--no-show-diff", "--cocci-file", path,
             *" ".join(re.findall("^// Options:(.*)$", text, re.MULTILINE)).split(), "--dir", "."]
            for path, text in texts.items() if re.search(r"^virtual\s.*\breport\b", text, re.M)
            and not re.search(r"\bocaml\b", text)]


LOST = """set -e; new=$(mktemp -d); trap 'rm -rf "$new"' EXIT
make -s -C "$1" O="$new" x86_64_defconfig
sh "$1/scripts/kconfig/merge_config.sh" -m -O "$new" "$new/.config" "$2" > "$new/log"
make -s -C "$1" O="$new" olddefconfig
grep ^CONFIG_ "$2" | grep -vxFf "$new/.config" | while IFS== read -r option value; do
	# An option that the series itself adds is not in this Kconfig.
	! grep -rqx --include="Kconfig*" "config ${option#CONFIG_}" "$1" ||
		echo "$2: warning: x86_64_defconfig loses $option=$value"
done
"""


def selftests_config(src: Path, paths: list[Path]) -> list[Words]:
    """Give commands that name the options that do not survive on top of x86_64_defconfig."""
    return [["sh", "-c", LOST, "sh", src, path] for path in paths]


def cocci(_src: Path, paths: list[Path]) -> list[Words]:
    script = 'spatch --parse-cocci "$1" > /dev/null 2>&1 || echo "$1: error: cannot be parsed"'
    return [["sh", "-c", script, "sh", path] for path in paths]


def rst(_src: Path, paths: list[Path]) -> list[Words]:
    wide = 'length > 80 {print FILENAME ":" FNR ": warning: over 80 columns: " $0}'
    html: list[Words] = [["rst2html", "--report=2", "--halt=5", one, "/dev/null"] for one in paths]
    return [["awk", wide, *paths], *html]


# By title, the names of the files that a checker suits, and its commands. Sphinx is not run.
CHECKERS: dict[str, tuple[str, Commands]] = {
    "selftests config": (r"^tools/testing/selftests/.*/config$", selftests_config),
    "kernel-doc": (r"^(?!tools/|samples/).*\.[ch]$", kernel_doc),
    "coccicheck": (r"^(?!tools/|samples/).*\.c$", coccicheck),
    "semantic patches": (r"\.cocci$", cocci),
    "rst": (r"\.rst$", rst),
    "shellcheck": (r"(?:\.sh|/run_vmtests)$", lambda _, paths: [
        ["shellcheck", "-f", "gcc", "-S", "warning", *paths]])}
