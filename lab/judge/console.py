# SPDX-License-Identifier: GPL-2.0-only
"""The one reader of a kernel's console: whole records, splats, and the case a line belongs to."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

# A console line, without its time stamp, that matches is a splat.
SPLATS = re.compile(
    r"Kernel panic|Oops\b|BUG: |kernel BUG at|WARNING: |INFO: task .* blocked for more than"
    r"|rcu: INFO: .*stall|general protection fault|unable to handle|UBSAN: |KASAN: |KCSAN: "
    r"|Bad page|scheduling while atomic|sleeping function called|soft lockup|hard LOCKUP"
    r"|possible circular locking|possible recursive locking|inconsistent lock state"
    r"|suspicious RCU usage|refcount_t: |list_(add|del) corruption|INFO: trying to register"
)
# The hung-task detector looks every few seconds: its line can follow the case that left the task.
LATE = re.compile(r"INFO: task .* blocked for more than")
# What printk prints before it begins a record again, because another printer took over.
REPLAY = "** replaying previous printk message **"
RECORD = 32  # lines of a record that are compared
LOST = re.compile(r"^\*\* \d+ printk messages dropped \*\*$", re.MULTILINE)
TIME = re.compile(r"^(<\d+>)?\[ *\d+\.\d+\](\[ *[TC]\d+\])? ")
MARK = re.compile(r"mn_kit: (case|end) (\S+)")
CUT = "------------[ cut here ]------------"

Patterns = Iterable[str | re.Pattern[str]]


@dataclass(frozen=True)
class Console:
    """A kernel's log by the kit's markers: (case or "", line without its time), in order."""

    lines: list[tuple[str, str]]
    last_case: str

    @staticmethod
    def parse(text: str) -> "Console":
        """Assign each line to the case that ran when the kernel printed it."""
        lines, case, last = [], "", ""
        for raw in text.splitlines():
            line = TIME.sub("", raw.strip())
            mark = MARK.search(line)
            if mark and mark[1] == "case":
                case = last = mark[2]
            if line:
                lines.append((case, line))
            if mark and mark[1] == "end":
                case = ""
        return Console(lines, last)


def half(before: list[str], record: list[str]) -> int:
    """Count the lines at the end of `before` that are the beginning of `record`.

    Neighbours are often alike, so the nearest line like the first one, or a part of it, counts.
    """
    for size in range(1, min(RECORD, len(before)) + 1):
        whole = "\n".join(record).startswith("\n".join(before[-size:]))
        if before[-size] == record[0] and whole:
            return size
    return int(bool(before) and record[0].startswith(before[-1]))


def whole_records(text: str) -> str:
    """Remove what was printed of a record before it was begun again, and the line of printk.

    Half a line of KTAP is one more result, or hides the subtest that it begins. A record that was
    begun several times is handled from its end, so that each half is compared with the whole.
    """
    lines = text.splitlines()
    for at in reversed([at for at, line in enumerate(lines) if line == REPLAY]):
        begin = at
        # The message itself may be cut.
        while (begin and lines[begin - 1] not in ("", REPLAY)
               and REPLAY.startswith(lines[begin - 1])):
            begin -= 1
        record = lines[at + 1:at + 1 + RECORD]
        begin -= half(lines[max(0, begin - RECORD):begin], record) if record else 0
        del lines[begin:at + 1]
    return "".join(f"{line}\n" for line in lines)


def unusable(console: str) -> str:
    """Give why the absence of a line proves nothing, "" if it does prove something."""
    return lost(console) if console.strip() else "the kernel wrote nothing on its console"


def lost(console: str) -> str:
    """Give how often a console lost messages, "" for never."""
    found = LOST.findall(console)
    return f"the console lost messages {len(found)} times: {found[0]}" if found else ""


def is_splat(line: str, allowed: Patterns = ()) -> bool:
    """Say whether a line is a splat that no pattern allows."""
    return bool(SPLATS.search(line)) and not any(re.search(one, line) for one in allowed)


def splats(console: str, allowed: Patterns = ()) -> list[str]:
    patterns = list(allowed)
    return [line for _, line in Console.parse(console).lines if is_splat(line, patterns)]
