# SPDX-License-Identifier: GPL-2.0-only
"""The Debian packages that the machine needs: root installs them, other users see the command."""

import os
import shutil
from pathlib import Path

from lab.base.errors import LabError, Status
from lab.base.proc import Progress, Shell

# By command or file that shows it: the Debian package.
BUILD = {
    "gcc": "gcc", "make": "make", "bc": "bc", "bison": "bison", "flex": "flex", "git": "git",
    "xz": "xz-utils", "perl": "perl", "/usr/include/libelf.h": "libelf-dev",
    "/usr/include/stdlib.h": "libc6-dev",
    "/usr/share/keyrings/debian-archive-keyring.gpg": "debian-archive-keyring"}
LINT = {"shellcheck": "shellcheck", "codespell": "codespell", "mypy": "mypy", "perl": "perl",
        "unifdef": "unifdef"}
MODEL = {"spin": "spin"}
# spatch loads libpython at run time, by the name that only the -dev package has.
COCCI = {"spatch": "coccinelle",
         "/usr/lib/x86_64-linux-gnu/pkgconfig/python3-embed.pc": "libpython3-dev"}
# git-email only recommends the last one.
SEND = {"b4": "b4", "/usr/lib/git-core/git-send-email": "git-email",
        "/usr/share/perl5/Mail/Address.pm": "libmailtools-perl"}
UNIT = {**BUILD, **COCCI, **SEND, "unifdef": "unifdef"}  # the lab's own tests
BENCH = {"pahole": "dwarves", "gnuplot": "gnuplot-nox"}
FIELD = {"debootstrap": "debootstrap", "openssl": "openssl",
         "/usr/include/openssl/ssl.h": "libssl-dev"}
GATE = {
    **COCCI, "sparse": "sparse", "clang-19": "clang-19",
    "aarch64-linux-gnu-gcc": "gcc-aarch64-linux-gnu", "rst2html": "python3-docutils",
    "shellcheck": "shellcheck"}


def missing(tools: dict[str, str]) -> list[str]:
    return sorted({package for tool, package in tools.items() if not present(tool)})


def present(tool: str) -> bool:
    return Path(tool).exists() if tool.startswith("/") else shutil.which(tool) is not None


def need(tools: dict[str, str], log: Path) -> None:
    """Install what is missing if root; else TOOL_MISSING with the command that installs it."""
    packages = missing(tools)
    if packages and not os.geteuid() and present("apt-get"):
        progress = Progress(f"install {' '.join(packages)}")
        for words in (["update"], ["-y", "install", "--no-install-recommends", *packages]):
            Shell(log).run(["apt-get", "-q", *words], Status.TOOL_MISSING,
                           env={"DEBIAN_FRONTEND": "noninteractive"}, progress=progress)
        packages = missing(tools)
    if packages:
        names = " ".join(packages)
        raise LabError(Status.TOOL_MISSING, f"these Debian packages are missing: {names}",
                       f"sudo apt-get install --no-install-recommends {names}")
