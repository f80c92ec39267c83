# SPDX-License-Identifier: GPL-2.0-only
"""Readers of the plain data files: one row a line, `#` begins a comment line."""

import re
from collections.abc import Iterator
from pathlib import Path

from lab.base.errors import LabError, Status

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = ROOT / "lab/configs"


def rows(path: Path, form: str = "", least: int = 1,
         blank: str = r"\s+") -> Iterator[tuple[str, list[str]]]:
    """Yield ("file:line", words) of every line that is neither empty nor a comment.

    A line with fewer than `least` words does not have the form.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise LabError(Status.USAGE, f"{path} does not exist") from None
    for number, line in enumerate(text.splitlines(), 1):
        words = re.split(blank, line.strip())
        if words[0] and not words[0].startswith("#"):
            if len(words) < least:
                raise malformed(f"{path}:{number}", form)
            yield f"{path}:{number}", words


def malformed(where: str, form: str) -> LabError:
    return LabError(Status.USAGE, f"{where}: the line has to be {form}")


def pattern(where: str, text: str) -> re.Pattern[str]:
    """Compile a regular expression of a data file; USAGE, naming the line, if it is none."""
    try:
        return re.compile(text)
    except re.error as error:
        raise LabError(Status.USAGE, f"{where}: {text}: {error}") from None


def slugs(word: str) -> tuple[str, ...]:
    return () if word == "-" else tuple(word.split(","))


def slug(patch: str) -> str:
    """Give the slug of a patch file name: "0001-foo.patch" is "foo"."""
    return re.sub(r"^\d+-|\.patch$", "", patch)
