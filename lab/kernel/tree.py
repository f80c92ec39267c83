# SPDX-License-Identifier: GPL-2.0-only
"""Source trees of hard links, and the one change that a kernel may have on top of its patches."""

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.base import memory
from lab.base.errors import LabError, Status
from lab.base.memory import key
from lab.base.proc import Progress, Shell, ask
from lab.kernel import queue
from lab.kernel.queue import GIT, git_env


def copy(shell: Shell, source: Path, target: Path, objects: bool) -> None:
    """Make target a tree of hard links to source's files; objects and git data are copied."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    memory.need_space(target)
    own = [path for path in (source / "O", source / ".git") if path.exists()]
    linked = sorted(path for path in source.iterdir() if path not in own)
    progress = Progress(f"copy {source.parent.name} tree")
    shell.run(["cp", "-al", "-t", target, *linked], Status.NO_SOURCE, progress=progress)
    if not objects:
        return
    if own:
        shell.run(["cp", "-a", "-t", target, *own], Status.NO_SOURCE)
    if (source / "O").exists():
        # objtool's commands hold absolute paths: left alone it is rebuilt, then every object.
        moved = f"s|{source.absolute()}/|{target.absolute()}/|g"
        find: list[str | Path] = ["find", target / "O", "-name", ".*.cmd", "-exec", "sed",
                                  "-i", moved, "{}", "+"]
        shell.run(find, Status.NO_SOURCE)


def reset(shell: Shell, tree: Path) -> None:
    env = git_env(tree)
    # A header whose time stamp was set back looks changed to git, and would be written anew.
    shell.run([*GIT, "update-index", "-q", "--refresh"], Status.NOT_APPLIED, cwd=tree, env=env)
    names = git(tree, "diff", "--name-only", "series").split()
    with queue.comments_rebuild_nothing(tree, names):
        shell.run([*GIT, "checkout", "-qf", "--detach", "series"], Status.NOT_APPLIED,
                  cwd=tree, env=env)
    forget_objects(tree, names)


def git(tree: Path, *words: str) -> str:
    return ask([*GIT, "-C", tree, *words], Status.NOT_APPLIED, git_env(tree))


def forget_objects(tree: Path, names: Sequence[str]) -> None:
    """Remove the objects of changed sources: a clock that steps back must not hide a change."""
    for name in names:
        if name.endswith(".c"):
            (tree / "O" / name).with_suffix(".o").unlink(missing_ok=True)


@dataclass(frozen=True)
class Change:
    """One change to a tree with the patches of a stack."""

    name: str

    @property
    def key(self) -> str:
        raise NotImplementedError

    def present(self, patches: tuple[Path, ...]) -> tuple[Path, ...]:
        return patches

    def apply(self, shell: Shell, tree: Path) -> None:
        """Change the tree, which is at its branch `series`."""
        raise NotImplementedError


@dataclass(frozen=True)
class Without(Change):
    """Some patches are left out, by number from 0."""

    numbers: tuple[int, ...]

    @property
    def key(self) -> str:
        return f"without {self.numbers}"

    def present(self, patches: tuple[Path, ...]) -> tuple[Path, ...]:
        return tuple(path for at, path in enumerate(patches) if at not in self.numbers)

    def apply(self, shell: Shell, tree: Path) -> None:
        """Revert the commits; NOT_APPLIED on a conflict.

        Later patches that only change words edit the same comments: they are reverted as well. If
        that conflicts, lines that a later patch edits stay: comments, or helpers that it needs.
        """
        commits = git(tree, "rev-list", "--reverse", "stock..series").split()
        out = [commits[number] for number in sorted(self.numbers, reverse=True)]
        words = [one for one in commits[:min(self.numbers, default=0):-1]
                 if queue.only_words(show(tree, one)) and one not in out]
        names = git(tree, "show", "--format=", "--name-only", *words, *out).split()
        with queue.comments_rebuild_nothing(tree, names):
            try:
                self.revert(shell, tree, *words, *out)
            except LabError as error:
                files = ", ".join(re.findall(r"Merge conflict in (\S+)", error.detail)) or "?"
                self.revert(shell, tree, "--abort")
                try:
                    self.revert(shell, tree, "-X", "ours", *out)
                except LabError:
                    raise LabError(
                        Status.NOT_APPLIED,
                        f"{self.name} is not possible alone: conflict in {files}",
                        "make the later patches independent of it, change the order, or list the "
                        "change in proof/mutants/without", error.detail) from None
        forget_objects(tree, names)

    @staticmethod
    def revert(shell: Shell, tree: Path, *words: str) -> None:
        shell.run([*GIT, "-c", "core.editor=true", "revert", *words], Status.NOT_APPLIED, cwd=tree,
                  env=git_env(tree))


@dataclass(frozen=True)
class Prefix(Change):
    """The first `count` patches only."""

    count: int

    @property
    def key(self) -> str:
        return f"first {self.count}"

    def present(self, patches: tuple[Path, ...]) -> tuple[Path, ...]:
        return patches[:self.count]

    def apply(self, shell: Shell, tree: Path) -> None:
        commits = git(tree, "rev-list", "--reverse", "stock..series").split()
        commit = commits[self.count - 1] if self.count else "stock"
        names = git(tree, "diff", "--name-only", "HEAD", commit).split()
        with queue.comments_rebuild_nothing(tree, names):
            shell.run([*GIT, "reset", "-q", "--hard", commit], Status.NOT_APPLIED, cwd=tree,
                      env=git_env(tree))
        forget_objects(tree, names)


@dataclass(frozen=True)
class Mutant(Change):
    """A wrong change: in `file` each (old, new) of `hunks` is replaced.

    The kernel itself has to report it if `reports` is given.
    """

    file: str
    hunks: tuple[tuple[str, str], ...]
    reports: str = ""

    @property
    def key(self) -> str:
        return key(self.file, *(text for hunk in self.hunks for text in hunk))

    def changed(self, text: str) -> str:
        """Give the changed file; USAGE unless every hunk fits once and changes something."""
        for old, new in self.hunks:
            if text.count(old) != 1 or old == new:
                raise LabError(Status.USAGE, f"{self.name} does not fit {self.file}: "
                               f"{text.count(old)} places", "adapt its hunk in proof/mutants/ "
                               "to the series")
            text = text.replace(old, new)
        return text

    def apply(self, shell: Shell, tree: Path) -> None:
        path = tree / self.file
        if not git(tree, "ls-files", "--", self.file).strip():
            raise LabError(Status.USAGE, f"{self.name}: no patch touches {self.file}",
                           "a mutant changes a file of the series")
        text = self.changed(path.read_text(encoding="utf-8"))
        path.unlink()  # a hard link
        path.write_text(text, encoding="utf-8")
        forget_objects(tree, [self.file])


def show(tree: Path, commit: str) -> str:
    return git(tree, "show", "--format=", commit)
