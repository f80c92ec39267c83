# SPDX-License-Identifier: GPL-2.0-only
"""Bases that no package brings: TREE=DIR gives the kernel, the series itself the tests.

The kit does not know so old a kernel. What judges it is the selftest that the series adds; series/<base>/cases
says what comes of it. Flavour stock is the series without the patches that cure a case there.
"""

import json
import re
import shutil
from pathlib import Path

from lab import host, kbuild, report, results, series, station, vm
from lab.data import read_cases, slug
from lab.errors import LabError, Status
from lab.job import ROOT, Job
from lab.proc import Shell

PROGRAM = Path("tools/testing/selftests/vm/hmm-mirror-tests.c")
WORDS = f"{vm.NO_KUNIT} lab.run=/{PROGRAM.stem}"
NOTE = (f" With TREE=DIR; the cases are those of {PROGRAM.stem}, and stock is the series without its fixes: "
        "the tests need its interface.")
# What the old harness prints
PLAN = re.compile(r"\[=+\] Running (\d+) tests from")
RESULT = re.compile(r"\[ +(OK|FAIL) \] (?:global|hmm_mirror)\.(\S+)$")
REMARK = re.compile(r"\S+:\d+:(?:global|hmm_mirror)\.(\w+):(.*)$")
# A wrong code is reported on purpose: the message, and the warning behind it. The tests count them themselves.
REPORT = re.compile(r"test_mirror_(?:sync|start).* returned -?\d+ for a ")
# What the unpatched code says of the same; not looked at on a kernel that lacks a patch.
OLD_REPORT = re.compile(r"WARNING: .* at \S*mm/(?:hmm|mmu_notifier)\.c:")


def as_tap(text: str) -> str:
    """Write the old harness's results as the kit would."""
    lines: list[str] = []
    remarks: dict[str, str] = {}
    number = 0
    for line in (line.rstrip("\r") for line in text.splitlines()):
        plan, result, remark = PLAN.match(line), RESULT.match(line), REMARK.match(line)
        if plan:
            lines.append(f"1..{plan[1]}")
        elif remark:
            remarks.setdefault(remark[1], remark[2])
        elif result:
            number += 1
            said = remarks.get(result[2], "")
            word = "ok" if result[1] == "OK" else "not ok"
            lines.append(f"{word} {number} {result[2]}" + (f" # {said}" if said else ""))
        elif line.startswith("lab: "):
            lines.append(line.replace(f"lab: {PROGRAM.stem} ", "lab: kit "))
    return "".join(f"{line}\n" for line in lines) if text.endswith("\n") else text


def without_reports(console: str, flavour: str) -> str:
    """Leave the reports out that the tests provoke."""
    kept, report_begun = [], False
    for line in console.splitlines():
        warning = "WARNING: " in line
        if not (report_begun and warning or flavour != results.PATCHED and OLD_REPORT.search(line)):
            kept.append(line)
        report_begun = bool(REPORT.search(line)) or (report_begun and not warning)
    return "\n".join(kept)


class Mirror:
    """The stations of such a base."""

    def __init__(self, job: Job) -> None:
        if not job.tree:
            raise LabError(Status.NO_SOURCE, f"{job.base.name}: not run: needs TREE=DIR",
                           f"no package brings this kernel: make ... BASE={job.base.name} TREE=DIR ({job.base.proven})")
        self.job = job
        self.cases = read_cases(ROOT / "series" / job.base.name / "cases", job.base.name)
        cures = {cure for case in self.cases.values() for cure in case.cures}
        self.key = ""
        self.fixes = [number for number, path in enumerate(job.patches) if slug(path.name) in cures]

    def compile(self, folder: str, src: Path, identity: str) -> None:
        """Build the kernel; with it comes the program, in an initrd."""
        place, job = self.job.place / folder, self.job
        identity = kbuild.configure(place, src, kbuild.fragments(ROOT / "configs", job.base.name, src), identity, job.cache)
        kbuild.kernel(place, src, identity, job.cache, job.place / "objects")

        def work(shell: Shell) -> None:
            flags = ["-static", "-O2", "-Wall", "-Werror"]
            shell.run(["gcc", *flags, "-o", PROGRAM.stem, (src / PROGRAM).absolute()], Status.NOT_BUILT, cwd=place)

        station.station(place, "program", identity, place / PROGRAM.stem, work)
        vm.initrd(place, src, identity, f"file /{PROGRAM.stem} {PROGRAM.stem} 755 0 0\n")

    def patched(self) -> str:
        """Build the kernel with the series; give the source's identity."""
        identity, job = self.job.source(), self.job
        patched = job.place / "patched/src"
        self.key = key = station.key(identity, job.series_key)

        def apply_series(shell: Shell) -> None:
            series.copy_tree(shell, job.place / "stock/src", patched)
            series.apply(shell, patched, job.patches)

        station.station(job.place / "patched", "series", key, patched / ".git", apply_series)
        print(f"  series: {len(job.patches)} patches apply")
        self.compile("patched", patched, key)
        return identity

    def without(self, folder: str, numbers: list[int]) -> Path:
        """Build the kernel without some of the patches."""
        src = self.job.place / folder / "src"
        key = station.key(self.key, repr(numbers))

        def take_out(shell: Shell) -> None:
            series.copy_tree(shell, self.job.place / "patched/src", src)
            for number in reversed(numbers):
                series.revert(shell, src, number, self.job.patches[number].name)

        station.station(src.parent, "series", key, src / ".git", take_out)
        self.compile(folder, src, key)
        return src

    def guest(self, folder: str, src: Path, flavour: str) -> results.Verdict:
        """Run the program, judge what it says."""
        place = self.job.place / folder
        ended = vm.boot(place, src, words=WORDS)
        text, console = vm.logs(place)
        verdict = results.judge(as_tap(text), without_reports(console, flavour), self.cases, flavour, ended=ended)
        if verdict.status:
            vm.forget(place)
        return verdict


def run(job: Job) -> None:
    """The tests fail on a kernel without the fixes where the cases say so, and pass with the series."""
    mirror = Mirror(job)
    host.need({**host.BUILD, **host.GUEST}, job.build / "host.log")
    with station.lock(job.place):
        for name in ("report.json", "report.ktap"):
            (job.place / name).unlink(missing_ok=True)
        identity = mirror.patched()
        verdicts = {results.STOCK: mirror.guest("before", mirror.without("before", mirror.fixes), results.STOCK)}
        verdicts[results.PATCHED] = mirror.guest("patched", job.place / "patched/src", results.PATCHED)
        about: dict[str, object] = {
            "base": job.base.name, "source": named(job, identity), "series": job.series_key, "compiler": kbuild.compiler(), "qemu": vm.version(),
            "patches": [path.name for path in job.patches], "note": NOTE,
        }
        station.write_atomic(job.place / "report.json", report.as_json(about, verdicts))
        station.write_atomic(job.place / "report.ktap", report.as_ktap(verdicts))
    print("\n" + report.before_after(
        f"base {job.base.name}: {PROGRAM.stem} without and with the fixes of the series ({len(job.patches)} patches)",
        [slug(path.name) for path in job.patches], mirror.cases, verdicts[results.STOCK], verdicts[results.PATCHED],
    ))
    for flavour, verdict in verdicts.items():
        job.tally.verdict(flavour, verdict)


def named(job: Job, identity: str) -> str:
    """Name the tree as anybody can find it: by commit, not by folder."""
    commit = identity.split()[-1]
    return job.base.proven if commit.startswith(job.base.proven.rpartition("@")[2]) else f"a tree at {commit[:12]}"


def revert(job: Job, only: str = "") -> None:
    """Take each fix out alone: exactly its own cases may fail, one at least must."""
    mirror = Mirror(job)
    slugs = {slug(job.patches[number].name): number for number in mirror.fixes}
    if only and only not in slugs:
        raise LabError(Status.USAGE, f"no fix {only} in series/{job.base.name}", f"PATCH is one of: {' '.join(slugs)}")
    host.need({**host.BUILD, **host.GUEST}, job.build / "host.log")
    failing: dict[str, list[str]] = {}
    proven = True
    with station.lock(job.place):
        (job.place / "revert.json").unlink(missing_ok=True)
        identity = mirror.patched()
        for name, number in slugs.items():
            if only in ("", name):
                verdict = mirror.guest("revert", mirror.without("revert", [number]), name)
                shutil.copytree(job.place / "revert", job.place / "reverted" / name, dirs_exist_ok=True,
                                ignore=shutil.ignore_patterns("src", "initrd.cpio"))
                failing[name] = [case for case in verdict.failed() if case not in verdict.unexpected]
                proven &= verdict.status == Status.OK
                word = "proven" if verdict.status == Status.OK else "NOT proven"
                print(f"  without {name}: {word}; fails: {', '.join(failing[name]) or '-'}")
                counted = results.Verdict(verdict.status, {name: "pass"}, problems=verdict.problems)
                job.tally.verdict(f"without {name} ({job.place / 'reverted' / name})", counted)
        if proven and not only:
            kept = {"source": named(job, identity), "series": job.series_key, "fails": failing, "before": {}}
            station.write_atomic(job.place / "revert.json", json.dumps(kept, indent=1) + "\n")
