# SPDX-License-Identifier: GPL-2.0-only
"""Kernels that watch themselves, and races on several CPUs for as long as one likes: the verb `soak`, and its short form."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from lab import host, kbuild, kunit, report, results, selftests, series, station, vm
from lab.errors import MEANING, LabError, Status
from lab.job import ROOT, Job, problems
from lab.proc import Shell
from lab.results import SPLATS, TIME

KERNELS = ("kasan", "lockdep", "kcsan")
# More CPUs than the machine may have: where a CPU is taken from the guest in the middle of something, others go on.
MACHINE = ("-smp", "4,sockets=4")
CLOCK = "tsc=reliable"  # ticks get lost where a CPU waits for its turn, and seconds would last longer than outside
WORKERS = 3
SHORT = 20             # seconds, in `make test`
SLOW = 1800.0          # seconds a guest may take on a kernel that watches itself
NEEDED = 100_000       # refused process_mrelease() calls, over all kernels of a campaign
CONTENTS = """\
dir /kit 755 0 0
file /kit/mn_kit.ko kit/mn_kit.ko 644 0 0
dir /soak 755 0 0
file /soak/mn-soak soak/mn-soak 755 0 0
"""
FIGURE = re.compile(r"soak (\w+) (\d+)$")
FIGURES = ("rounds", "oom_kills", "refused_reaps", "refused_ranges", "pairs", "actions", "added", "removed", "reads", "failures")

Figures = dict[str, int]


def parse(text: str, console: str, ended: bool = True) -> tuple[Figures, list[str]]:
    """Give the figures of one guest, and in words all that is wrong; what is missing, cut or zero is wrong, too."""
    lines = text.replace("\r", "").split("\n")
    figures = {match[1]: int(match[2]) for line in lines if (match := FIGURE.match(line))}
    wrong = [] if ended else ["the guest hung and was stopped"]
    wrong += [f"splat: {line}" for raw in console.splitlines() if SPLATS.search(line := TIME.sub("", raw))]
    wrong += [line for line in lines if line.startswith("worker ")]
    if not console.strip():
        wrong.append("the kernel wrote nothing on its console")
    if lines[-2:] != ["lab: mn-soak exited 0", ""]:
        wrong.append(f"its results are not whole, or it failed: they end in {' / '.join(lines[-2:])!r}")
    elif tuple(figures) != FIGURES:
        wrong.append(f"no figure of {', '.join(sorted(set(FIGURES) - set(figures))) or 'what was asked for'}")
    else:
        wrong += [f"{name} is {figures[name]}" for name in FIGURES if bool(figures[name]) == (name == "failures")]
    return figures, wrong


def race(job: Job, folder: str, src: Path, identity: str, seconds: int, seed: int) -> tuple[Figures, list[str]]:
    """Run mn-soak on a kernel in place/folder that has its kit; give what parse() gives."""
    place = job.place / folder
    key = station.key(identity, station.folder_key(ROOT / "kit"), (place / "config").read_bytes())
    key = kbuild.kit(place, src, ROOT / "soak", key, job.cache, "soak", ("mn-soak",))
    vm.initrd(place, src, key, CONTENTS, "soak-initrd")
    words = f"{vm.NO_KUNIT} {CLOCK} lab.run=/soak/mn-soak,/kit/mn_kit.ko,{WORKERS},{seconds},{seed}"
    ended = vm.boot(place, src, "mn-soak", words, initrd="soak-initrd.cpio", machine=MACHINE, seconds=seconds * 4 + SLOW)
    text, console = ((place / f"mn-soak-{name}.log").read_text(encoding="utf-8", errors="replace") for name in ("results", "console"))
    found = parse(text, console, ended)
    if found[1]:
        vm.forget(place, "mn-soak")
    return found


def short(job: Job) -> None:
    """Race for a moment on the patched kernel of `run`."""
    host.need({**host.BUILD, **host.GUEST}, job.build / "host.log")
    with station.lock(job.place):
        identity = job.patched()
        figures, wrong = race(job, "patched", job.place / "patched/src", station.key(identity, job.series_key), SHORT, 1)
    judge(job, "soak", figures, wrong)


def judge(job: Job, name: str, figures: Figures, wrong: list[str]) -> None:
    """Print and count one race."""
    print(f"  {name}: " + ", ".join(f"{value:,} {figure.replace('_', ' ')}" for figure, value in figures.items()))
    verdict = results.Verdict(Status.TEST_FAILED if wrong else Status.OK, {name: "fail" if wrong else "pass"}, problems=wrong)
    verdict.unexpected = [name] if wrong else []
    job.tally.verdict(verdict)
    problems(name, verdict)


class Kernel:
    """The patched kernel of a base with one more fragment, and all that is run on it."""

    def __init__(self, job: Job, name: str, identity: str) -> None:
        """Build it."""
        self.job, self.name = job, name
        self.folder = f"soak/{name}"
        self.place = job.place / self.folder
        self.src = self.place / "src"
        key = station.key(identity, job.series_key)

        def work(shell: Shell) -> None:
            series.copy_tree(shell, job.place / "patched/src", self.src, objects=False)

        station.station(self.place, "series", key, self.src / "Makefile", work)
        fragments = [*kbuild.fragments(ROOT / "configs", job.names[0], self.src), ROOT / f"configs/soak-{name}.config"]
        key = kbuild.configure(self.place, self.src, fragments, key, job.cache)
        kbuild.kernel(self.place, self.src, key, job.cache, self.place / "objects")
        self.identity = kbuild.kit(self.place, self.src, ROOT / "kit", key, job.cache)
        vm.initrd(self.place, self.src, self.identity)

    def tests(self, programs: list[selftests.Built]) -> dict[str, results.Verdict]:
        """Run the kit, KUnit and the selftests; what passes on the patched kernel has to pass here, and nothing splats."""
        job = self.job
        found = {"kit": job.guest(self.folder, self.src, results.PATCHED, seconds=SLOW)}
        if kunit.suites(self.src):
            found["KUnit"] = kunit.run(self.place, self.src, kunit.read_reports(ROOT / "intree/reports", *job.names), SLOW)
        for built in programs:
            name = built.test.name
            found[name] = job.selftest(self.folder, self.src, built, SLOW)
            if built.test.tree == "series":
                selftests.all_pass(found[name], built.test.skip)
            else:
                selftests.same(job.selftest("patched", job.place / "patched/src", built), found[name])
        return found


def run(job: Job, seconds: int, only: str = "") -> None:
    """Run the campaign, or the part of it on one kernel; keep what a whole one gave in docs/soak."""
    if only and only not in KERNELS:
        raise LabError(Status.USAGE, f"no kernel {only!r} to soak", f"KERNEL is one of: {' '.join(KERNELS)}")
    host.need({**host.BUILD, **host.GUEST}, job.build / "host.log")
    kept: dict[str, Mapping[str, object]] = {}
    with station.lock(job.place):
        identity = job.patched()
        programs = job.programs(identity)
        for seed, name in enumerate(KERNELS, 1):
            if only not in ("", name):
                continue
            kernel = Kernel(job, name, identity)
            tests = kernel.tests(programs)
            for test, verdict in tests.items():
                print(f"  {name}: {test}: {report.summary(verdict)}{f': {MEANING[verdict.status]}' if verdict.status else ''}")
                job.tally.verdict(verdict)
                problems(f"{test} on {name} ({kernel.place})", verdict)
            figures, wrong = race(job, kernel.folder, kernel.src, kernel.identity, seconds, seed)
            judge(job, f"soak on {name}", figures, wrong)
            kept[name] = {"tests": {test: report.summary(verdict) for test, verdict in tests.items()}, "figures": figures, "seed": seed,
                          "wrong": [problem for verdict in tests.values() for problem in verdict.problems] + wrong}
    reaps = sum(figure for part in kept.values() if isinstance(part["figures"], dict)
                for key, figure in part["figures"].items() if key == "refused_reaps")
    missed = [f"{reaps:,} refused reaps, not {NEEDED:,}: take a longer DURATION"] if not only and reaps < NEEDED else []
    print(f"\nbase {job.base.name}: {reaps:,} refused reaps", *(f"  missed: {line}" for line in missed), sep="\n")
    for _ in missed:
        job.tally.fail(Status.TEST_FAILED)
    if not only:
        data = {"base": job.base.name, "source": identity, "compiler": kbuild.compiler(), "qemu": vm.version(),
                "date": datetime.now(UTC).date().isoformat(), "seconds": seconds, "machine": " ".join(MACHINE), "missed": missed, "kernels": kept}
        folder = ROOT / "docs/soak"
        folder.mkdir(exist_ok=True)
        station.write_atomic(folder / f"{job.base.name}.json", json.dumps(data, indent=1) + "\n")
