# SPDX-License-Identifier: GPL-2.0-only
"""Patch queues and branches: a git tree of a base to work in, and the way back into series/<base>/.

A patch is never edited by hand. `make tree` makes build/<base>/tree, a repository of the whole
base (tag `base`) with the series as commits (branch `series`); `make refresh` writes that branch
back; `make port` starts the series of one base on another and stops where it does not fit.
"""

import re
import shutil
from pathlib import Path

from lab import station
from lab.data import slug
from lab.docs import subject
from lab.errors import LabError, Status
from lab.job import ROOT, Job
from lab.proc import Progress, Shell, ask
from lab.series import COVER, GIT, git_env

FORMAT = ["format-patch", "-q", "--zero-commit", "--no-signature", "--full-index", "--no-base", "-N"]
# Where the text of a cover letter ends and what git adds to it begins: "Somebody (6):"
SHORTLOG = re.compile(r"^\S.* \(\d+\):$", re.MULTILINE)
NAME, MAIL = "mmu_notifier series", "series@localhost"  # the placeholder: whoever sends a patch puts a name
WHO = ["-c", f"user.name={NAME}", "-c", f"user.email={MAIL}"]
AUTHOR = re.compile(r"^From: .*(?:\n .*)*$", re.MULTILINE)


class Tree:
    """build/<base>/tree and the git commands in it."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.path = job.place / "tree"
        self.shell = Shell(job.place / "tree.log")

    def git(self, *words: str | Path, status: Status = Status.NOT_APPLIED) -> None:
        """Run a git command that changes something."""
        self.shell.run([*GIT, *WHO, *words], status, cwd=self.path, env=git_env(self.path))

    def ask(self, *words: str) -> str:
        """Run a git command for its output."""
        return ask([*GIT, "-C", self.path, *words], Status.NOT_APPLIED, git_env(self.path))

    def make(self) -> None:
        """Unpack the base into a new repository; what is there and was not refreshed is kept."""
        if self.path.exists():
            raise LabError(Status.USAGE, f"{self.path} exists, perhaps with work in it", f"make refresh, or rm -rf {self.path}")
        self.job.source()
        station.need_space(self.job.place)
        partial = self.path.with_name(".tree.tmp")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        linked = sorted(path for path in self.job.pristine.iterdir() if path.name not in ("O", ".git"))
        # Copies, not links: this is a tree to edit.
        self.shell.run(["cp", "-a", "-t", partial, *linked], Status.NO_SOURCE, progress=Progress("copy tree", lambda: ""))
        partial.rename(self.path)
        self.git("init", "-q", "--template=", "-b", "series")
        self.shell.run([*GIT, "add", "-Af", "."], Status.NO_SOURCE, cwd=self.path, env=git_env(self.path),
                       progress=Progress("git add", lambda: ""))
        self.git("commit", "-q", "-m", f"base {self.job.base.name}")
        if self.job.below:
            self.apply(self.job.below.queue)
        self.git("tag", "base")

    def apply(self, patches: list[Path]) -> None:
        """Apply patches as commits; at a conflict leave git am where it stopped and say how to go on."""
        for number, patch in enumerate(patches):
            try:
                self.git("am", "-q", "-3", "--keep-cr", patch.absolute())
            except LabError as error:
                left = " ".join(str(path.absolute()) for path in patches[number + 1:])
                rest = f", then git am -3 {left}" if left else ""
                raise LabError(Status.NOT_APPLIED, f"{patch} does not fit {self.job.base.name}",
                               f"in {self.path}: mend it, git add, git am --continue{rest}; then make refresh",
                               error.detail) from None


def tree(job: Job) -> None:
    """Make a git tree with the base's series as commits."""
    with station.lock(job.place):
        work = Tree(job)
        work.make()
        work.apply(job.patches)
    print(f"  {work.path}: branch series, tag base")


def port(job: Job, origin: Job) -> None:
    """Start the series of `origin` on the base of `job`; blobs of the origin let git merge three ways."""
    with station.lock(job.place):
        work = Tree(job)
        work.make()
        with station.lock(origin.place):
            origin.source()
        for name in sorted({name for patch in origin.patches for name in touched(patch)}):
            blob = origin.pristine / name
            if blob.exists():
                work.git("hash-object", "-w", blob.absolute())
        work.apply(origin.patches)
    print(f"  {work.path}: the series of {origin.base.name}; make refresh BASE={job.base.name} writes it to series/")


def touched(patch: Path) -> list[str]:
    """Give the files a patch changes."""
    return re.findall(r"^--- a/(\S+)", patch.read_text(encoding="utf-8"), re.MULTILINE)


def refresh(job: Job) -> None:
    """Write branch `series` of the base's tree back as its queue: slugs and the cover letter's text stay."""
    folder, work = ROOT / "series" / job.base.name, Tree(job)
    if not (work.path / ".git").exists():
        raise LabError(Status.USAGE, f"{work.path} does not exist", f"make tree BASE={job.base.name}")
    with station.lock(job.place):
        if (work.path / ".git/rebase-apply").exists() or work.ask("status", "--porcelain", "--untracked-files=no").strip():
            raise LabError(Status.USAGE, f"{work.path} has changes that are not committed", "commit them, or finish git am")
        slugs = {subject(path): slug(path.name) for path in folder.glob("*.patch") if path.name != COVER}
        fresh = job.place / "queue"
        shutil.rmtree(fresh, ignore_errors=True)
        text = cover_text(folder / COVER)
        work.git("config", "branch.series.description", text)
        cover = ["--cover-letter", "--cover-from-description=subject"] if text else []
        work.git(*FORMAT, *cover, "-o", fresh.absolute(), "base..series")
        names = []
        for path in sorted(fresh.glob("*.patch")):
            if path.name == COVER:
                settle(path, folder / COVER)
                continue
            path.write_text(AUTHOR.sub(f"From: {NAME} <{MAIL}>", path.read_text(encoding="utf-8"), count=1), encoding="utf-8")
            name = f"{path.name[:4]}-{slugs.get(subject(path)) or slug(path.name).strip('-')}.patch"
            path.rename(fresh / name)
            names.append(name)
        if not names:
            raise LabError(Status.USAGE, f"{work.path}: branch series has no commit on top of base")
        for old in folder.glob("*.patch"):
            old.unlink()
        folder.mkdir(parents=True, exist_ok=True)
        for path in fresh.iterdir():
            shutil.copyfile(path, folder / path.name)
        station.write_atomic(folder / "series", "".join(f"{name}\n" for name in names))
    print(f"  {folder}: {len(names)} patches")


def cover_text(cover: Path) -> str:
    """Give subject and text of a cover letter, without what git adds; "" without a cover letter."""
    if not cover.exists():
        return ""
    body = cover.read_text(encoding="utf-8").partition("\n\n")[2]
    return f"{subject(cover)}\n\n{SHORTLOG.split(body)[0].strip()}\n"


def settle(cover: Path, old: Path) -> None:
    """Keep the date of the old cover letter: a refresh that changes nothing changes nothing."""
    dates = [re.search(r"^Date: .*$", path.read_text(encoding="utf-8"), re.MULTILINE) for path in (cover, old) if path.exists()]
    if len(dates) == 2 and dates[0] and dates[1]:
        cover.write_text(cover.read_text(encoding="utf-8").replace(dates[0][0], dates[1][0], 1), encoding="utf-8")
