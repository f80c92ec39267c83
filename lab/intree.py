# SPDX-License-Identifier: GPL-2.0-only
"""In-tree tests: written once in intree/, generated into each base by unifdef.

A series adds the generated files; lint compares the two. See intree/README.md.
"""

import re
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from lab.data import read_series, rows
from lab.errors import LabError, Status
from lab.series import ALONE, COVER

NAME = re.compile(r"\bBASE_[A-Z0-9_]+\b")
ADDED = re.compile(r"^--- /dev/null\n\+\+\+ b/(\S+)$", re.MULTILINE)
UNCHANGED, CHANGED = 0, 1  # unifdef's exit statuses; 2 is trouble


def read_features(path: Path) -> dict[str, dict[str, bool]]:
    """Read intree/features: base -> feature -> whether the base has it."""
    table: dict[str, dict[str, bool]] = {}
    bases: list[str] = []
    for where, words in rows(path):
        if words[0] == "feature":
            bases = words[1:]
            table = {base: {} for base in bases}
            continue
        if not NAME.fullmatch(words[0]) or len(words) != len(bases) + 1 or set(words[1:]) - {"yes", "no"}:
            columns = " ".join(bases) or "no base"
            raise LabError(Status.USAGE, f"{where}: a feature is `BASE_NAME yes|no...`, a column for each of {columns}")
        if words[0] in table[bases[0]]:
            raise LabError(Status.USAGE, f"{where}: feature {words[0]} is listed twice")
        for base, word in zip(bases, words[1:], strict=True):
            table[base][words[0]] = word == "yes"
    return table


def read_files(path: Path, base: str) -> dict[str, Path]:
    """Read intree/files: where in the tree of a base each of its files goes, and its master."""
    found: dict[str, Path] = {}
    for where, words in rows(path):
        if len(words) != 3 or words[2].startswith("/") or ".." in words[2]:
            raise LabError(Status.USAGE, f"{where}: a file is `master base path/in/its/tree`")
        if words[1] == base:
            if words[2] in found:
                raise LabError(Status.USAGE, f"{where}: {words[2]} of base {base} is listed twice")
            found[words[2]] = path.parent / words[0]
    return found


def generated(root: Path, base: str) -> dict[str, str]:
    """Give the in-tree tests of a base: path in its tree -> text."""
    targets = read_files(root / "intree/files", base)
    features = read_features(root / "intree/features")
    if targets and base not in features:
        raise LabError(Status.USAGE, f"intree/files names base {base}, but intree/features has no column for it")
    return {path: resolve(master, features[base]) for path, master in targets.items()}


def resolve(master: Path, features: dict[str, bool]) -> str:
    """Resolve the features in a master; USAGE when a name is left that intree/features does not have."""
    options = [f"-{'D' if there else 'U'}{name}" for name, there in features.items()]
    try:
        done = subprocess.run(["unifdef", "-B", *options, master], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise LabError(Status.TOOL_MISSING, "unifdef is missing", "sudo apt-get install --no-install-recommends unifdef") from None
    if done.returncode not in (UNCHANGED, CHANGED):
        raise LabError(Status.USAGE, f"unifdef cannot resolve {master}", detail=done.stderr.strip())
    left = NAME.search(done.stdout)
    if left:
        raise LabError(Status.USAGE, f"{master}: {left[0]} is not in intree/features")
    return done.stdout


def added(folder: Path) -> dict[str, list[Path]]:
    """Give the files a queue adds, each with the patches that name it, in order."""
    queue = [folder / name for name in read_series(folder) if (folder / name).exists() and name != COVER]
    text = {patch: patch.read_text(encoding="utf-8") for patch in queue}
    names = [name for patch in queue for name in ADDED.findall(text[patch])]
    return {name: [patch for patch in queue if f"\n+++ b/{name}\n" in text[patch]] for name in names}


def carried(patches: list[Path], name: str) -> str:
    """Give a file as the patches leave it, the first of which adds it."""
    with tempfile.TemporaryDirectory() as folder:
        for patch in patches:
            command = ["git", "apply", f"--include={name}", str(patch.absolute())]
            done = subprocess.run(command, cwd=folder, env={**ALONE, "PATH": "/usr/bin:/bin", "GIT_CEILING_DIRECTORIES": folder},
                                  capture_output=True, text=True, check=False)
            if done.returncode:
                raise LabError(Status.NOT_APPLIED, f"{patch} does not apply to {name}", detail=done.stderr.strip())
        return Path(folder, name).read_text(encoding="utf-8")


def mismatches(root: Path, base: str) -> Iterator[str]:
    """Compare the in-tree tests of a base with what its series adds; each finding ends with what mends it."""
    mend = f"make tree BASE={base}; make intree BASE={base}; commit it in build/{base}/tree; make refresh BASE={base}"
    there = added(root / "series" / base)
    for name, text in generated(root, base).items():
        if name not in there:
            yield f"series/{base} does not add {name}: {mend}"
        elif carried(there[name], name) != text:
            yield f"{there[name][-1].relative_to(root)}: {name} is not what intree/ makes: {mend}"


def copies(root: Path, bases: list[str]) -> list[str]:
    """Find new files of one name that the series of several bases add, but intree/ does not make."""
    kept: dict[str, list[str]] = {}
    for base in bases:
        made = read_files(root / "intree/files", base)
        for name in added(root / "series" / base):
            if name not in made:
                kept.setdefault(Path(name).name, []).append(base)
    return [f"{name} is kept by hand in {' and '.join(where)}: put it into intree/ and name it in intree/files"
            for name, where in kept.items() if len(where) > 1]


def write(root: Path, base: str, tree: Path) -> list[str]:
    """Write the in-tree tests of a base into its git tree; give their paths."""
    if not (tree / ".git").exists():
        raise LabError(Status.USAGE, f"{tree} does not exist", f"make tree BASE={base}")
    made = generated(root, base)
    for name, text in made.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(text, encoding="utf-8")
    return sorted(made)
