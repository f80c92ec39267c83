# SPDX-License-Identifier: GPL-2.0-only
"""Station "source": a pristine kernel tree from a Debian package or from TREE=DIR."""

import hashlib
import os
import shlex
import shutil
from pathlib import Path

from lab import station
from lab.data import Base
from lab.errors import LabError, Status
from lab.proc import Progress, Shell, ask

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
# 450 MB of register tables that nothing the lab builds includes; a copy of a repository may lack them.
TABLES = "drivers/gpu/drm/amd/include/asic_reg"
NEVER_BUILT = f"--exclude=*/{TABLES}"
# What a build in a plain tree leaves behind and kbuild refuses to find there.
LEFTOVERS = (".git", "*.o", "*.cmd", "./.config", "./include/config", "./include/generated", "./arch/*/include/generated")


class Apt:
    """The machine's apt for suite "-", else an apt of its own for that one suite."""

    def __init__(self, cache: Path, suite: str) -> None:
        self.cache = cache
        self.options: list[str] = []
        self.own = suite != "-"
        cache.mkdir(parents=True, exist_ok=True)
        if self.own:
            self.options = self.isolated(cache.absolute() / "apt" / suite, suite)

    @staticmethod
    def isolated(state: Path, suite: str) -> list[str]:
        """Give the options of an apt that reads `suite` from the machine's mirror and writes under `state`."""
        fields = ask(
            ["apt-get", "indextargets", "--format", "$(REPO_URI) $(LABEL)", "Created-By: Packages", "Origin: Debian"],
            Status.NO_SOURCE,
        )
        mirrors = [line.split()[0] for line in fields.splitlines() if line.split()[1:] == ["Debian"]]
        if not mirrors:
            raise LabError(Status.NO_SOURCE, f"apt knows no Debian mirror to take {suite} from")
        for folder in ("lists/partial", "cache/archives/partial"):
            (state / folder).mkdir(parents=True, exist_ok=True)
        station.write_atomic(state / "sources.list", f"deb [signed-by={KEYRING}] {mirrors[0]} {suite} main\n")
        settings = {
            "Dir::State": state, "Dir::State::lists": state / "lists", "Dir::State::status": "/dev/null",
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
        progress = Progress(f"download {package} {version}", lambda: f"{folder_size(partial) >> 20} MiB,")
        shell.run(
            ["apt-get", *self.options, "-o", "APT::Sandbox::User=", "download", f"{package}={version}"],
            Status.NO_SOURCE, cwd=partial, progress=progress,
        )
        os.replace(next(partial.glob("*.deb")), self.stored(package, version))
        return self.stored(package, version)


def folder_size(folder: Path) -> int:
    """Give the bytes of the files directly in a folder that may be changing."""
    return sum(entry.stat().st_size for entry in os.scandir(folder))


def from_debian(base: Base, cache: Path, place: Path) -> str:
    """Unpack the base's Debian package into place/src; give "package version"."""
    apt = Apt(cache, base.suite)
    log = Shell(place / "apt.log")
    version = apt.candidate(base.package)
    if not version and apt.update(log):
        version = apt.candidate(base.package)
    if not version:
        suite = f"suite {base.suite}" if apt.own else "the configured apt sources"
        raise LabError(Status.NO_SOURCE, f"{suite} has no package {base.package} (base {base.name})")
    if version != base.proven:
        print(f"  note: {base.package} is {version}; last proven on {base.proven}; going on")
    identity = f"{base.package} {version}"

    def work(shell: Shell) -> None:
        deb = apt.stored(base.package, version)
        cached = deb.exists()
        if not cached:
            try:
                apt.download(shell, base.package, version)
            except LabError as error:  # package lists may be older than the archive
                if error.status != Status.NO_SOURCE or not apt.update(shell):
                    raise
                apt.download(shell, base.package, version)
        try:
            unpack_deb(shell, deb, base.package, place / "src")
        except LabError as error:
            if not cached or error.status != Status.NO_SOURCE:
                raise
            print(f"  note: {deb.name} in the cache is damaged; fetching it again")
            deb.unlink()
            apt.download(shell, base.package, version)
            unpack_deb(shell, deb, base.package, place / "src")

    ran = station.station(place, "source", station.key(identity), place / "src" / "Makefile", work)
    print(f"  source: {identity}{'' if ran else ' (cached)'}")
    return identity


def unpack_deb(shell: Shell, deb: Path, package: str, target: Path) -> None:
    """Unpack the kernel tarball inside a linux-source package."""
    member = f"./usr/src/{package}.tar.xz"
    unpack(
        shell, f"dpkg-deb --fsys-tarfile {shlex.quote(str(deb.absolute()))} | tar -xO {member} | xz -dc",
        target, "--strip-components=1",
    )


def unpack(shell: Shell, producer: str, target: Path, *options: str) -> None:
    """Unpack what a shell pipeline writes (a tar stream) into target, whole or not at all."""
    temporary = target.with_name(f".{target.name}.tmp")
    for folder in (temporary, target):
        shutil.rmtree(folder, ignore_errors=True)
    temporary.mkdir(parents=True)
    station.need_space(temporary)
    consumer = shlex.join(["tar", "-x", "-C", str(temporary.absolute()), NEVER_BUILT, *options])
    progress = Progress("unpack", lambda: "")
    shell.run(["bash", "-c", f"set -o pipefail; {producer} | {consumer}"], Status.NO_SOURCE, progress=progress)
    if not (temporary / "scripts/kconfig/merge_config.sh").exists():
        shutil.rmtree(temporary)
        raise LabError(Status.NO_SOURCE, f"what came from `{producer}` is not a kernel tree")
    os.replace(temporary, target)


def from_tree(tree: Path, place: Path) -> str:
    """Copy a kernel tree (git, with or without a work tree, or plain) into place/src; give its identity.

    The tree is only read. Of a git tree the commit checked out counts, not what is uncommitted.
    """
    if not tree.is_dir():
        raise LabError(Status.NO_SOURCE, f"TREE={tree} is not a directory")
    tree = tree.resolve()
    git_dir = next((path for path in (tree / ".git", tree) if (path / "HEAD").is_file() or path.is_file()), None)
    if git_dir:
        git = ["git", f"--git-dir={git_dir}", "-c", "core.autocrlf=false"]
        commit = ask([*git, "rev-parse", "--verify", "HEAD^{commit}"], Status.NO_SOURCE).strip()
        identity = f"{tree} at {commit[:12]}"
        producer = shlex.join([*git, "archive", "--format=tar", "--prefix=./", commit, "--", ".", f":(exclude){TABLES}"])
        token = commit
    else:
        if not (tree / "scripts/kconfig/merge_config.sh").exists():
            raise LabError(Status.NO_SOURCE, f"TREE={tree} is not a kernel tree")
        identity = f"{tree}"
        producer = shlex.join(["tar", "-c", "-C", str(tree), *(f"--exclude={path}" for path in LEFTOVERS), "."])
        token = plain_token(tree)
    ran = station.station(
        place, "source", station.key(identity, token), place / "src" / "Makefile",
        lambda shell: unpack(shell, producer, place / "src"),
    )
    print(f"  source: {identity}{'' if ran else ' (cached)'}")
    return f"{identity} {token}"


def plain_token(tree: Path) -> str:
    """Hash path, size and mtime of every file: cheap, and changes when the tree does."""
    total = hashlib.sha256()
    for folder, folders, files in os.walk(tree):
        folders.sort()
        for name in sorted(files):
            status = os.lstat(os.path.join(folder, name))
            total.update(f"{folder}/{name} {status.st_size} {status.st_mtime_ns}\n".encode())
    return total.hexdigest()
