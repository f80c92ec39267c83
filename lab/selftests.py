# SPDX-License-Identifier: GPL-2.0-only
"""Station "selftests": the tree's own test programs, each in a guest of its own, stock against patched."""

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lab import station, vm
from lab.data import Selftest
from lab.errors import Status
from lab.kbuild import compiler
from lab.proc import Shell
from lab.results import Console, Verdict, splats, unusable

FOLDER = "tools/testing/selftests"
# What the tree's Makefile links to every program of the folder, as far as a tree has it.
HELPERS = ("vm_util.c", "thp_settings.c", "hugepage_settings.c")
START = re.compile(r"#  RUN           (\S+) \.\.\.$")
RESULT = re.compile(r"(ok|not ok) (\d+)\b(?: -)?(.*)$")
NO_PASS = "no test passes: nothing was tested"


@dataclass(frozen=True)
class Built:
    """A program there is in this base's trees; `left_out` are the excluded tests it has, with the reasons."""

    test: Selftest
    left_out: dict[str, str] = field(hash=False)

    @property
    def words(self) -> str:
        """Give what the kernel is booted with."""
        options = [word for name in self.left_out for word in ("-T", name)]
        return " ".join([vm.NO_KUNIT, *self.test.boot, ",".join([f"lab.run=/selftests/{self.test.name}", *self.test.args, *options])])


def find(test: Selftest, src: Path) -> Path | None:
    """Give a program's source in a tree, None if the tree has none."""
    paths = (src / FOLDER / folder / f"{test.name}.c" for folder in test.folders)
    return next((path for path in paths if path.exists()), None)


def compile_one(shell: Shell, source: Path, src: Path, place: Path) -> None:
    """Link one program statically, with the tree's own headers before the machine's."""
    helpers = [source.with_name(name) for name in HELPERS if source.with_name(name).exists()]
    src = src.absolute()
    include: list[str | Path] = ["-I", src, "-I", src / FOLDER, "-isystem", src / "tools/include/uapi",
                                 "-idirafter", src / "tools/include"]  # uapi/linux/kvm.h is not as it would be installed
    # 6.1's mrelease_test includes no header that has the numbers of its system calls, and would skip itself.
    numbers = ["-D__NR_pidfd_open=434", "-D__NR_process_mrelease=448"]
    flags = ["-static", "-O2", "-D_GNU_SOURCE=", "-U_FORTIFY_SOURCE", *numbers]
    files = [path.absolute() for path in (source, *helpers)]
    shell.run(["gcc", *flags, *include, "-o", source.stem, *files, "-lpthread", "-lrt", "-lm"], Status.NOT_BUILT, cwd=place)


def build(place: Path, tests: Iterable[Selftest], trees: Mapping[str, tuple[Path, str]]) -> list[Built]:
    """Build what the trees (by name: folder, identity) have of the tests, and one initrd for all, in `place`."""
    sources = {test: source for test in tests if (source := find(test, trees[test.tree][0]))}
    if not sources:
        return []

    def work(shell: Shell) -> None:
        for test, source in sources.items():
            compile_one(shell, source, trees[test.tree][0], place)

    identity = station.key(*(identity for _, identity in trees.values()), *(repr(test) for test in sources), compiler(), Path(__file__).read_bytes())
    place.mkdir(parents=True, exist_ok=True)
    station.station(place, "selftests", identity, place / next(reversed(sources)).name, work)
    lines = [f"file /selftests/{test.name} {test.name} 755 0 0\n" for test in sources]
    vm.initrd(place, trees["stock"][0], identity, "".join(["dir /selftests 755 0 0\n", *lines]))
    return [Built(test, {name: why for name, why in test.exclude.items() if name in source.read_text(encoding="utf-8")})
            for test, source in sources.items()]


def run(place: Path, src: Path, initrd: Path, built: Built, seconds: float = vm.SECONDS) -> Verdict:
    """Run one program on one kernel and judge its logs."""
    name = built.test.name
    ended = vm.boot(place, src, name, built.words, initrd=os.path.relpath(initrd, place), seconds=seconds)
    return judge(name, *vm.logs(place, name), ended=ended, reports=built.test.reports)


def parse(name: str, text: str, verdict: Verdict) -> str:
    """Fill in the outcomes; give what makes the results incomplete, or "".

    A program that prints neither plan nor result has one: its exit status.
    """
    lines = [line.rstrip("\r") for line in text.split("\n")]
    if not text.strip():
        return "the guest wrote no results"
    if lines.pop():
        return f"the results are cut: they end in {text[-60:]!r}"
    exited = re.match(rf"lab: {re.escape(name)} exited (\d+)$", lines[-1])
    if not exited:
        return lines[-1] if lines[-1].startswith("lab: ") else f"the results are cut: they end in {lines[-1]!r}"
    planned, running = None, ""
    for line in lines[:-1]:
        plan, result, start = re.match(r"1\.\.(\d+)\b", line), RESULT.match(line), START.match(line)
        running = start[1] if start else running
        if line.startswith("Bail out!"):
            return line
        if plan:
            planned = int(plan[1])
        elif result:
            word = re.match(r" (\w+)(?: #.*)?$", result[3])
            case = running or (word[1] if word else f"{name} {result[2]}")
            if int(result[2]) != len(verdict.outcomes) + 1 or case in verdict.outcomes:
                return f"result {result[2]} ({case}) follows result {len(verdict.outcomes)}"
            skipped = result[1] == "ok" and re.search(r"#\s*SKIP\b\s*(.*)", result[3])
            verdict.outcomes[case] = "skip" if skipped else "pass" if result[1] == "ok" else "fail"
            verdict.reasons[case] = skipped[1] if skipped else ""
            running = ""
    if planned is None and not verdict.outcomes:
        verdict.outcomes[name] = {"0": "pass", "4": "skip"}.get(exited[1], "fail")
        verdict.reasons[name] = lines[-2] if len(lines) > 1 else lines[-1]
    elif planned != len(verdict.outcomes):
        return f"plan not met: {len(verdict.outcomes)} results of {planned}"
    elif exited[1] not in ("0", "4") and not verdict.failed():
        return f"{name} exited {exited[1]} though no test failed"
    return ""


def judge(name: str, text: str, console: str, *, ended: bool = True, reports: Iterable[str] = ()) -> Verdict:
    """Judge one guest by itself: it came to its end, nothing splats but what `reports` matches, the results are whole."""
    verdict = Verdict()
    incomplete = parse(name, text, verdict) or unusable(console)
    guest = [] if ended else [f"{name}: the guest hung and was stopped"]
    guest += [f"{name}: splat: {line}" for line in splats(Console.parse(console))
              if not any(re.search(report, line) for report in reports)]
    verdict.problems = guest + ([f"{name}: {incomplete}"] if incomplete else [])
    verdict.status = Status.GUEST if guest else Status.NO_RESULT if incomplete else Status.OK
    return verdict


def same(stock: Verdict, patched: Verdict) -> None:
    """Hold the patched kernel's results against the stock one's; what differs is the patched one's failure."""
    if stock.status or patched.status:
        return
    for name in dict.fromkeys([*stock.outcomes, *patched.outcomes]):
        before, after = (verdict.outcomes.get(name, "no result") for verdict in (stock, patched))
        if before != after:
            patched.unexpected.append(name)
            reason = f" ({patched.reasons[name]})" if patched.reasons.get(name) else ""
            patched.problems.append(f"{name}: {before} on stock, {after} with the series{reason}")
    if patched.unexpected:
        patched.status = Status.TEST_FAILED
    elif "pass" not in stock.outcomes.values():
        patched.status, patched.problems = Status.NO_RESULT, [NO_PASS]


def all_pass(verdict: Verdict, may_skip: Iterable[str]) -> None:
    """Fail a program of the series unless each of its tests passes; some may be skipped."""
    if verdict.status:
        return
    verdict.unexpected = [name for name, outcome in verdict.outcomes.items()
                          if outcome == "fail" or (outcome == "skip" and name not in may_skip)]
    verdict.problems = [f"{name}: {verdict.outcomes[name]}, but expected to pass" for name in verdict.unexpected]
    verdict.status = Status.TEST_FAILED if verdict.unexpected else Status.OK
    if "pass" not in verdict.outcomes.values():
        verdict.status, verdict.problems = verdict.status or Status.NO_RESULT, verdict.problems or [NO_PASS]


def fails(verdict: Verdict, name: str, whole: Verdict, failed: list[str]) -> None:
    """Note in `failed` a program that fails, or hangs, on a kernel that lacks its cure; else spoil the whole verdict."""
    if verdict.failed() or verdict.status == Status.GUEST:
        failed.append(name)
    else:
        whole.status = verdict.status or Status.TEST_FAILED
        whole.problems += verdict.problems or [f"{name} does not fail"]
