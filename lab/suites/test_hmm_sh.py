# SPDX-License-Identifier: GPL-2.0-only
"""selftests' test_hmm.sh with stubs for all that it calls: does its exit status say what ran?

It is not booted: the script runs on this machine.
"""

import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from lab.base.errors import LabError, Status
from lab.base.proc import environment
from lab.judge.verdict import Verdict

NAME = "test_hmm.sh"
# What each mode of the script runs; a mode that the script does not have is left out.
MODES = {"smoke": "hmm-tests", "reap": "hmm_reap_test", "fail_nth": "mmu_notifier_fail_nth",
         "mirror": "hmm-mirror-tests"}
STUB = '#!/bin/sh\necho "${{0##*/}} $*" >> "$CALLS"\n{said}exit {status}\n'
LOAD, UNLOAD = "modprobe test_hmm", "modprobe -r test_hmm"
SKIP = 4  # of kselftest
SECONDS = 60


@dataclass(frozen=True)
class Case:
    """Arguments, exit statuses of stubs (0 if not named), and the status and calls expected."""

    name: str
    words: tuple[str, ...]
    status: int
    calls: tuple[str, ...]
    stubs: dict[str, int] = field(default_factory=dict)
    user: int = 0


def cases(text: str) -> Iterator[Case]:
    """Give the cases of a script, by the modes it has."""
    for mode, program in MODES.items():
        if f'"$1" = "{mode}"' not in text:
            continue
        whole = (LOAD, program, UNLOAD)
        yield Case(f"{mode}_passes", (mode,), 0, whole)
        yield Case(f"{mode}_fails", (mode,), 1, whole, {program: 1})
        yield Case(f"{mode}_is_skipped", (mode,), SKIP, whole, {program: SKIP})
        yield Case(f"{mode}_cannot_load", (mode,), 1, (LOAD, UNLOAD), {"modprobe": 1})
    spm = ("smoke", "0x1", "0x2")
    load = f"{LOAD} spm_addr_dev0=0x1 spm_addr_dev1=0x2"
    yield Case("smoke_with_addresses_passes", spm, 0, (load, "hmm-tests", UNLOAD))
    yield Case("smoke_with_addresses_cannot_load", spm, 1, (load, UNLOAD), {"modprobe": 1})
    yield Case("smoke_with_one_address", spm[:2], 1, (UNLOAD,))
    yield Case("unknown_mode", ("smoek",), 1, ())
    yield Case("help", (), 0, ())
    yield Case("no_module", ("smoke",), SKIP, (), {"modinfo": 1})
    yield Case("not_root", ("smoke",), SKIP, (), user=1000)


def run_case(script: str, case: Case) -> str:
    """Run the script in a folder of its own; give what is wrong, "" for nothing."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / NAME).write_text(script, encoding="utf-8")
        (folder / "bin").mkdir()
        for stub in ("modprobe", "modinfo", "id", *MODES.values()):
            path = folder / (stub if stub in MODES.values() else f"bin/{stub}")
            said = f"echo {case.user}\n" if stub == "id" else ""
            path.write_text(STUB.format(said=said, status=case.stubs.get(stub, 0)))
            path.chmod(0o755)
        env = {**environment({}), "PATH": f"{folder / 'bin'}:{os.defpath}",
               "CALLS": str(folder / "calls")}
        done = subprocess.run(["bash", f"./{NAME}", *case.words], cwd=folder, env=env,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS,
                              check=False)
        made = folder / "calls"
        lines = made.read_text(encoding="utf-8").splitlines() if made.exists() else []
    calls = tuple(line.strip() for line in lines if not re.match(r"(?:id|modinfo)\b", line))
    if (done.returncode, calls) == (case.status, case.calls):
        return ""
    shown, wanted = (", ".join(one) or "no call" for one in (calls, case.calls))
    return f"exits with {done.returncode} after {shown}; expected {case.status} after {wanted}"


def run(src: Path, *, stock: bool = False) -> Verdict | None:
    """Judge the script of a tree, None if it has none.

    All cases pass. On stock, whose script hides failures, some must fail.
    """
    paths = sorted(src.glob(f"tools/testing/selftests/[mv]m/{NAME}"))
    if not paths:
        return None
    text = paths[0].read_text(encoding="utf-8")
    unknown = sorted(set(re.findall(r'"\$1" = "(\w+)"', text)) - set(MODES))
    if unknown:
        raise LabError(Status.USAGE, f"{NAME} has a mode {unknown[0]} without a test",
                       "name it in MODES of lab/suites/test_hmm_sh.py")
    verdict = Verdict()
    for case in cases(text):
        wrong = run_case(text, case)
        verdict.outcomes[case.name] = "fail" if wrong else "pass"
        if wrong:
            verdict.reasons[case.name] = wrong
    if stock:
        nothing = [] if verdict.failed() else ["no case fails on stock, so the cases prove nothing"]
        return verdict.conclude([], "", nothing)
    verdict.unexpected = verdict.failed()
    return verdict.conclude([], "", [f"{name}: {verdict.reasons[name]}"
                                     for name in verdict.unexpected])
