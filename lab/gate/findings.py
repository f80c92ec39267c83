# SPDX-License-Identifier: GPL-2.0-only
"""What tools complain about, and which of these findings a patch adds."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from lab.base.errors import LabError, Status
from lab.base.memory import Memory, key
from lab.base.proc import Shell

K = TypeVar("K")
Words = list[str | Path]
# "findings": lines of output. "checked": files or objects. With "failed", the result is not kept.
Found = dict[str, list[str]]
# A finding of a compiler, sparse, objtool, kernel-doc, kconfig or spatch has one of these.
FINDING = re.compile(r"\b(?:warning|error)\b ?:|\((?:WARNING|ERROR|SEVERE)/\d\)|^\S+:\d+:\d+-\d+:",
                     re.IGNORECASE)
# Not findings: a command, make's own errors, and what Sphinx knows and docutils does not. Debian's
# sparse cannot read MODULE_LICENSE() of 7.3; the compiler rejects a real bad constant.
NOISE = re.compile(r"^\+ |^make\b|: \*\*\*|Unknown directive type|Unknown interpreted text role"
                   r"|No (?:role|directive) entry|error: bad constant expression")
VERSION = key(FINDING.pattern, NOISE.pattern)  # of what is kept


def findings(output: str) -> list[str]:
    """Give the findings in what a tool printed, with paths as the tree has them."""
    lines = (re.sub(r"^(?:\.\./)+", "", line.strip()) for line in output.splitlines())
    return [line for line in lines if FINDING.search(line) and not NOISE.search(line)]


def heard(log: Path, commands: Iterable[Words], failure: Status, cwd: Path | None = None,
          env: Mapping[str, str] | None = None) -> tuple[list[str], LabError | None]:
    """Run commands; give the findings in their log, and the last failure."""
    shell, failed = Shell(log), None
    log.touch()
    for argv in commands:
        try:
            shell.run(argv, failure, cwd=cwd, env=env)
        except LabError as error:
            if error.status != failure:
                raise
            failed = error
    return findings(log.read_text(encoding="utf-8", errors="replace")), failed


def unplaced(finding: str) -> str:
    """Give a finding without line numbers and offsets: they change when code moves."""
    bare = re.sub(r":\d+(?::\d+)?(?:-\d+)?(?=[:\s])", "", finding)
    return re.sub(r"\b(lines?) \d+|\+0x[0-9a-f]+(?:/0x[0-9a-f]+)?", r"\1", bare)


def known(memory: Memory, keys: Mapping[K, str],
          make: Callable[[list[K]], dict[K, Found]]) -> dict[K, Found]:
    """Recall the results under these keys. Make and keep those that are missing."""
    found: dict[K, Found] = {item: result for item, wanted in keys.items()
                             if (result := memory.recall(wanted, wanted)) is not None}
    missing = [item for item in keys if item not in found]
    made = make(missing) if missing else {}
    for item in (item for item in made if not made[item].get("failed")):
        memory.keep(keys[item], keys[item], made[item])
    return found | made


@dataclass
class Line:
    """A line of the report: one kind of check on all patches."""

    title: str
    not_run: str = ""  # why
    new: list[str] = field(default_factory=list)
    seen: Counter[str] = field(default_factory=Counter)
    patches: int = 0
    checked: int = 0

    def add(self, patch: str, results: Sequence[Found]) -> None:
        """Add the results at a state. Findings at stock, which has no patch, are not new."""
        shown = {unplaced(line): line for one in results for line in one["findings"]}
        count = Counter(unplaced(line) for one in results for line in one["findings"])
        if patch:
            self.new += [f"{patch}: {shown[bare]}" for bare in count - self.seen]
            checked = sum(len(one["checked"]) for one in results)
            self.patches += checked > 0
            self.checked += checked
        self.seen |= count

    def __str__(self) -> str:
        outcome = f"{len(self.new)} NEW" if self.new else "nothing new"
        counts = f"{self.patches} patches, {self.checked} checked, {outcome}"
        return f"{self.title}: " + (f"not run: {self.not_run}" if self.not_run else counts)
