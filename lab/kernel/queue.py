# SPDX-License-Identifier: GPL-2.0-only
"""Patch queues: a folder against its `series`, git am, and what a patch changes."""

import os
import re
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from lab.base.data import rows
from lab.base.errors import LabError, Status
from lab.base.proc import Shell, ask

COVER = "0000-cover-letter.patch"
# Paths of tests, documentation, and the lines that build, list or keep them.
TESTS = re.compile(r"Documentation/|MAINTAINERS$|tools/testing/|scripts/coccinelle/|lib/test_hmm"
                   r"|.*/(tests/|Kconfig(\.debug)?$|Makefile$|\w+_kunit\.c$)")
WORDS = re.compile(r"Documentation/|MAINTAINERS$")
# A line that stands in a comment, or is blank, in kernel style.
IN_COMMENT = re.compile(r"(/?\*+( (?!.*\*/.).*|/)?)?$")
NAMED = re.compile(r"^(?:---|\+\+\+) [ab]/(\S+)", re.MULTILINE)
FAILED = re.compile(r"^error: (?:patch failed: )?([^\s:]+)[:\s]", re.MULTILINE)
ADDED = re.compile(r"^--- /dev/null\n\+\+\+ b/(\S+)$", re.MULTILINE)
COMMENT = re.compile(r"""//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'""", re.DOTALL)
GIT = ["git", "-c", "user.name=lab", "-c", "user.email=lab@localhost", "-c", "commit.gpgsign=false",
       "-c", "core.autocrlf=false", "-c", "core.hooksPath=/dev/null", "-c", "gc.auto=0"]
# The trees lie inside this repository: git must see neither it nor anybody's settings.
ALONE = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}


def git_env(tree: Path) -> dict[str, str]:
    """Give the environment in which git sees `tree` and nothing above it."""
    return {**ALONE, "GIT_CEILING_DIRECTORIES": str(tree.absolute().parent)}


def listed(folder: Path) -> list[str]:
    return [words[0] for _, words in rows(folder / "series")]


def mismatches(folder: Path) -> list[str]:
    """Compare `series` with the folder both ways; each finding ends with the command to fix it."""
    names = listed(folder)
    present = {path.name for path in folder.glob("*.patch")} - {COVER}
    none = (f"{folder}/series lists no patch: "
            f"(cd {folder} && ls *.patch | grep -v ^0000 > series)")
    return [*(f"{folder}/{name} is listed in series but missing: git checkout -- {folder}/{name}"
              for name in names if name not in present),
            *(f"{folder}/{name} is not listed in series: echo {name} >> {folder}/series"
              for name in sorted(present.difference(names))),
            *(f"{name} is listed {count} times in series: remove all but one line of "
              f"{folder}/series" for name, count in Counter(names).items() if count > 1),
            *([] if names else [none])]


def agree(found: list[str]) -> None:
    if found:
        what, _, how = found[0].partition(": ")
        raise LabError(Status.NOT_APPLIED, what, f"fix it: {how}", "\n".join(found[1:]))


def check(folder: Path) -> list[Path]:
    """Give the patches in order; NOT_APPLIED when series and folder disagree."""
    agree(mismatches(folder))
    return [folder / name for name in listed(folder)]


def touched(patches: Iterable[Path]) -> set[str]:
    return {name for path in patches for name in NAMED.findall(path.read_text(encoding="utf-8"))}


def code(header: str) -> list[str]:
    """Give a header's lines without comments, blank lines and differences in white space."""
    bare = COMMENT.sub(lambda match: match[0] if match[0][0] in "\"'" else " ", header)
    return [" ".join(line.split()) for line in bare.splitlines() if line.strip()]


@contextmanager
def comments_rebuild_nothing(tree: Path, names: Iterable[str]) -> Iterator[None]:
    """Keep the time stamps of the headers among `names` in which only comments change.

    make then leaves their users alone, whose objects would differ in line numbers only.
    """
    before = [(path, code(path.read_text(encoding="utf-8")), path.stat().st_mtime_ns)
              for path in (tree / name for name in names if name.endswith(".h")) if path.exists()]
    yield
    for path, lines, time in before:
        if path.exists() and code(path.read_text(encoding="utf-8")) == lines:
            os.utime(path, ns=(time, time))


def changed(patch: str) -> set[str]:
    """Give the files in which a patch changes more than comments and blank lines."""
    found, name = set(), ""
    for line in patch.splitlines():
        if header := re.match(r"(?:---|\+\+\+) (?:[ab]/(\S+)|/dev/null$)", line):
            name = header[1] or name
        elif name and line[:1] in ("-", "+") and not IN_COMMENT.match(line[1:].strip()):
            found.add(name)
    return found


def only_tests(patch: Path) -> bool:
    """Say whether a patch changes tests, documentation and comments only: it cures no case."""
    text = patch.read_text(encoding="utf-8")
    return bool(NAMED.search(text)) and all(TESTS.match(name) for name in changed(text))


def only_words(patch: str) -> bool:
    """Say whether a patch changes nothing but documentation and comments."""
    return bool(NAMED.search(patch)) and all(WORDS.match(name) for name in changed(patch))


def apply(shell: Shell, tree: Path, patches: list[Path], below: int = 0,
          tracked: Iterable[str] = ()) -> None:
    """Apply the patches in a new git repository that tracks what they touch, and `tracked`.

    Leaves the branches `stock`, which has the first `below` of them, and `series`. NOT_APPLIED
    names the patch and the file.
    """
    names = touched(patches)

    def git(*words: str | Path) -> None:
        shell.run([*GIT, *words], Status.NOT_APPLIED, cwd=tree, env=git_env(tree))

    git("init", "-q", "--template=", "-b", "stock")
    if files := sorted(name for name in names.union(tracked) if (tree / name).exists()):
        git("add", "-f", "--", *files)
    git("commit", "-q", "--allow-empty", "-m", "stock")
    with comments_rebuild_nothing(tree, names):
        for number, patch in enumerate(patches):
            if number == below:
                git("checkout", "-q", "-b", "series")
            try:
                git("am", "-q", "--keep-cr", patch.absolute())
            except LabError as error:
                failed = FAILED.search(error.detail)
                where = f" at {failed[1]}" if failed else ""
                raise LabError(Status.NOT_APPLIED, f"{patch} does not apply{where}",
                               detail=error.detail) from None


def try_on(shell: Shell, tree: Path, folder: Path, patches: list[Path], below: int = 0) -> None:
    """Apply the patches to copies of the files of `tree` that they touch, in `folder`."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in touched(patches):
        if (tree / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(tree / name, folder / name)
    apply(shell, folder, patches, below)


def added(patches: list[Path]) -> dict[str, list[Path]]:
    """Give the files that patches add, each with the patches that touch it, in order."""
    texts = {path: path.read_text(encoding="utf-8") for path in patches}
    return {name: [path for path, text in texts.items() if f"\n+++ b/{name}\n" in text]
            for added in texts.values() for name in ADDED.findall(added)}
