# SPDX-License-Identifier: GPL-2.0-only
"""The verbs "tree", "refresh" and "port": a git tree of a stack to work in, and the way back.

A patch is never edited by hand. `make tree` makes a repository of the whole base. The tag `base`
has all lower stacks; the branch `series` has a commit for each patch on top of it. `make refresh`
writes these commits back to series/. `make port` starts the tree with the patches of another base.
With several parts, a tag with the name of the part marks the last commit of each.
"""

import re
import shlex
import shutil
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

from lab.base import memory
from lab.base.data import slug
from lab.base.errors import LabError, Status
from lab.base.proc import Progress, Shell
from lab.kernel import queue
from lab.kernel.bases import Part, Stack
from lab.kernel.queue import COVER, GIT, git_env
from lab.kernel.source import Source
from lab.kernel.tree import git

FORMAT = ["format-patch", "-q", "--zero-commit", "--no-signature", "--full-index", "--no-base",
          "-N"]
# Where git's part of a cover letter begins, after the text: "A Name (6):"
SHORTLOG = re.compile(r"^\S.* \(\d+\):$", re.MULTILINE)
NAME, MAIL = "mmu_notifier series", "series@localhost"  # placeholders: the sender puts a name
AM = ["am", "-q", "-3", "--keep-cr"]
UNFOLDED: Any = policy.default  # gives a header on one line, decoded
WRITING = "refresh"  # a branch while its commits are written: git keeps a cover letter by branch


class Tree:
    """The git tree of a stack, and the git commands in it."""

    def __init__(self, stack: Stack, source: Source, folder: str = "tree",
                 who: tuple[str, str] = (NAME, MAIL)) -> None:
        self.stack, self.source, self.who = stack, source, who
        self.path = source.place / f"{folder}{stack.suffix}"
        self.shell = Shell(self.path.with_name(f"{self.path.name}.log"))

    def git(self, *words: str | Path, label: str = "", **env: str) -> None:
        """Run a git command that changes something; one with a label shows its progress."""
        who = ["-c", f"user.name={self.who[0]}", "-c", f"user.email={self.who[1]}"]
        self.shell.run([*GIT, *who, *words], Status.NOT_APPLIED, cwd=self.path,
                       env=git_env(self.path) | env, progress=Progress(label) if label else None)

    def need(self) -> None:
        if not (self.path / ".git").exists():
            raise LabError(Status.USAGE, f"{self.path} does not exist",
                           f"make tree {self.stack.command}")

    def make(self) -> None:
        """Make a new repository of the base and all lower stacks; keep a tree that is there."""
        if self.path.exists():
            raise LabError(Status.USAGE, f"{self.path} exists, perhaps with work in it",
                           f"make refresh {self.stack.command}, or rm -rf {self.path}")
        self.source.fetch()
        memory.need_space(self.source.place)
        self.path.mkdir()
        copied = sorted(path for path in self.source.src.iterdir()
                        if path.name not in ("O", ".git"))
        # Copies, not links: this is a tree to edit.
        self.shell.run(["cp", "-a", "-t", self.path, *copied], Status.NO_SOURCE,
                       progress=Progress("copy tree"))
        self.git("init", "-q", "--template=", "-b", "series")
        self.git("add", "-Af", ".", label="git add")
        self.git("commit", "-q", "-m", f"base {self.stack.base.name}")
        if self.stack.lower:
            self.git(*AM, *(path.absolute() for path in self.stack.lower.queue))
        self.git("tag", "base")

    def apply(self, origin: Stack) -> None:
        """Apply the parts of a stack that this one has, too; stop at a conflict, say how to go on.

        If it has none of them, apply all.
        """
        own = {part.name for part in self.stack.parts}
        steps: list[list[str | Path]] = []
        for part in [one for one in origin.parts if one.name in own] or origin.parts:
            steps.append([*AM, *(path.absolute() for path in queue.check(origin.folder(part)))])
            steps += [["tag", part.name]] if len(own) > 1 else []
        for number, step in enumerate(steps, 1):
            try:
                self.git(*step)
            except LabError as error:
                at = self.path / ".git/rebase-apply/next"
                if not at.exists():
                    raise
                patch = step[len(AM) + int(at.read_text(encoding="utf-8")) - 1]
                rest = ["git " + shlex.join(map(str, words)) for words in steps[number:]]
                how = "; ".join(["resolve it", "git add", "git am --continue", *rest])
                raise LabError(
                    Status.NOT_APPLIED, f"{patch} does not fit {self.stack.base.name}",
                    f"in {self.path}: {how}; then make refresh {self.stack.command}",
                    error.detail) from None

    def ends(self) -> dict[Part, str]:
        """Give the last commit of each part.

        A rebase leaves a tag behind: the commit with the same subject counts.
        """
        *tagged, last = self.stack.parts
        log = git(self.path, "log", "--format=%H %s", "base..series").splitlines()
        found = {}
        for part in tagged:
            tag = git(self.path, "log", "-1", "--format=%H %s", f"refs/tags/{part.name}").strip()
            title = tag.partition(" ")[2]
            same = [tag] if tag in log else [one for one in log if one.partition(" ")[2] == title]
            if len(same) != 1:
                raise LabError(
                    Status.USAGE, f"{self.path}: tag {part.name} is not in branch series",
                    f"git tag -f {part.name} COMMIT, with the part's last commit")
            found[part] = same[0].partition(" ")[0]
        return {**found, last: "series"}

    def write(self, part: Part, begin: str, end: str, place: str, *more: str) -> list[Path]:
        """Write the commits of a part to place/PART, the cover letter first; give the mails."""
        folder, fresh = self.stack.folder(part), self.source.place / place / part.name
        shutil.rmtree(fresh, ignore_errors=True)
        if not git(self.path, "rev-list", f"{begin}..{end}"):
            raise LabError(Status.USAGE, f"{self.path}: branch series has no commit of part "
                           f"{part.name}", "commit its patches, or move the tags of the parts")
        self.git("branch", "-f", WRITING, end)
        author = " ".join(f"GIT_AUTHOR_{name}={shlex.quote(value)}"
                          for name, value in zip(("NAME", "EMAIL"), self.who))
        self.git("filter-branch", "-f", "--env-filter", f"export {author}", f"{begin}..{WRITING}",
                 FILTER_BRANCH_SQUELCH_WARNING="1")
        options, env, cover = [*more], {}, folder / COVER
        if cover.exists():
            self.git("config", f"branch.{WRITING}.description",
                     f"{subject(cover)}\n\n{prose(cover)}\n")
            options += ["--cover-letter", "--cover-from-description=subject"]
            env = {"GIT_COMMITTER_DATE": header(cover, "Date")}  # a new one would be a change
        self.git(*FORMAT, *options, "-o", fresh.absolute(), f"{begin}..{WRITING}", **env)
        self.git("branch", "-q", "-D", WRITING)
        slugs = {subject(path): slug(path.name) for one in self.stack.parts
                 for path in self.stack.folder(one).glob("*.patch")}
        mails = []
        for path in sorted(fresh.glob("*.patch")):
            own = slugs.get(subject(path)) or slug(path.name).strip("-")
            name = COVER if path.name == COVER else f"{path.name[:4]}-{own}.patch"
            mails.append(path.rename(fresh / name))
        return mails


def tree(stack: Stack, source: Source) -> None:
    with memory.lock(source.place):
        work = Tree(stack, source)
        work.make()
        work.apply(stack)
    tags = ["base", *(part.name for part in stack.parts if len(stack.parts) > 1)]
    print(f"  {work.path}: branch series, tag {', '.join(tags)}")


def port(stack: Stack, source: Source, origin: Stack, origin_source: Source) -> None:
    """Start the patches of `origin` on another base; the blobs of the origin allow 3-way merges."""
    with memory.lock(source.place):
        work = Tree(stack, source)
        work.make()
        with memory.lock(origin_source.place):
            origin_source.fetch()
        before = source.place / "port"
        queue.try_on(work.shell, origin_source.src, before, origin.queue)
        work.git("fetch", "-q", before.absolute(), "series")
        work.apply(origin)
    print(f"  {work.path}: the series of {origin.base.name}; "
          f"make refresh {stack.command} writes it to series/")


def refresh(stack: Stack, source: Source) -> None:
    """Write branch `series` back as the queues of its parts; slugs and cover letters' text stay."""
    work = Tree(stack, source)
    work.need()
    with memory.lock(source.place):
        unfinished = [*work.path.glob(".git/rebase-apply"), *work.path.glob(".git/rebase-merge")]
        if unfinished or git(work.path, "status", "--porcelain", "--untracked-files=no"):
            raise LabError(Status.USAGE, f"{work.path} has changes that are not committed",
                           "commit them, or finish git am or git rebase")
        begin, written, ends = "base", {}, work.ends()
        for part, end in ends.items():
            written[part], begin = work.write(part, begin, end, "queue"), end
        for part, mails in written.items():
            folder = stack.folder(part)
            folder.mkdir(parents=True, exist_ok=True)
            for old in folder.glob("*.patch"):
                old.unlink()
            for path in mails:
                shutil.copyfile(path, folder / path.name)
            names = [path.name for path in mails if path.name != COVER]
            memory.write_atomic(folder / "series", "".join(f"{name}\n" for name in names))
            print(f"  {folder}: {len(names)} patches")
            if len(ends) > 1:
                work.git("tag", "-f", part.name, ends[part])


def header(patch: Path, name: str) -> str:
    found = message_from_bytes(patch.read_bytes(), policy=UNFOLDED)[name]
    return re.sub(r"\s+", " ", str(found or ""))


def prose(mail: Path) -> str:
    """Give what is written by hand of a patch or a cover letter, "" if there is no such file."""
    body = mail.read_text(encoding="utf-8").partition("\n\n")[2] if mail.exists() else ""
    return SHORTLOG.split(body)[0].partition("\n---\n")[0].strip()


def subject(patch: Path) -> str:
    return re.sub(r"^\[[^]]*\] ", "", header(patch, "Subject"))
