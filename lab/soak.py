# SPDX-License-Identifier: GPL-2.0-only
"""Kernels that watch themselves, and races on several CPUs for as long as one likes: the verb `soak`, and its short form."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from lab import host, kbuild, kunit, report, results, selftests, series, station, vm
from lab.data import rows
from lab.errors import MEANING, LabError, Status
from lab.figures import total
from lab.job import ROOT, Job
from lab.proc import Shell
from lab.results import TIME, is_splat

# By kernel the fragments configs/soak-*.config.
KERNELS = {"kasan": ("kasan",), "lockdep": ("lockdep", "users"), "kcsan": ("kcsan",)}
# What it says when it watches; where it does not, that it is quiet means nothing.
WATCHES = {"kasan": "KernelAddressSanitizer initialized", "lockdep": "Lock dependency validator", "kcsan": "kcsan: selftest: 3/3 tests passed"}
USERS = "mn-users"  # on kernels that have the drivers
# Of KVM's timers: without a frequency of the TSC, which a busy machine keeps the guest from measuring, no vCPU runs.
USERS_CLOCK = "tsc_early_khz=1000000"
# A case of mn-users may be skipped for these reasons: the allocator gives what it has, and older kernels' rxe is what it is.
SKIPS = re.compile(r"no session of the kit comes (?:before|behind) KVM's notifier")
OLD_SKIPS = re.compile(rf"{SKIPS.pattern}|rxe does not page in on demand")
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
file /soak/mn-users soak/mn-users 755 0 0
file /soak/mn_kvm.ko soak/mn_kvm.ko 644 0 0
"""
FIGURE = re.compile(r"soak (\w+) (\d+)$")
FIGURES = ("rounds", "oom_kills", "refused_reaps", "refused_ranges", "pairs", "actions", "added", "removed", "reads", "failures")

Figures = dict[str, int]


def parse(text: str, console: str, ended: bool = True, watches: str = "") -> tuple[Figures, list[str]]:
    """Give the figures of one guest, and in words all that is wrong; what is missing, cut or zero is wrong, too."""
    lines = text.replace("\r", "").split("\n")
    figures = {match[1]: int(match[2]) for line in lines if (match := FIGURE.match(line))}
    wrong = [] if ended else ["the guest hung and was stopped"]
    wrong += [f"splat: {line}" for raw in console.splitlines() if is_splat(line := TIME.sub("", raw))]
    wrong += [line for line in lines if line.startswith("worker ")]
    if unusable := results.unusable(console):
        wrong.append(unusable)
    elif watches not in console:
        wrong.append(f"the kernel did not say that it watches itself: {watches}")
    if lines[-2:] != ["lab: mn-soak exited 0", ""]:
        wrong.append(f"its results are not whole, or it failed: they end in {' / '.join(lines[-2:])!r}")
    elif tuple(figures) != FIGURES:
        wrong.append(f"no figure of {', '.join(sorted(set(FIGURES) - set(figures))) or 'what was asked for'}")
    else:
        wrong += [f"{name} is {figures[name]}" for name in FIGURES if bool(figures[name]) == (name == "failures")]
    return figures, wrong


def read_allowed(path: Path) -> list[tuple[str, re.Pattern[str]]]:
    """Read configs/soak-allowed: by kernel what does not count; a line without a reason is a USAGE error."""
    found = []
    for where, words in rows(path):
        if len(words) < 3 or words[0] not in KERNELS:
            raise LabError(Status.USAGE, f"{where}: a line that does not count is `kernel regex reason...`, the kernel one of {' '.join(KERNELS)}")
        try:
            found.append((words[0], re.compile(words[1])))
        except re.error as error:
            raise LabError(Status.USAGE, f"{where}: {words[1]}: {error}") from None
    return found


def programs(job: Job, folder: str, src: Path, identity: str) -> None:
    """Build what soak/ has for a kernel in place/folder that has its kit, and an initrd of it."""
    place = job.place / folder
    key = station.key(identity, station.folder_key(ROOT / "kit", kbuild.BUILT), (place / "config").read_bytes())
    key = kbuild.kit(place, src, ROOT / "proof/soak", key, job.cache, "soak", ("mn_kvm.ko", USERS, "mn-soak"))
    vm.initrd(place, src, key, CONTENTS, "soak-initrd")


def users(job: Job, folder: str, src: Path) -> results.Verdict:
    """Run mn-users: each case passes, or is skipped for a reason that counts."""
    place = job.place / folder
    words = f"{vm.NO_KUNIT} {USERS_CLOCK} lab.run=/soak/{USERS},/kit/mn_kit.ko,/soak/mn_kvm.ko"
    ended = vm.boot(place, src, USERS, words, initrd="soak-initrd.cpio", seconds=SLOW)
    verdict = selftests.judge(USERS, *vm.logs(place, USERS), ended=ended)
    allowed = OLD_SKIPS if job.names[0].startswith("6.") else SKIPS
    selftests.all_pass(verdict, [name for name, reason in verdict.reasons.items() if allowed.match(reason)])
    if verdict.status:
        vm.forget(place, USERS)
    return verdict


def race(job: Job, folder: str, src: Path, seconds: int, seed: int, watches: str = "") -> tuple[Figures, list[str]]:
    """Run mn-soak on a kernel in place/folder that has its programs; give what parse() gives."""
    place = job.place / folder
    words = f"{vm.NO_KUNIT} {CLOCK} lab.run=/soak/mn-soak,/kit/mn_kit.ko,{WORKERS},{seconds},{seed}"
    ended = vm.boot(place, src, "mn-soak", words, initrd="soak-initrd.cpio", machine=MACHINE, seconds=seconds * 4 + SLOW)
    found = parse(*vm.logs(place, "mn-soak"), ended, watches)
    if found[1]:
        vm.forget(place, "mn-soak")
    return found


def short(job: Job) -> None:
    """Race for a moment on the patched kernel of `run`."""
    host.need({**host.BUILD, **host.GUEST}, job.build / "host.log")
    with station.lock(job.place):
        identity = job.patched()
        src = job.place / "patched/src"
        programs(job, "patched", src, station.key(identity, job.series_key))
        figures, wrong = race(job, "patched", src, SHORT, 1)
    judge(job, "soak", figures, wrong)


def judge(job: Job, name: str, figures: Figures, wrong: list[str]) -> None:
    """Print and count one race."""
    print(f"  {name}: " + ", ".join(f"{value:,} {figure.replace('_', ' ')}" for figure, value in figures.items()))
    verdict = results.Verdict(Status.TEST_FAILED if wrong else Status.OK, {name: "fail" if wrong else "pass"}, problems=wrong)
    verdict.unexpected = [name] if wrong else []
    job.tally.verdict(name, verdict)


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
        fragments = [*kbuild.fragments(ROOT / "configs", job.names[0], self.src), *(ROOT / f"configs/soak-{part}.config" for part in KERNELS[name])]
        key = kbuild.configure(self.place, self.src, fragments, key, job.cache)
        kbuild.kernel(self.place, self.src, key, job.cache, self.place / "objects")
        key = kbuild.kit(self.place, self.src, ROOT / "kit", key, job.cache)
        vm.initrd(self.place, self.src, key)
        programs(job, self.folder, self.src, key)

    def tests(self, built: list[selftests.Built]) -> dict[str, results.Verdict]:
        """Run the kit, KUnit, the selftests and real users; what passes on the patched kernel has to pass here, and nothing splats."""
        job = self.job
        found = {"kit": job.guest(self.folder, self.src, results.PATCHED, seconds=SLOW)}
        if kunit.suites(self.src):
            found["KUnit"] = kunit.run(self.place, self.src, kunit.read_reports(ROOT / "intree/reports", *job.names), SLOW)
        for one in built:
            name = one.test.name
            found[name] = job.selftest(self.folder, self.src, one, SLOW)
            if one.test.tree == "series":
                selftests.all_pass(found[name], one.test.skip)
            else:
                before = job.selftest("patched", job.place / "patched/src", one)
                selftests.same(before, found[name])
                if before.status:
                    found[name].status = found[name].status or before.status
                    found[name].problems += [f"without the options to watch it: {problem}" for problem in before.problems]
        if "users" in KERNELS[self.name]:
            found[USERS] = users(job, self.folder, self.src)
        return found


def run(job: Job, seconds: int, only: str = "") -> None:
    """Run the campaign, or the part of it on one kernel; keep what a whole one gave in docs/soak if nothing was wrong."""
    if only and only not in KERNELS:
        raise LabError(Status.USAGE, f"no kernel {only!r} to soak", f"KERNEL is one of: {' '.join(KERNELS)}")
    host.need({**host.BUILD, **host.GUEST}, job.build / "host.log")
    allowed = read_allowed(ROOT / "configs/soak-allowed")
    kept: dict[str, Mapping[str, object]] = {}
    with station.lock(job.place):
        identity = job.patched()
        built = job.programs(identity)
        for seed, name in enumerate(KERNELS, 1):
            if only not in ("", name):
                continue
            kernel = Kernel(job, name, identity)
            results.ALLOWED[:] = [pattern for which, pattern in allowed if which == name]
            tests = kernel.tests(built)
            for test, verdict in tests.items():
                print(f"  {name}: {test}: {report.summary(verdict)}{f': {MEANING[verdict.status]}' if verdict.status else ''}")
                job.tally.verdict(f"{test} on {name} ({kernel.place})", verdict)
            figures, wrong = race(job, kernel.folder, kernel.src, seconds, seed, WATCHES[name])
            judge(job, f"soak on {name}", figures, wrong)
            kept[name] = {"tests": {test: report.summary(verdict) for test, verdict in tests.items()}, "figures": figures, "seed": seed,
                          "wrong": [problem for verdict in tests.values() for problem in verdict.problems] + wrong}
    reaps = total({"kernels": kept}, "refused_reaps")
    missed = [f"{reaps:,} refused reaps, not {NEEDED:,}: take a longer DURATION"] if not only and reaps < NEEDED else []
    results.ALLOWED.clear()
    print(f"\nbase {job.base.name}: {reaps:,} refused reaps", *(f"  missed: {line}" for line in missed), sep="\n")
    for line in missed:
        job.tally.fail(Status.TEST_FAILED, line)
    if not only:
        data = {"base": job.base.name, "source": identity, "compiler": kbuild.compiler(), "qemu": vm.version(),
                "date": datetime.now(UTC).date().isoformat(), "seconds": seconds, "machine": " ".join(MACHINE), "missed": missed, "kernels": kept}
        # A campaign that is short, or went wrong, takes no earlier one's place.
        target = job.place / "soak.json" if job.tally.failed else ROOT / f"docs/soak/{job.base.name}.json"
        target.parent.mkdir(exist_ok=True)
        station.write_atomic(target, json.dumps(data, indent=1) + "\n")
        print(f"  kept in {target}")
