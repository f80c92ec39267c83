# SPDX-License-Identifier: GPL-2.0-only
"""A pristine kernel tree, from a Debian package or from TREE=DIR."""

import os
import re
import shlex
import shutil
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from lab.base import memory
from lab.base.errors import LabError, Status
from lab.base.memory import key
from lab.base.proc import Progress, Shell, ask
from lab.kernel.bases import Base
from lab.kernel.build import USUAL
from lab.kernel.tree import copy as hard_links

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
# 450 MB of register tables that no object of the lab includes; a copied repository may lack them.
TABLES = "drivers/gpu/drm/amd/include/asic_reg"
# What a build in a plain tree leaves behind and kbuild refuses to find there.
LEFTOVERS = (".git", "*.o", "*.cmd", "./.config", "./include/config", "./include/generated",
             "./arch/*/include/generated")
PROOF = "scripts/kconfig/merge_config.sh"  # a kernel tree has it


class Apt:
    """The machine's apt without a suite, else an apt of its own for that one suite."""

    def __init__(self, cache: Path, suite: str) -> None:
        self.cache, self.suite = cache, suite
        self.mirror = ""  # of the suite
        self.options = self.isolated(cache.absolute() / "apt" / suite) if suite else []
        cache.mkdir(parents=True, exist_ok=True)

    def isolated(self, state: Path) -> list[str]:
        """Give the options of an apt for the suite of the machine's mirror, with its own state."""
        mirrors = ask(["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages",
                       "Origin: Debian", "Label: Debian"], Status.NO_SOURCE).split()
        if not mirrors:
            raise LabError(Status.NO_SOURCE,
                           f"apt knows no Debian mirror to take {self.suite} from")
        self.mirror = mirrors[0]
        for folder in ("lists/partial", "cache/archives/partial"):
            (state / folder).mkdir(parents=True, exist_ok=True)
        sources = state / "sources.list"
        memory.write_atomic(sources, f"deb [signed-by={KEYRING}] {self.mirror} {self.suite} main\n")
        settings = (f"Dir::State={state}", "Dir::State::status=/dev/null", "APT::Sandbox::User=",
                    f"Dir::Cache={state}/cache", f"Dir::Etc::SourceList={sources}",
                    "Dir::Etc::SourceParts=/dev/null")
        return [f"-o{setting}" for setting in settings]

    def candidate(self, package: str) -> str:
        policy = ask(["apt-cache", *self.options, "policy", package], Status.NO_SOURCE)
        found = re.search(r"Candidate: (?!\(none\))(\S+)", policy)
        return found[1] if found else ""

    def names(self, prefix: str) -> list[str]:
        return ask(["apt-cache", *self.options, "pkgnames", prefix], Status.NO_SOURCE).split()

    def depends(self, package: str) -> str:
        shown = ask(["apt-cache", *self.options, "show", "--no-all-versions", package],
                    Status.NO_SOURCE)
        return "".join(re.findall(r"^Depends: (.*)$", shown, re.MULTILINE))

    def update(self, shell: Shell) -> bool:
        if not self.suite and os.geteuid():
            return False
        return shell.run(["apt-get", *self.options, "update"], Status.NO_SOURCE)

    def download(self, shell: Shell, package: str, version: str) -> None:
        shell.run(["apt-get", *self.options, "-oAPT::Sandbox::User=", "download",
                   f"{package}={version}"], Status.NO_SOURCE, cwd=self.cache,
                  progress=Progress(f"download {package} {version}"))


class Source:
    """The pristine tree of a base in build/BASE[-TREE]/stock/src; a given tree is only read.

    A variant (BASE-arm64) has hard links to it, in a place of its own.
    """

    def __init__(self, base: Base, build: Path, tree: Path | None = None) -> None:
        self.base = base
        self.tree = tree.resolve() if tree else None
        name = base.name
        if self.tree and not base.needs_tree:
            name += f"-{self.tree.name}-{key(str(self.tree))[:6]}"
        self.place, self.cache = build / f"{name}{base.variant}", build / "cache"
        usual = replace(base, arch=(USUAL,), kernel="")
        self.usual = Source(usual, build, tree) if base.variant else None
        self.src = self.place / "stock/src"
        self.shown: set[str] = set()  # what was reported as cached

    @cached_property
    def identity(self) -> str:
        """Give package and version, or tree and commit, without unpacking anything."""
        if self.tree:
            return f"{self.tree} {commit(self.tree)}"
        if self.base.needs_tree:
            name = self.base.name
            raise LabError(Status.NO_SOURCE,
                           f"{name}: not run: needs TREE=DIR ({self.base.proven})",
                           f"no package has this kernel: make ... BASE={name} TREE=DIR")
        return f"{self.base.package} {self.version()}"

    @property
    def name(self) -> str:
        """Name the source for a record: a given tree by its commit, not by its folder."""
        if not self.tree:
            return self.identity
        at = self.identity.split()[-1]
        known = at.startswith(self.base.proven.rpartition("@")[2])
        return self.base.proven if known else f"a tree at {at[:12]}"

    @cached_property
    def apt(self) -> Apt:
        return Apt(self.cache, self.base.suite)

    def version(self) -> str:
        """Give the version of the package that apt offers; a newer one than proven is taken."""
        base = self.base
        version = self.apt.candidate(base.package)
        if not version and self.apt.update(Shell(self.place / "stock/apt.log")):
            version = self.apt.candidate(base.package)
        if not version:
            where = f"suite {base.suite}" if base.suite else "the configured apt sources"
            raise LabError(Status.NO_SOURCE,
                           f"no package {base.package} in {where} (base {base.name})")
        if version != base.proven:
            print(f"  note: {base.package} is {version}; last proven on {base.proven}; going on")
        return version

    def fetch(self) -> None:
        if "source" in self.shown:
            return
        place, wanted = self.place / "stock", key(self.identity)
        place.mkdir(parents=True, exist_ok=True)
        work = self.link if self.usual else self.copy if self.tree else self.unpack
        ran = memory.step(place, "source", wanted, self.src / "Makefile", work)
        print(f"  source: {self.tree or self.identity}{'' if ran else ' (cached)'}")
        self.shown.add("source")

    def link(self, shell: Shell) -> None:
        assert self.usual
        with memory.lock(self.usual.place):
            self.usual.fetch()
            hard_links(shell, self.usual.src, self.src, objects=False)

    def copy(self, shell: Shell) -> None:
        assert self.tree
        if repository := git_dir(self.tree):
            words = ["git", f"--git-dir={repository}", "-c", "core.autocrlf=false", "archive",
                     "--format=tar", "--prefix=./", self.identity.split()[-1], "--", ".",
                     f":(exclude){TABLES}"]
        else:
            words = ["tar", "-c", "-C", f"{self.tree}",
                     *(f"--exclude={path}" for path in LEFTOVERS), "."]
        unpack(shell, shlex.join(words), self.src)

    def unpack(self, shell: Shell) -> None:
        """Unpack the package; one that is damaged in the cache is fetched again."""
        package, version = self.identity.split()
        deb = self.cache / f"{package}_{version}_all.deb"
        cached = deb.exists()
        if not cached:
            try:
                self.apt.download(shell, package, version)
            except LabError:
                self.apt.update(shell)  # the lists may be old: the next run takes what there is
                raise
        try:
            unpack(shell, f"dpkg-deb --fsys-tarfile {shlex.quote(str(deb.absolute()))} | "
                   f"tar -xO ./usr/src/{package}.tar.xz | xz -dc", self.src, "--strip-components=1")
        except LabError as error:
            if not cached or error.status != Status.NO_SOURCE:
                raise
            print(f"  note: {deb.name} in the cache is damaged; fetching it again")
            deb.unlink()
            self.unpack(shell)


def unpack(shell: Shell, producer: str, target: Path, *options: str) -> None:
    """Unpack what a shell pipeline writes (a tar stream) into target, whole or not at all."""
    temporary = target.with_name(f".{target.name}.tmp")
    for folder in (temporary, target):
        shutil.rmtree(folder, ignore_errors=True)
    temporary.mkdir(parents=True)
    memory.need_space(temporary)
    consumer = shlex.join(["tar", "-x", "-C", str(temporary.absolute()), f"--exclude=*/{TABLES}",
                           *options])
    shell.run(["bash", "-c", f"set -o pipefail; {producer} | {consumer}"], Status.NO_SOURCE,
              progress=Progress("unpack"))
    if not (temporary / PROOF).exists():
        shutil.rmtree(temporary)
        raise LabError(Status.NO_SOURCE, f"`{producer}` does not write a kernel tree")
    os.replace(temporary, target)


def git_dir(tree: Path) -> Path | None:
    """Give the git directory of a tree, itself if it is one, None if it is plain."""
    return next((path for path in (tree / ".git", tree)
                 if (path / "HEAD").is_file() or path.is_file()), None)


def commit(tree: Path) -> str:
    """Give the commit that is checked out, whatever is uncommitted, or a hash of a plain tree.

    The hash is of path, size and time of every file: cheap, and changes when the tree does.
    """
    if not tree.is_dir():
        raise LabError(Status.NO_SOURCE, f"TREE={tree} is not a directory")
    if repository := git_dir(tree):
        words = ["git", f"--git-dir={repository}", "rev-parse", "--verify", "HEAD^{commit}"]
        return ask(words, Status.NO_SOURCE).strip()
    if not (tree / PROOF).exists():
        raise LabError(Status.NO_SOURCE, f"TREE={tree} is not a kernel tree")
    files = ask(["find", tree, "-not", "-type", "d", "-printf", "%P %s %T@\n"], Status.NO_SOURCE)
    return key(*sorted(files.splitlines()))
