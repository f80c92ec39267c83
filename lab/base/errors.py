# SPDX-License-Identifier: GPL-2.0-only
"""What can end a command: one exit status, one meaning and one piece of advice each."""

from enum import IntEnum


class Status(IntEnum):
    """The exit statuses."""

    OK = 0
    TEST_FAILED = 1
    USAGE = 2
    NO_SOURCE = 3
    NOT_APPLIED = 4
    NOT_BUILT = 5
    GUEST = 6
    NO_RESULT = 7
    TOOL_MISSING = 8
    DISK_FULL = 9
    LOCKED = 10
    INTERRUPTED = 130


MEANING = {
    Status.OK: "everything as expected",
    Status.TEST_FAILED: "a test failed",
    Status.USAGE: "bad usage or bad input file",
    Status.NO_SOURCE: "no kernel source",
    Status.NOT_APPLIED: "the series did not apply, or does not match its folder",
    Status.NOT_BUILT: "kernel, kit or init did not build",
    Status.GUEST: "the guest hung, crashed or printed a splat",
    Status.NO_RESULT: "no complete result",
    Status.TOOL_MISSING: "a tool is missing",
    Status.DISK_FULL: "the disk is full",
    Status.LOCKED: "another run uses this base",
    Status.INTERRUPTED: "interrupted"}

ADVICE = {
    Status.OK: "nothing to do",
    Status.TEST_FAILED: "fix what is named above; a boot's results.log has the reason, "
                        "its console.log the kernel's messages",
    Status.USAGE: "correct the line named above; `make help` lists the verbs",
    Status.NO_SOURCE: "run `apt-get update` as root, or name a kernel tree with TREE=DIR",
    Status.NOT_APPLIED: "refresh the named patch against this tree (series/README.md), "
                        "or choose another BASE",
    Status.NOT_BUILT: "read the end of the log named above; commands.txt next to it "
                      "has the commands to repeat",
    Status.GUEST: "read the boot's console.log from the line named above on",
    Status.NO_RESULT: "read the end of the boot's results.log and console.log; "
                      "an empty or cut log is never a pass",
    Status.TOOL_MISSING: "install the packages named above and run the same command again",
    Status.DISK_FULL: "free some space (`make clean` removes build/) and run the command again",
    Status.LOCKED: "wait for the process named above to end, or stop it",
    Status.INTERRUPTED: "run the same command again; finished steps are kept"}


class LabError(Exception):
    """Ends the command with a status; `detail` is printed before the message."""

    def __init__(self, status: Status, message: str, advice: str = "", detail: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.advice = advice or ADVICE[status]
        self.detail = detail


def exit_table() -> str:
    return "\n".join(f"  {status.value:>3}  {MEANING[status]}" for status in Status)
