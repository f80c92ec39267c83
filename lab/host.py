# SPDX-License-Identifier: GPL-2.0-only
"""What the machine must have: installed by root, named to anybody else."""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from lab.errors import LabError, Status
from lab.proc import Progress, Shell

# What proves that a package is there (a command, or a file) and the Debian package.
BUILD = {
    "gcc": "gcc", "make": "make", "bc": "bc", "bison": "bison", "flex": "flex", "git": "git", "xz": "xz-utils",
    "perl": "perl", "/usr/include/libelf.h": "libelf-dev", "/usr/include/stdlib.h": "libc6-dev",
    "/usr/share/keyrings/debian-archive-keyring.gpg": "debian-archive-keyring",
}
GUEST = {"qemu-system-x86_64": "qemu-system-x86"}
LINT = {"shellcheck": "shellcheck", "codespell": "codespell", "mypy": "mypy", "perl": "perl", "unifdef": "unifdef"}
MODEL = {"spin": "spin"}
UNIT = {**BUILD, "spatch": "coccinelle", "unifdef": "unifdef"}  # the lab's own tests
GATE = {
    "sparse": "sparse", "spatch": "coccinelle", "clang-19": "clang-19", "aarch64-linux-gnu-gcc": "gcc-aarch64-linux-gnu",
    "rst2html": "python3-docutils", "shellcheck": "shellcheck",
}


def missing(tools: dict[str, str]) -> list[str]:
    """Give the packages of the tools that are not there."""
    return sorted({package for tool, package in tools.items() if not present(tool)})


def present(tool: str) -> bool:
    """Say whether a command is in PATH, or a file exists."""
    return Path(tool).exists() if tool.startswith("/") else shutil.which(tool) is not None


def need(tools: dict[str, str], log: Path) -> None:
    """Install what is missing as root on Debian; else TOOL_MISSING with the one command that does."""
    packages = missing(tools)
    if not packages:
        return
    if os.geteuid() or not present("apt-get"):
        raise not_there(packages)
    shell = Shell(log)
    progress = Progress(f"install {' '.join(packages)}", lambda: "")
    shell.run(["apt-get", "-q", "update"], Status.TOOL_MISSING, progress=progress)
    shell.run(
        ["apt-get", "-qy", "install", "--no-install-recommends", *packages], Status.TOOL_MISSING,
        env={"DEBIAN_FRONTEND": "noninteractive"}, progress=progress,
    )
    if missing(tools):
        raise not_there(missing(tools))


def not_there(packages: Iterable[str]) -> LabError:
    """Give the error that names the packages and how to get them."""
    names = " ".join(packages)
    return LabError(Status.TOOL_MISSING, f"these Debian packages are missing: {names}",
                    f"sudo apt-get install --no-install-recommends {names}")
