# SPDX-License-Identifier: GPL-2.0-only
"""The suite of `field`: the kit on a Debian system under systemd, on usual and unusual machines."""

import re
import shlex
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lab.base import memory
from lab.base.errors import Status
from lab.base.memory import key
from lab.base.proc import Shell
from lab.engines.boot import INITRD, Machine
from lab.judge.console import splats, unusable
from lab.judge.ktap import Plan, not_whole, read
from lab.judge.verdict import STOCK, Logs, Verdict
from lab.kernel.debian import PLACE, SYSTEM
from lab.kernel.kernel import Kernel
from lab.suites.kit import Cases
from lab.suites.suite import KIT, Expect, Files, Suite

SCRIPT = Path(__file__).with_suffix(".sh")
# Lines of no more importance than a warning stay in the buffer, as on a distribution's console.
APPEND = ("loglevel=6 log_buf_len=16M reboot=t panic=-1 "
          "systemd.unit=field.service systemd.show_status=no")
UNIT = """\
[Unit]
Description=The conformance kit
[Service]
Type=oneshot
ExecStart=/field {boot}
ExecStopPost=/bin/sh -c 'sleep 1; systemctl reboot -ff >/dev/null 2>&1'
StandardOutput=file:/dev/ttyS1
StandardError=inherit
TimeoutStartSec=infinity
KillMode=process
OOMPolicy=continue
"""
# The root cgroup hands down no memory controller, so that one the kit leaves is seen.
MANAGER = "[Manager]\nDefaultMemoryAccounting=no\n"
SECONDS, LINES = 30.0, 500  # of safe mode, on an affected machine

# By boot its words for the kernel, and the machines in their order. What has to come out of
# each: TRUTH, the verdict that is right; UNKNOWN, or no verdict but not the wrong one; else the
# exit status and what the run says.
TRUTH, UNKNOWN = "truth", "unknown"
SIGNED = "3 signed modules only (.|\n)*sign-file"
BOOTS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "safe": ("", {
        "usual": TRUTH, "one-cpu": UNKNOWN, "little-memory": UNKNOWN, "pid-namespace": TRUTH,
        "user-namespace": "3 user namespace .* run it on the host",
        "second-run": "3 another run is under way", "first-run": TRUTH,
        "ctrl-c": "130 there is a cgroup", "killed-program": "137 there is a cgroup",
        "killed-run": "137 there is a cgroup", "ptrace-scope-3": UNKNOWN}),
    "all": ("", {"usual": TRUTH}),
    "lockdown": ("lockdown=integrity", {"usual": SIGNED}),
    "sig-enforce": ("module.sig_enforce=1", {"usual": SIGNED})}
STATUSES = {"affected": 1, "not-affected": 0, "unknown": 4}
FACTS = re.compile(r"field: (\S+) status=(\d+) from=([\d.]+) to=([\d.]+) lines=(-?\d+) (.*)")
VERDICT = re.compile(r"# mn-kit verdict=(\S+) .*?pass=(\d+) fail=(\d+) skip=(\d+)$", re.MULTILINE)


@dataclass(frozen=True)
class End:
    """How a run on a machine ended: what it printed, and the facts after it."""

    text: str
    status: int
    seconds: float
    lines: int  # in the kernel's log
    left: str

    @property
    def verdict(self) -> tuple[str, ...]:
        """Give the verdict, and the counts of pass, fail and skip."""
        found = VERDICT.search(self.text)
        return found.groups() if found else ("none", "0", "0", "0")


NO_END = End("", -1, 0.0, 0, "")


@dataclass(frozen=True)
class Run:
    """What the guest's script wrote: the state before, and the ends by machine."""

    clean: str
    ends: dict[str, End]
    incomplete: str


def parse(text: str, boot: str) -> Run:
    """Read results; those that are cut, or lack a machine, are incomplete."""
    text = text.replace("\r", "")
    head = re.match(rf"field: {boot} on \S+ (.*)\n", text)
    wrong = not_whole(text, "field: end")
    if not head:
        wrong = wrong or "the results do not begin with the state of the machine"
    wanted, ends = BOOTS[boot][1], {}
    for name, body in re.findall(r"^field: (\S+) begins\n(.*?)(?=^field: \S+ begins$|\Z)", text,
                                 re.MULTILINE | re.DOTALL):
        facts = re.search(rf"^{FACTS.pattern}$", body, re.MULTILINE)
        if facts and facts[1] == name and name in wanted and name not in ends:
            ends[name] = End(body[:facts.start()], int(facts[2]),
                             float(facts[4]) - float(facts[3]), int(facts[5]), facts[6])
    if [*ends] != [*wanted]:
        absent = ", ".join(name for name in wanted if name not in ends)
        wrong = wrong or f"no whole run on: {absent or 'the machines in their order'}"
    return Run(head[1] if head else "", ends, wrong)


class Field(Suite):
    """One boot of `field`: a kernel is affected where STOCK is expected, else cured."""

    builds = KIT
    seconds = 900.0

    def __init__(self, boot: str, cases: Cases) -> None:
        self.boot, self.cases = boot, cases
        self.name = f"field-{boot}"
        self.machine = Machine(memory=2048, append=APPEND)

    def words(self) -> str:
        return BOOTS[self.boot][0]

    def judge(self, logs: Logs, expect: Expect) -> Verdict:
        run = parse(logs.results, self.boot)
        affected = expect.kernel == STOCK
        verdict = Verdict(outcomes=dict.fromkeys(run.ends, "pass"))
        guest = [] if logs.ended else ["the guest hung and was stopped"]
        if not (affected and self.boot == "all"):
            announced = [case.reports for case in self.cases.values()
                         if case.reports and self.boot == "all"]
            guest += [f"splat: {line}" for line in splats(logs.console, announced)]
        found = []
        for name, end in run.ends.items():
            wrong = self.wrong(name, end, affected)
            if end.left != run.clean and not (affected and self.boot == "all"):
                wrong.append(f"left behind: {end.left}, before: {run.clean}")
            if wrong:
                verdict.fail(name, "; ".join(wrong))
                found.append(verdict.deviates(name, "pass"))
        if "memory" in run.clean:
            found.append("the root cgroup hands down memory before the kit does")
        return verdict.conclude(guest, unusable(logs.console) or run.incomplete, found)

    def wrong(self, name: str, end: End, affected: bool) -> list[str]:
        """Name what is wrong with the verdict, the exit status or the numbers of one run."""
        wanted, word = BOOTS[self.boot][1][name], end.verdict[0]
        truth = "affected" if affected else "not-affected"
        if wanted not in (TRUTH, UNKNOWN):
            status, words = wanted.split(" ", 1)
            fine = end.status == int(status) and re.search(words, end.text) and word == "none"
            return [] if fine else [f"exit status {end.status}, verdict {word}, not {wanted}"]
        found = []
        if word != truth and not (wanted == UNKNOWN and word == "unknown"):
            found.append(f"verdict {word}, not {truth}")
        if end.status != STATUSES.get(word):
            found.append(f"exit status {end.status} with verdict {word}")
        if self.boot == "safe" and end.seconds > SECONDS:
            found.append(f"{end.seconds:.1f} s, not at most {SECONDS:.0f}")
        if self.boot == "safe" and end.lines > LINES:
            found.append(f"{end.lines} lines logged, not at most {LINES}")
        return found + self.cases_wrong(end, affected)

    def cases_wrong(self, end: End, affected: bool) -> list[str]:
        """Name the cases with an outcome that this kernel cannot have, and cut KTAP."""
        results = read(end.text, Plan.FIRST)
        found = []
        for name, outcome in results.outcomes.items():
            bug = affected and name in self.cases and self.cases[name].stock == "fail"
            if outcome == ("pass" if bug else "fail"):
                found.append(f"{name}: {outcome} ({results.reasons[name]})")
        return found + ([results.incomplete] if results.incomplete else [])

    # Its initrd

    def contents(self, kernel: Kernel) -> Files:
        return {**super().contents(kernel), "/kit/run": kernel.place / "kit/run"}

    def initrd(self, place: Path, kernel: Kernel, contents: Files) -> None:
        """Append to the Debian system an archive with the kit, the script and its unit."""
        whole = kernel.source.place.parent / PLACE / SYSTEM
        own = {"init": b"/lib/systemd/systemd", "field": SCRIPT.read_bytes(),
               "etc/systemd/system/field.service": UNIT.format(boot=self.boot).encode(),
               "etc/systemd/system.conf.d/field.conf": MANAGER.encode(),
               "etc/machine-id": b"0123456789abcdef0123456789abcdef\n",
               **{name.lstrip("/"): path.read_bytes() for name, path in contents.items()}}
        archive = newc(own)

        def work(shell: Shell) -> None:
            (place / "own.cpio").write_bytes(archive)
            words = shlex.join(["cat", str(whole.absolute()), "own.cpio"])
            shell.run(["sh", "-c", f"{words} > partial && mv partial {INITRD}"],
                      Status.NOT_BUILT, cwd=place)

        memory.step(place, "initrd", key(memory.digest(whole), archive), place / INITRD, work)


def newc(files: Mapping[str, bytes]) -> bytes:
    """Give a cpio archive (Documentation/driver-api/early-userspace/buffer-format.rst).

    `init` is a symbolic link; folders come before what is in them.
    """
    folders = {str(parent) for name in files for parent in Path(name).parents} - {"."}
    entries = [(name, stat.S_IFDIR | 0o755, b"") for name in sorted(folders)]
    entries += [(name, stat.S_IFLNK | 0o777 if name == "init" else stat.S_IFREG | 0o755, text)
                for name, text in files.items()]
    made = b""
    for number, (name, mode, text) in enumerate([*entries, ("TRAILER!!!", 0, b"")], 1):
        fields = (number, mode, 0, 0, 1, 0, len(text), 0, 0, 0, 0, len(name) + 1, 0)
        made += b"070701" + b"".join(f"{field:08X}".encode() for field in fields)
        made += pad(name.encode() + b"\0", 2) + pad(text)
    return made


def pad(text: bytes, header: int = 0) -> bytes:
    """Fill up to a multiple of 4; a header has 110 bytes, 2 more than one."""
    return text + bytes(-(len(text) + header) % 4)
