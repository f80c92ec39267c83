# SPDX-License-Identifier: GPL-2.0-only
"""A made-up repository in a temporary folder, for tests of what works on series/."""

import contextlib
import io
import tempfile
import unittest
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lab.base.errors import LabError, Status
from lab.base.proc import ask
from lab.kernel import bases
from lab.kernel.bases import Series
from lab.kernel.queue import GIT, git_env


def part(name: str, more: str = "", checked: str = "true") -> str:
    return (f'name = "{name}"\npurpose = "its {name}"\nupstream = true\nchecked = {checked}\n'
            f"{more}\n")


def base(name: str, *parts: str, more: str = "") -> str:
    head = f'[bases."{name}"]\npurpose = "x"\npackage = "linux"\nproven = "1"\narch = ["x86_64"]\n'
    return f"{head}{more}\n" + "".join(f'[[bases."{name}".parts]]\n{one}' for one in parts)


class Repository(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)

    def write(self, name: str, text: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def list_bases(self, *tables: str) -> Series:
        self.write("series/bases.toml", "".join(tables))
        return bases.read(self.root)

    def queue(self, folder: str, *patches: tuple[str, str]) -> None:
        """Write a queue below series/: the name and the text of each patch."""
        for name, text in patches:
            self.write(f"series/{folder}/{name}.patch", text)
        self.write(f"series/{folder}/series", "".join(f"{name}.patch\n" for name, _ in patches))

    def git_in(self, tree: Path, *words: str | Path) -> str:
        return ask([*GIT, "-C", tree, *words], Status.NOT_APPLIED, git_env(tree))

    def quietly(self, call: Callable[..., Any], *arguments: Any) -> str:
        with contextlib.redirect_stdout(io.StringIO()) as output:
            call(*arguments)
        return output.getvalue()

    def refused(self, status: Status, words: str, call: Callable[..., Any],
                *arguments: Any) -> None:
        """Call something; expect a LabError with words (a regular expression) in its lines."""
        with self.assertRaises(LabError) as caught:
            self.quietly(call, *arguments)
        self.assertEqual(caught.exception.status, status)
        self.assertRegex(f"{caught.exception.message}\n{caught.exception.advice}", words)
