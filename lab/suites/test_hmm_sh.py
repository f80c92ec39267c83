# SPDX-License-Identifier: GPL-2.0-only
"""selftests' test_hmm.sh with stubs for all that it calls: does its exit status say what ran?

It is not booted: the script runs on this machine.
"""

import os
import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from lab.base.errors import LabError, Status
from lab.base.proc import environment
from lab.judge.verdict import Verdict

NAME = "test_hmm.sh"
# What each mode of the script runs; a mode that the script does not have is left out.
MODES = {"smoke": "hmm-tests", "reap": "hmm_reap_test", "fail_nth": "mmu_notifier_fail_nth",
         "mirror": "hmm-mirror-tests"}
STUB = '#!/bin/sh\necho "${{0##*/}} $*" >> "$CALLS"\n{says}exit {status}\n'
LOAD, UNLOAD = "modprobe test_hmm", "modprobe -r test_hmm"
SKIP = 4  # of kselftest
SECONDS = 60
NO_FAILURE = "no case fails on stock, so the cases prove nothing"


class Case(NamedTuple):
    """Arguments, the status and the calls expected, exit statuses of stubs (0 if not named)."""

    name: str
    words: tuple[str, ...]
    status: int
    calls: tuple[str, ...]
    stubs: Mapping[str, int] = {}
    user: int = 0


def cases(text: str) -> Iterator[Case]:
    for mode, program in MODES.items():
        if f'"$1" = "{mode}"' in text:
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
        made = folder / "calls"
        made.touch()
        for path in ("bin/modprobe", "bin/modinfo", "bin/id", *MODES.values()):
            stub = folder / path
            says = f"echo {case.user}\n" if stub.name == "id" else ""
            stub.write_text(STUB.format(says=says, status=case.stubs.get(stub.name, 0)))
            stub.chmod(0o755)
        env = {**environment({}), "PATH": f"{folder / 'bin'}:{os.defpath}", "CALLS": str(made)}
        done = subprocess.run(["bash", f"./{NAME}", *case.words], cwd=folder, env=env,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS,
                              check=False)
        calls = tuple(line.strip() for line in made.read_text(encoding="utf-8").splitlines()
                      if not re.match(r"(?:id|modinfo)\b", line))
    if (done.returncode, calls) == (case.status, case.calls):
        return ""
    shown, wanted = (", ".join(one) or "no call" for one in (calls, case.calls))
    return f"exits with {done.returncode} after {shown}; expected {case.status} after {wanted}"


def run(src: Path, *, stock: bool = False) -> Verdict | None:
    """Judge the script of a tree, None if it has none.

    All cases pass. On stock, whose script hides failures, some must fail.
    """
    path = next(src.glob(f"tools/testing/selftests/[mv]m/{NAME}"), None)
    if not path:
        return None
    text = path.read_text(encoding="utf-8")
    unknown = sorted(set(re.findall(r'"\$1" = "(\w+)"', text)) - set(MODES))
    if unknown:
        raise LabError(Status.USAGE, f"{NAME} has a mode {unknown[0]} without a test",
                       "name it in MODES of lab/suites/test_hmm_sh.py")
    verdict = Verdict()
    for case in cases(text):
        verdict.outcomes[case.name] = "pass"
        if wrong := run_case(text, case):
            verdict.fail(case.name, wrong)
    if stock:
        return verdict.conclude([], "", [] if verdict.failed() else [NO_FAILURE])
    verdict.unexpected = verdict.failed()
    return verdict.conclude([], "", (f"{name}: {why}" for name, why in verdict.reasons.items()))
