# SPDX-License-Identifier: GPL-2.0-only
"""A pristine kernel tree, from a Debian package or from TREE=DIR."""

import hashlib
import os
import shlex
import shutil
from functools import cached_property
from pathlib import Path

from lab.base import memory
from lab.base.errors import LabError, Status
from lab.base.memory import key
from lab.base.proc import Progress, Shell, ask
from lab.kernel.bases import Base

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
# 450 MB of register tables that no object of the lab includes; a copied repository may lack them.
TABLES = "drivers/gpu/drm/amd/include/asic_reg"
NEVER_BUILT = f"--exclude=*/{TABLES}"
# What a build in a plain tree leaves behind and kbuild refuses to find there.
LEFTOVERS = (".git", "*.o", "*.cmd", "./.config", "./include/config", "./include/generated",
             "./arch/*/include/generated")


class Apt:
    """The machine's apt without a suite, else an apt of its own for that one suite."""

    def __init__(self, cache: Path, suite: str) -> None:
        self.cache = cache
        self.options: list[str] = []
        self.own = bool(suite)
        cache.mkdir(parents=True, exist_ok=True)
        if self.own:
            self.options = self.isolated(cache.absolute() / "apt" / suite, suite)

    @staticmethod
    def isolated(state: Path, suite: str) -> list[str]:
        """Give the options of an apt for `suite` of the machine's mirror; it writes to `state`."""
        fields = ask(["apt-get", "indextargets", "--format", "$(REPO_URI) $(LABEL)",
                      "Created-By: Packages", "Origin: Debian"], Status.NO_SOURCE)
        mirrors = [line.split()[0] for line in fields.splitlines()
                   if line.split()[1:] == ["Debian"]]
        if not mirrors:
            raise LabError(Status.NO_SOURCE, f"apt knows no Debian mirror to take {suite} from")
        for folder in ("lists/partial", "cache/archives/partial"):
            (state / folder).mkdir(parents=True, exist_ok=True)
        memory.write_atomic(state / "sources.list",
                            f"deb [signed-by={KEYRING}] {mirrors[0]} {suite} main\n")
        settings = {
            "Dir::State": state, "Dir::State::lists": state / "lists",
            "Dir::State::status": "/dev/null",
            "Dir::Cache": state / "cache", "Dir::Etc::SourceList": state / "sources.list",
            "Dir::Etc::SourceParts": "/dev/null", "APT::Sandbox::User": "",
        }
        return [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]

    def candidate(self, package: str) -> str:
        """Give the version apt would take, "" when it knows none."""
        policy = ask(["apt-cache", *self.options, "policy", package], Status.NO_SOURCE)
        for line in policy.splitlines():
            name, _, version = line.strip().partition(": ")
            if name == "Candidate" and version != "(none)":
                return version
        return ""

    def update(self, shell: Shell) -> bool:
        """Read the package lists anew where we may; say whether we did."""
        if self.own or os.geteuid() == 0:
            shell.run(["apt-get", *self.options, "update"], Status.NO_SOURCE)
            return True
        return False

    def stored(self, package: str, version: str) -> Path:
        """Give the place of a package in the cache."""
        return self.cache / f"{package}_{version.replace(':', '%3a')}_all.deb"

    def download(self, shell: Shell, package: str, version: str) -> Path:
        """Fetch one package into the cache, whole or not at all."""
        partial = self.cache / f"partial-{package}"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        progress = Progress(f"download {package} {version}",
                            lambda: f"{folder_size(partial) >> 20} MiB,")
        shell.run(["apt-get", *self.options, "-o", "APT::Sandbox::User=", "download",
                   f"{package}={version}"], Status.NO_SOURCE, cwd=partial, progress=progress)
        os.replace(next(partial.glob("*.deb")), self.stored(package, version))
        return self.stored(package, version)


def folder_size(folder: Path) -> int:
    """Give the bytes of the files directly in a folder that may be changing."""
    return sum(entry.stat().st_size for entry in os.scandir(folder))


class Source:
    """The pristine tree of a base in build/BASE[-TREE]/stock/src; a given tree is only read."""

    def __init__(self, base: Base, build: Path, tree: Path | None = None) -> None:
        self.base = base
        self.tree = tree.resolve() if tree else None
        name = base.name
        if self.tree and not base.needs_tree:
            name += f"-{self.tree.name}-{key(str(self.tree))[:6]}"
        self.place = build / name
        self.cache = build / "cache"
        self.src = self.place / "stock/src"
        self.shown: set[str] = set()  # what was reported as cached

    @cached_property
    def identity(self) -> str:
        """Give package and version, or tree and commit, without unpacking anything."""
        if self.tree:
            return " ".join(tree_identity(self.tree))
        if self.base.needs_tree:
            name = self.base.name
            raise LabError(Status.NO_SOURCE,
                           f"{name}: not run: needs TREE=DIR ({self.base.proven})",
                           f"no package has this kernel: make ... BASE={name} TREE=DIR")
        return f"{self.base.package} {debian_version(self.base, self.apt, self.shell())}"

    @property
    def name(self) -> str:
        """Name the source for a record: a given tree by its commit, not by its folder."""
        if not self.tree:
            return self.identity
        commit = self.identity.split()[-1]
        known = commit.startswith(self.base.proven.rpartition("@")[2])
        return self.base.proven if known else f"a tree at {commit[:12]}"

    @cached_property
    def apt(self) -> "Apt":
        """Give the apt that knows the package."""
        return Apt(self.cache, self.base.suite)

    def shell(self) -> Shell:
        """Give a shell that logs apt's words."""
        return Shell(self.place / "stock/apt.log")

    def fetch(self) -> None:
        """Unpack the tree unless it is there."""
        if "source" in self.shown:
            return
        wanted = key(self.identity)
        (self.place / "stock").mkdir(parents=True, exist_ok=True)
        work = self.copy if self.tree else self.unpack
        ran = memory.step(self.place / "stock", "source", wanted, self.src / "Makefile", work)
        shown = self.identity.rpartition(" ")[0] if self.tree else self.identity
        print(f"  source: {shown}{'' if ran else ' (cached)'}")
        self.shown.add("source")

    def copy(self, shell: Shell) -> None:
        """Copy TREE=DIR."""
        assert self.tree
        unpack(shell, tree_producer(self.tree, self.identity.split()[-1]), self.src)

    def unpack(self, shell: Shell) -> None:
        """Unpack the package; one that is damaged in the cache is fetched again."""
        package, version = self.identity.split()
        deb = self.apt.stored(package, version)
        cached = deb.exists()
        if not cached:
            try:
                self.apt.download(shell, package, version)
            except LabError as error:  # package lists may be older than the archive
                if error.status != Status.NO_SOURCE or not self.apt.update(shell):
                    raise
                self.apt.download(shell, package, version)
        try:
            unpack_deb(shell, deb, package, self.src)
        except LabError as error:
            if not cached or error.status != Status.NO_SOURCE:
                raise
            print(f"  note: {deb.name} in the cache is damaged; fetching it again")
            deb.unlink()
            self.apt.download(shell, package, version)
            unpack_deb(shell, deb, package, self.src)


def debian_version(base: Base, apt: Apt, shell: Shell) -> str:
    """Give the version of the base's package that apt offers; a newer one than proven is taken."""
    version = apt.candidate(base.package)
    if not version and apt.update(shell):
        version = apt.candidate(base.package)
    if not version:
        suite = f"suite {base.suite}" if apt.own else "the configured apt sources"
        raise LabError(Status.NO_SOURCE, f"no package {base.package} in {suite} (base {base.name})")
    if version != base.proven:
        print(f"  note: {base.package} is {version}; last proven on {base.proven}; going on")
    return version


def unpack_deb(shell: Shell, deb: Path, package: str, target: Path) -> None:
    """Unpack the kernel tarball inside a linux-source package."""
    member = f"./usr/src/{package}.tar.xz"
    name = shlex.quote(str(deb.absolute()))
    unpack(shell, f"dpkg-deb --fsys-tarfile {name} | tar -xO {member} | xz -dc", target,
           "--strip-components=1")


def unpack(shell: Shell, producer: str, target: Path, *options: str) -> None:
    """Unpack what a shell pipeline writes (a tar stream) into target, whole or not at all."""
    temporary = target.with_name(f".{target.name}.tmp")
    for folder in (temporary, target):
        shutil.rmtree(folder, ignore_errors=True)
    temporary.mkdir(parents=True)
    memory.need_space(temporary)
    consumer = shlex.join(["tar", "-x", "-C", str(temporary.absolute()), NEVER_BUILT, *options])
    progress = Progress("unpack")
    shell.run(["bash", "-c", f"set -o pipefail; {producer} | {consumer}"], Status.NO_SOURCE,
              progress=progress)
    if not (temporary / "scripts/kconfig/merge_config.sh").exists():
        shutil.rmtree(temporary)
        raise LabError(Status.NO_SOURCE, f"`{producer}` does not write a kernel tree")
    os.replace(temporary, target)


def git_dir(tree: Path) -> Path | None:
    """Give the git directory of a tree, itself if it is one, None if it is plain."""
    return next((path for path in (tree / ".git", tree)
                 if (path / "HEAD").is_file() or path.is_file()), None)


def tree_identity(tree: Path) -> tuple[str, str]:
    """Give the folder and the commit that is checked out, or a token of a plain tree.

    What is uncommitted in a git tree does not count.
    """
    if not tree.is_dir():
        raise LabError(Status.NO_SOURCE, f"TREE={tree} is not a directory")
    if repository := git_dir(tree):
        words = ["git", f"--git-dir={repository}", "rev-parse", "--verify", "HEAD^{commit}"]
        return f"{tree}", ask(words, Status.NO_SOURCE).strip()
    if not (tree / "scripts/kconfig/merge_config.sh").exists():
        raise LabError(Status.NO_SOURCE, f"TREE={tree} is not a kernel tree")
    return f"{tree}", plain_token(tree)


def tree_producer(tree: Path, commit: str) -> str:
    """Give the command that writes a tree as a tar stream."""
    if repository := git_dir(tree):
        git = ["git", f"--git-dir={repository}", "-c", "core.autocrlf=false", "archive"]
        return shlex.join([*git, "--format=tar", "--prefix=./", commit, "--", ".",
                           f":(exclude){TABLES}"])
    return shlex.join(["tar", "-c", "-C", str(tree), *(f"--exclude={path}" for path in LEFTOVERS),
                       "."])


def plain_token(tree: Path) -> str:
    """Hash path, size and mtime of every file: cheap, and changes when the tree does."""
    total = hashlib.sha256()
    for folder, folders, files in os.walk(tree):
        folders.sort()
        for name in sorted(files):
            status = os.lstat(os.path.join(folder, name))
            total.update(f"{folder}/{name} {status.st_size} {status.st_mtime_ns}\n".encode())
    return total.hexdigest()
