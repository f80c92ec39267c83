# SPDX-License-Identifier: GPL-2.0-only
"""The verb `judge-mutants`: mutations of the judge; a unit test must catch each one."""

import re
import shutil
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

from lab.base import memory
from lab.base.data import ROOT
from lab.base.errors import LabError, Status
from lab.base.memory import Memory, key
from lab.base.proc import environment, parallel
from lab.kernel.bases import Stack
from lab.kernel.tree import Mutant
from lab.verbs import mutants
from lab.verbs.context import Context

LIST = mutants.FOLDER / "judge"
SECONDS = 300
# What the judge's tests need.
FOLDERS = ("lab", "kit", "intree", "series/5.3", "proof/soak", "proof/bench")
FAILED = re.compile(r"^(?:FAIL|ERROR): (\S+)", re.MULTILINE)


def tests() -> list[str]:
    """Give the modules with the judge's tests: those below lab/tests/judge."""
    return sorted(f"lab.tests.judge.{path.stem}"
                  for path in (ROOT / "lab/tests/judge").glob("test_*.py"))


def killer(mutant: Mutant | None) -> str:
    """Run the judge's tests on a mutated copy; name the first that fails, "" for none."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        for folder in FOLDERS:
            shutil.copytree(ROOT / folder, root / folder,
                            ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copyfile(ROOT / "series/bases.toml", root / "series/bases.toml")
        if mutant:
            path = root / mutant.file
            path.write_text(mutant.changed(path.read_text(encoding="utf-8")), encoding="utf-8")
        done = subprocess.run([sys.executable, "-B", "-m", "unittest", "-f", *tests()], cwd=root,
                              env=environment({}), stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=SECONDS, check=False)
    if not done.returncode:
        return ""
    failed = FAILED.search(done.stderr)
    if not failed or "_FailedTest" in done.stderr:  # a module that cannot be imported
        raise LabError(Status.NO_RESULT, "the judge's tests did not run", detail=done.stderr)
    return failed[1]


def run(context: Context, _stack: Stack) -> None:
    """Test each mutant of the judge, or that of MUTANT=; print what caught it."""
    chosen = {one.name: one for one in mutants.chosen(context, LIST)}
    kept = Memory(context.build / "judge-mutants")
    wanted = key(LIST.read_text(encoding="utf-8"), sys.version, *chosen,
                 *(memory.folder_key(ROOT / folder, ("*.pyc",)) for folder in FOLDERS))
    found: dict[str, str] | None = kept.recall("killed", wanted)
    if not found:
        if reason := killer(None):
            raise LabError(Status.TEST_FAILED, f"{reason} fails without a mutant")
        found = parallel({name: partial(killer, one) for name, one in chosen.items()})
    for name, test in found.items():
        print(f"  {f'killed by {test}' if test else 'SURVIVED'}: {name}")
        if test:
            context.tally.passed += 1
        else:
            context.tally.fail(Status.TEST_FAILED, f"mutant {name} of the judge survived")
    if all(found.values()):
        kept.keep("killed", wanted, found)
    print(f"{sum(map(bool, found.values()))} of {len(found)} mutants of the judge killed")
