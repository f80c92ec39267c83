# SPDX-License-Identifier: GPL-2.0-only
"""Station "series": check a patch queue against its folder and apply it with git am."""

import os
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from lab import station
from lab.data import read_series
from lab.errors import LabError, Status
from lab.proc import Progress, Shell, ask

COVER = "0000-cover-letter.patch"
# Paths of tests, documentation, and the lines that build, list or keep them.
BESIDE = re.compile(r"Documentation/|MAINTAINERS$|tools/testing/|lib/test_hmm|.*/(tests/|Kconfig(\.debug)?$|Makefile$|\w+_kunit\.c$)")
# A line that stands in a comment, or is blank, in kernel style.
IN_COMMENT = re.compile(r"(/?\*+( (?!.*\*/.).*|/)?)?$")
COMMENT = re.compile(r"""//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'""", re.DOTALL)
GIT = [
    "git", "-c", "user.name=lab", "-c", "user.email=lab@localhost", "-c", "commit.gpgsign=false",
    "-c", "core.autocrlf=false", "-c", "core.hooksPath=/dev/null", "-c", "gc.auto=0",
]
# The trees lie inside this repository: git must see neither it nor anybody's settings.
ALONE = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}


def git_env(tree: Path) -> dict[str, str]:
    """Give the environment in which git sees `tree` and nothing above it."""
    return {**ALONE, "GIT_CEILING_DIRECTORIES": str(tree.absolute().parent)}


def mismatches(folder: Path) -> list[str]:
    """Compare `series` with the folder both ways; each finding ends with the command that mends it."""
    listed = read_series(folder)
    present = {path.name for path in folder.glob("*.patch")} - {COVER}
    found = [f"{folder}/{name} is listed in series but missing: git checkout -- {folder}/{name}"
             for name in listed if name not in present]
    found += [f"{folder}/{name} is not listed in series: echo {name} >> {folder}/series"
              for name in sorted(present - set(listed))]
    found += [f"{name} is listed {listed.count(name)} times in series: sort -u -o {folder}/series {folder}/series"
              for name in sorted({name for name in listed if listed.count(name) > 1})]
    if not listed:
        found.append(f"{folder}/series lists no patch: (cd {folder} && ls *.patch | grep -v ^0000 > series)")
    return found


def check(folder: Path) -> list[Path]:
    """Give the patches in order; NOT_APPLIED when series and folder disagree."""
    found = mismatches(folder)
    if found:
        raise LabError(Status.NOT_APPLIED, found[0].partition(": ")[0], f"mend it: {found[0].partition(': ')[2]}",
                       "\n".join(found[1:]))
    return [folder / name for name in read_series(folder)]


def copy_tree(shell: Shell, source: Path, target: Path, objects: bool = True) -> None:
    """Make target a tree of hard links to source's files, with its own copy of objects and git data, or without them.

    The objects are the source's, so what was configured and built in an earlier target no longer counts as done.
    """
    for name in ("config", "kernel"):
        (target.parent / ".done" / name).unlink(missing_ok=True)
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    station.need_space(target)
    own = [path for path in (source / "O", source / ".git") if path.exists()]
    linked = sorted(path for path in source.iterdir() if path not in own)
    progress = Progress(f"copy {source.parent.name} tree", lambda: "")
    shell.run(["cp", "-al", "-t", target, *linked], Status.NO_SOURCE, progress=progress)
    if not objects:
        return
    if own:
        shell.run(["cp", "-a", "-t", target, *own], Status.NO_SOURCE)
    if not (source / "O").exists():  # nothing was built in it yet
        return
    # objtool's commands hold absolute paths: left alone it is rebuilt, and every object after it.
    moved = f"s|{source.absolute()}/|{target.absolute()}/|g"
    shell.run(["find", target / "O", "-name", ".*.cmd", "-exec", "sed", "-i", moved, "{}", "+"], Status.NO_SOURCE)


def touched(patches: list[Path]) -> set[str]:
    """Give the paths the patches name on either side."""
    lines = (line for patch in patches for line in patch.read_text(encoding="utf-8").splitlines())
    return {match[1] for line in lines if (match := re.match(r"(?:---|\+\+\+) [ab]/(\S+)", line))}


def code(header: str) -> list[str]:
    """Give a header's lines without comments, blank lines and differences in white space."""
    bare = COMMENT.sub(lambda match: match[0] if match[0][0] in "\"'" else " ", header)
    return [" ".join(line.split()) for line in bare.splitlines() if line.strip()]


@contextmanager
def comments_rebuild_nothing(tree: Path, names: Iterable[str]) -> Iterator[None]:
    """Keep the time stamps of the headers among `names` in which only comments change: make leaves their users alone.

    An object compiled anew would differ in nothing but the line numbers in the header.
    """
    headers = [tree / name for name in names if name.endswith(".h") and (tree / name).exists()]
    before = {path: (code(path.read_text(encoding="utf-8")), path.stat().st_mtime_ns) for path in headers}
    yield
    for path, (lines, time) in before.items():
        if path.exists() and code(path.read_text(encoding="utf-8")) == lines:
            os.utime(path, ns=(time, time))


def changes(patch: str) -> Iterator[tuple[str, str]]:
    """Yield (path, line without its sign) of all that a patch changes."""
    name = ""
    for line in patch.splitlines():
        header = re.match(r"(?:---|\+\+\+) (?:[ab]/(\S+)|/dev/null$)", line)
        if header:
            name = header[1] or name
        elif name and re.match(r"[-+]", line):
            yield name, line[1:].strip()


def only_tests(patch: Path) -> bool:
    """Say whether a patch changes nothing but tests, documentation, comments and what builds them: it cures no case."""
    text = patch.read_text(encoding="utf-8")
    names = {name for name, line in changes(text) if not IN_COMMENT.match(line)}
    return bool(touched([patch])) and all(BESIDE.match(name) for name in names)


def only_words(patch: str) -> bool:
    """Say whether a patch changes nothing but documentation and comments."""
    changed = list(changes(patch))
    return bool(changed) and all(name.startswith("Documentation/") or IN_COMMENT.match(line) for name, line in changed)


def apply(shell: Shell, tree: Path, patches: list[Path], below: int = 0) -> None:
    """Apply the patches in a git repository that tracks only what they touch.

    Leaves the branches `stock`, which has the first `below` of them, and `series`. NOT_APPLIED names the patch and the file.
    """
    env = git_env(tree)

    def git(*words: str | Path) -> None:
        shell.run([*GIT, *words], Status.NOT_APPLIED, cwd=tree, env=env)

    git("init", "-q", "--template=", "-b", "stock")
    files = sorted(name for name in touched(patches) if (tree / name).exists())
    if files:
        git("add", "-f", "--", *files)
    git("commit", "-q", "--allow-empty", "-m", "stock")
    with comments_rebuild_nothing(tree, touched(patches)):
        for number, patch in enumerate(patches):
            if number == below:
                git("checkout", "-q", "-b", "series")
            try:
                git("am", "-q", "--keep-cr", patch.absolute())
            except LabError as error:
                files = re.findall(r"^error: (?:patch failed: )?([^\s:]+)[:\s]", error.detail, re.MULTILINE)
                where = f" at {files[0]}" if files else ""
                raise LabError(Status.NOT_APPLIED, f"{patch} does not apply{where}", detail=error.detail) from None


def back(shell: Shell, tree: Path, last: Path) -> None:
    """Go back to the commit before the last patch."""
    # A header whose time stamp was set back looks changed to git, and would be written anew.
    shell.run([*GIT, "update-index", "-q", "--refresh"], Status.NOT_APPLIED, cwd=tree, env=git_env(tree))
    with comments_rebuild_nothing(tree, touched([last])):
        shell.run([*GIT, "reset", "-q", "--hard", "HEAD~1"], Status.NOT_APPLIED, cwd=tree, env=git_env(tree))


def revert(shell: Shell, tree: Path, number: int, name: str) -> None:
    """Take patch `number` (from 0) out of a tree that has the series; NOT_APPLIED on a conflict.

    Later patches that only change words speak about it in the same comments: they go first.
    """
    env = git_env(tree)
    commits = ask([*GIT, "-C", tree, "rev-list", "--reverse", "stock..series"], Status.NOT_APPLIED, env).split()
    later = [commit for commit in commits[:number:-1]
             if only_words(ask([*GIT, "-C", tree, "show", "--format=", commit], Status.NOT_APPLIED, env))]
    out = [*later, commits[number]]
    names = ask([*GIT, "-C", tree, "show", "--format=", "--name-only", *out], Status.NOT_APPLIED, env).split()
    try:
        with comments_rebuild_nothing(tree, names):
            shell.run([*GIT, "revert", "--no-edit", *out], Status.NOT_APPLIED, cwd=tree, env=env)
    except LabError as error:
        files = re.findall(r"Merge conflict in (\S+)", error.detail)
        raise LabError(Status.NOT_APPLIED, f"{name} cannot be reverted alone: conflict in {', '.join(files) or '?'}",
                       "make the later patches independent of it, or change the order", error.detail) from None
