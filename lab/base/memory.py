# SPDX-License-Identifier: GPL-2.0-only
"""The lab's one memory: what was made or found, under a key of all that it depends on.

A note is FOLDER/NAME.json: its key, a result, and the commands that led to it. The key is a hash
of every input; a note with another key counts as none.
"""

import fcntl
import hashlib
import json
import os
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lab.base.errors import LabError, Status
from lab.base.proc import Shell

NEEDED = 4 << 30  # bytes that a tree and its objects may take
NOTES = ".done"  # the folder of a place's notes
COMMANDS = threading.Lock()  # commands.txt of one place is written by several threads


def key(*parts: str | bytes) -> str:
    total = hashlib.sha256()
    for part in parts:
        raw = part.encode() if isinstance(part, str) else part
        total.update(f"{len(raw)}:".encode() + raw)
    return total.hexdigest()


def folder_key(folder: Path, ignored: Iterable[str] = ()) -> str:
    """Hash names and contents of the files below a folder, without those that match `ignored`."""
    files = [path for path in sorted(folder.rglob("*"))
             if path.is_file() and not any(path.match(name) for name in ignored)]
    return key(*(key(str(path.relative_to(folder)), path.read_bytes()) for path in files))


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Memory:
    """The notes in one folder; `used` names those that were asked for or written."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.used: set[str] = set()

    def path(self, name: str) -> Path:
        return self.folder / f"{name}.json"

    def recall(self, name: str, wanted: str) -> Any | None:
        """Give the result kept under this key, None for nothing or another key."""
        self.used.add(name)
        note = read_json(self.path(name))
        return note["result"] if note.get("key") == wanted else None

    def keep(self, name: str, wanted: str, result: Any, commands: Sequence[str] = ()) -> None:
        """Keep a result, which is JSON and not null."""
        self.used.add(name)
        write_json(self.path(name), {"key": wanted, "result": result, "commands": list(commands)})

    def forget(self, name: str) -> None:
        self.path(name).unlink(missing_ok=True)

    def sweep(self) -> None:
        for path in self.folder.glob("*.json"):
            if path.stem not in self.used:
                path.unlink()


def step(place: Path, name: str, wanted: str, makes: Path, work: Callable[[Shell], None]) -> bool:
    """Do the work unless `makes` exists and was made under this key; say whether it ran.

    The note is removed first and written last, so a step that was cut short runs again. The
    commands of all steps of a place are in its commands.txt.
    """
    memory = Memory(place / NOTES)
    if makes.exists() and memory.recall(name, wanted):
        return False
    memory.forget(name)
    shell = Shell(place / f"{name}.log")
    shell.log.unlink(missing_ok=True)
    try:
        work(shell)
    finally:
        write_commands(place, name, shell.commands)
    memory.keep(name, wanted, True, shell.commands)
    return True


def write_commands(place: Path, running: str, commands: Sequence[str]) -> None:
    """Collect the commands of a place's steps in commands.txt, those of `running` last."""
    lines: list[str] = []
    with COMMANDS:
        notes = sorted((place / NOTES).glob("*.json"), key=lambda path: path.stat().st_mtime_ns)
        for path in notes:
            if path.stem != running:
                done = read_json(path)["commands"]
                lines += [f"# {path.stem}", *done, ""] if done else []
        lines += [f"# {running}", *commands, ""]
        write_atomic(place / "commands.txt", "\n".join(lines))


def write_atomic(path: Path, text: str) -> None:
    """Write a file so that it is there whole or not at all."""
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: Path, data: Any) -> None:
    """Write JSON, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, json.dumps(data, indent=1) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """Read an object, {} if the file is missing or damaged."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return {}
    return found if isinstance(found, dict) else {}


def need_space(folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if free < NEEDED:
        words = f"{folder} has {free >> 20} MiB free, a build needs {NEEDED >> 20}"
        raise LabError(Status.DISK_FULL, words)


@contextmanager
def lock(place: Path) -> Iterator[None]:
    """Hold a base's folder; LOCKED, naming the holder, when another process does."""
    place.mkdir(parents=True, exist_ok=True)
    with (place / ".lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip() or "?"
            raise LabError(Status.LOCKED, f"{place} is in use by process {holder}") from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield
