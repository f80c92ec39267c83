# SPDX-License-Identifier: GPL-2.0-only
"""Stations: steps that are skipped while what they depend on has not changed."""

import fcntl
import hashlib
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from lab.errors import LabError, Status
from lab.proc import Shell

NEEDED = 4 << 30  # bytes a tree and its objects may take
ORDER = ("source", "series", "config", "kernel", "kit", "selftests", "initrd", "guest", "kunit")  # then the others by name


COMMANDS = threading.Lock()  # guests of one place run side by side


def key(*parts: str | bytes) -> str:
    """Hash the parts, in order, into a content key."""
    total = hashlib.sha256()
    for part in parts:
        raw = part.encode() if isinstance(part, str) else part
        total.update(f"{len(raw)}:".encode() + raw)
    return total.hexdigest()


def folder_key(folder: Path, built: tuple[str, ...] = ()) -> str:
    """Hash names and contents of all files under a small folder, but of those that are built from others."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not any(path.match(name) for name in built))
    return key(*(key(str(path.relative_to(folder)), path.read_bytes()) for path in files))


def station(place: Path, name: str, identity: str, makes: Path, work: Callable[[Shell], None]) -> bool:
    """Do the work unless `makes` exists and was made under the same identity; say whether it ran.

    The stamp place/.done/<name> holds the identity and the commands. It is taken away
    first and written last, so a step cut short is done again.
    """
    stamp = place / ".done" / name
    if makes.exists() and stamp.exists() and stamp.read_text().partition("\n")[0] == identity:
        return False
    stamp.parent.mkdir(parents=True, exist_ok=True)
    stamp.unlink(missing_ok=True)
    shell = Shell(place / f"{name}.log")
    shell.log.unlink(missing_ok=True)
    try:
        work(shell)
    finally:
        write_commands(place, {name: shell.commands})
    write_atomic(stamp, "\n".join([identity, *shell.commands, ""]))
    write_commands(place, {})
    return True


def write_commands(place: Path, running: dict[str, list[str]]) -> None:
    """Collect the commands of all stations of a place in commands.txt."""
    with COMMANDS:
        collect_commands(place, running)


def collect_commands(place: Path, running: dict[str, list[str]]) -> None:
    """Do so while no other guest of the place does."""
    lines: list[str] = []
    others = {path.name for path in (place / ".done").glob("*")} | set(running)
    for name in (*ORDER, *sorted(others - set(ORDER))):
        stamp = place / ".done" / name
        commands = running.get(name) or (stamp.read_text().splitlines()[1:] if stamp.exists() else [])
        if commands:
            lines += [f"# {name}", *commands, ""]
    write_atomic(place / "commands.txt", "\n".join(lines))


def write_atomic(path: Path, text: str) -> None:
    """Write a file so that it is there whole or not at all."""
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def need_space(folder: Path) -> None:
    """Raise DISK_FULL unless a tree and its objects still fit."""
    free = shutil.disk_usage(folder).free
    if free < NEEDED:
        raise LabError(Status.DISK_FULL, f"{folder} has {free >> 20} MiB free, a build needs {NEEDED >> 20}")


@contextmanager
def lock(place: Path) -> Iterator[None]:
    """Hold a base's folder; LOCKED, naming the holder, when somebody else does."""
    place.mkdir(parents=True, exist_ok=True)
    with (place / ".lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise LabError(Status.LOCKED, f"{place} is in use by process {file.read().strip() or '?'}") from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield
