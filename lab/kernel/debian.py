# SPDX-License-Identifier: GPL-2.0-only
"""Debian's binary kernels, and the Debian 13 that builds the kit for them and that they boot."""

import os
import re
import shlex
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from lab.base import memory
from lab.base.errors import LabError, Status
from lab.base.memory import key
from lab.base.proc import Progress, Shell
from lab.kernel import build
from lab.kernel.kernel import Kernel
from lab.kernel.source import KEYRING, Apt, Source

SUITES = ("bookworm", "bookworm-backports", "trixie", "trixie-backports")
HEADERS = re.compile(r"linux-headers-((\d+\.\d+)[-.\d]*(?:\+deb[.\d]+)?-(rt-)?amd64)")
NEEDED = re.compile(r"\blinux-(?:binary|headers|kbuild)-[^\s,]+")
PLACE = "field"  # below build/
SYSTEM = "trixie"  # its newest libc runs the tools of all headers
# With the compilers of the kernels of Debian 12 and 13.
PACKAGES = "systemd,kmod,procps,gcc,gcc-12,make,cpio,libc6-dev,libelf1t64,pahole"
# What only the building needs, or only a reader.
LEFT_OUT = (
    "proc/*", "sys/*", "kit", "usr/bin/*-linux-gnu-*", "usr/src", "usr/include", "usr/lib/gcc",
    "usr/lib/linux-kbuild-*", "usr/lib/modules", "usr/libexec/gcc", "usr/share/doc",
    "usr/share/i18n", "usr/share/locale", "usr/share/man", "usr/lib/x86_64-linux-gnu/*.a",
    "usr/lib/x86_64-linux-gnu/lib*san.so*", "var/cache", "var/lib/apt")


@dataclass(frozen=True)
class Debian(Kernel):
    """A kernel of a Debian suite, with its headers; `name` is its release (uname -r)."""

    suite: str = ""
    version: str = ""

    @cached_property
    def key(self) -> str:
        return key(self.name, self.suite, self.version)

    def __str__(self) -> str:
        return f"{self.name}: linux-image {self.version}, {self.suite}, {self.arch.name}"

    @cached_property
    def apt(self) -> Apt:
        return Apt(self.source.cache, self.suite)

    def fetch(self, shell: Shell, name: str) -> Path:
        """Give the package of a name; one that is in the cache is not fetched again."""
        version = self.apt.candidate(name)
        found = self.cached(name, version)
        if not found:
            self.apt.download(shell, name, version)
        return next(iter(found or self.cached(name, version)))

    def cached(self, name: str, version: str) -> list[Path]:
        return [path for arch in ("amd64", "all")
                if (path := self.source.cache / f"{name}_{version}_{arch}.deb").exists()]

    def with_depends(self, name: str) -> set[str]:
        """Give the names of a package and of those parts of the kernel that it depends on."""
        todo, found = [name], set()
        while todo:
            found.add(one := todo.pop())
            todo += [other for other in NEEDED.findall(self.apt.depends(one)) if other not in found]
        return found

    def build(self) -> None:
        """Take the image out of its package; from 7.2 on that is linux-binary-*."""
        def work(shell: Shell) -> None:
            package = self.fetch(shell, min(self.with_depends(f"linux-image-{self.name}")))
            unpack = f"{contents(package)} | tar -xO --wildcards '*/vmlinuz*' > image"
            shell.run(["sh", "-c", unpack], Status.NO_SOURCE, cwd=self.place)

        self.place.mkdir(parents=True, exist_ok=True)
        memory.step(self.place, "image", self.key, self.image, work)

    def programs(self, origin: Path, products: Sequence[str]) -> None:
        """Build a folder of this repository in the Debian system, as a user of the kernel would."""
        folder = self.place / origin.name

        def work(shell: Shell) -> None:
            root = system(self.source)
            for name in sorted(self.with_depends(f"linux-headers-{self.name}")):
                package = self.fetch(shell, name)
                shell.run(["sh", "-c", f"{contents(package)} | tar -x --keep-directory-symlink"],
                          Status.NO_SOURCE, cwd=root)
            for one in (inside := root / origin.name, folder):
                shutil.rmtree(one, ignore_errors=True)
            shutil.copytree(origin, inside, ignore=shutil.ignore_patterns(*build.IGNORED))
            proc = f"--mount-proc={root}/proc"  # objtool of 7.2 reads it
            shell.run(["unshare", "-mpf", "--kill-child", proc, "chroot", f"{root}", "make", "-C",
                       f"/{origin.name}", f"RELEASE={self.name}"], Status.NOT_BUILT,
                      progress=Progress(f"build kit for {self.name}"))
            shutil.move(inside, folder)

        wanted = key(self.key, memory.folder_key(origin, build.IGNORED))
        memory.step(self.place, origin.name, wanted, folder / products[-1], work)


def contents(package: Path) -> str:
    return f"dpkg-deb --fsys-tarfile {shlex.quote(str(package.absolute()))}"


def offered(source: Source) -> list[Debian]:
    """Give the newest kernel with headers of each suite, series and flavour."""
    found = []
    for suite in SUITES:
        newest: dict[tuple[str, ...], str] = {}
        apt = updated(source, suite)
        for match in filter(None, map(HEADERS.fullmatch, apt.names("linux-headers-"))):
            group = match.groups(default="")[1:]
            newest[group] = max(newest.get(group, ""), match[1], key=numbers)
        found += [Debian(source, release, arch=build.ARCHES["x86_64"], suite=suite,
                         version=apt.candidate(f"linux-image-{release}"))
                  for release in sorted(newest.values(), key=numbers)]
    return found


def updated(source: Source, suite: str) -> Apt:
    """Give the apt of a suite, which knows kernels."""
    apt = Apt(source.cache, suite)
    if not apt.names("linux-headers-"):
        apt.update(Shell(source.place / f"apt-{suite}.log"))
    if not apt.names("linux-headers-"):
        raise LabError(Status.NO_SOURCE, f"suite {suite} of {apt.mirror} has no kernel headers")
    return apt


def without_headers(source: Source) -> list[str]:
    """Give the series of which the suites have images, and headers no longer."""
    names = [name for suite in SUITES for kind in ("image", "headers")
             for name in updated(source, suite).names(f"linux-{kind}-")]
    series = [set(re.findall(rf"linux-{kind}-(\d+\.\d+)\S*-amd64\b", " ".join(names)))
              for kind in ("image", "headers")]
    return sorted(series[0] - series[1], key=numbers)


def numbers(release: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", release.removesuffix("-amd64"))]


def system(source: Source) -> Path:
    """Give the root of the Debian system, made once, and next to it an archive of it."""
    if os.geteuid():
        raise LabError(Status.USAGE, "field needs root: it makes a Debian system in a chroot",
                       "run it as root")
    place = source.place.absolute()
    root = place / "root"

    def work(shell: Shell) -> None:
        shutil.rmtree(root, ignore_errors=True)
        memory.need_space(place)
        # In a mount namespace of its own, so that nothing stays mounted.
        shell.run(["unshare", "--mount", "debootstrap", "--variant=minbase",
                   f"--include={PACKAGES}", f"--keyring={KEYRING}", SYSTEM, root,
                   Apt(source.cache, SYSTEM).mirror], Status.NO_SOURCE,
                  progress=Progress(f"debootstrap {SYSTEM}"))
        paths = " -o ".join(f"-path './{path}'" for path in LEFT_OUT)
        pack = f"cd / && find . '(' {paths} ')' -prune -o -print | cpio --quiet -o -H newc"
        target = shlex.quote(str(place / SYSTEM))
        shell.run(["sh", "-c", f"{shlex.join(['chroot', str(root), 'sh', '-c', pack])} > {target}"],
                  Status.NO_SOURCE)

    memory.step(place, "system", key(SYSTEM, PACKAGES, *LEFT_OUT), place / SYSTEM, work)
    return root

