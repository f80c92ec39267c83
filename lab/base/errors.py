# SPDX-License-Identifier: GPL-2.0-only
"""What can end a command: one exit status, one meaning and one piece of advice each."""

from enum import IntEnum


class Status(IntEnum):
    """The exit statuses."""

    meaning: str
    advice: str

    def __new__(cls, number: int, meaning: str, advice: str) -> "Status":
        one = int.__new__(cls, number)
        one._value_, one.meaning, one.advice = number, meaning, advice
        return one

    OK = 0, "everything as expected", "nothing to do"
    TEST_FAILED = 1, "a test failed", (
        "fix what is named above; a boot's results.log has the reason, its console.log the "
        "kernel's messages")
    USAGE = 2, "bad usage or bad input file", (
        "correct the line named above; `make help` lists the verbs")
    NO_SOURCE = 3, "no kernel source", (
        "run `apt-get update` as root, or name a kernel tree with TREE=DIR")
    NOT_APPLIED = 4, "the series did not apply, or does not match its folder", (
        "refresh the named patch against this tree (series/README.md), or choose another BASE")
    NOT_BUILT = 5, "kernel, kit or init did not build", (
        "read the end of the log named above; commands.txt next to it has the commands to repeat")
    GUEST = 6, "the guest hung, crashed or printed a splat", (
        "read the boot's console.log from the line named above on")
    NO_RESULT = 7, "no complete result", (
        "read the end of the boot's results.log and console.log; an empty or cut log is never a "
        "pass")
    TOOL_MISSING = 8, "a tool is missing", (
        "install the packages named above and run the same command again")
    DISK_FULL = 9, "the disk is full", (
        "free some space (`make clean` removes build/) and run the command again")
    LOCKED = 10, "another run uses this base", (
        "wait for the process named above to end, or stop it")
    INTERRUPTED = 130, "interrupted", "run the same command again; finished steps are kept"


class LabError(Exception):
    """Ends the command with a status; `detail` is printed before the message."""

    def __init__(self, status: Status, message: str, advice: str = "", detail: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.advice = advice or status.advice
        self.detail = detail


def exit_table() -> str:
    return "\n".join(f"  {status.value:>3}  {status.meaning}" for status in Status)
