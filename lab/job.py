# SPDX-License-Identifier: GPL-2.0-only
"""One base on its way through the stations: the verbs run and revert."""

import json
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from lab import host, kbuild, kunit, report, results, script, selftests, series, source, station, vm
from lab.data import Base, read_cases, read_selftests, read_unproven, slug
from lab.errors import MEANING, LabError, Status
from lab.proc import Shell, parallel

ROOT = Path(__file__).resolve().parent.parent
KIT, KUNIT = "kit", "KUnit"
# Modules that neither build a kernel nor judge a guest: what `proof` keeps does not depend on them.
ASIDE = ("bench", "cli", "docs", "figures", "gate", "intree", "lint", "mirror", "model", "mutants", "queue", "report", "soak")
SHOWN, SHORT = 21, 4  # lines of what is wrong with a guest, at the most, and of these at the very end
GUESTS = 4  # at a time, at the most; a guest seldom keeps both of its CPUs busy


@dataclass
class Tally:
    """What was counted so far, the first status that was not OK, and in `wrong` a few lines of each failure."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0
    status: Status = Status.OK
    wrong: list[str] = field(default_factory=list)

    def fail(self, status: Status, why: str) -> None:
        """Note one failure."""
        self.failed += 1
        self.status = self.status or status
        self.wrong.append(why)

    def verdict(self, title: str, verdict: results.Verdict) -> None:
        """Count a guest's cases, and print what is wrong; one that is not OK counts at least one failure."""
        skipped = sum(outcome == "skip" and name not in verdict.unexpected for name, outcome in verdict.outcomes.items())
        failed = max(len(verdict.unexpected), int(verdict.status != Status.OK))
        self.skipped += skipped
        self.failed += failed
        self.passed += max(0, len(verdict.outcomes) - skipped - failed)
        self.status = self.status or verdict.status
        if verdict.status:
            lines = [f"{title}: {MEANING[verdict.status]}", *(f"  {problem}" for problem in verdict.problems)]
            more = [f"  and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
            print("", *lines[:SHOWN], *more, sep="\n")
            self.wrong += lines[:SHORT]

    def __str__(self) -> str:
        """Give the line a CI reads."""
        return f"{self.passed} passed, {self.failed} failed" + (f", {self.skipped} skipped" if self.skipped else "")


@dataclass
class Job:
    """One base on its way through the stations; everything it writes is below `place`.

    A base on top of another one (`below`) starts from that one's patched kernel, not from the pristine tree.
    """

    base: Base
    build: Path
    tree: Path | None = None
    allow_skip: bool = False
    tally: Tally = field(default_factory=Tally)

    def __post_init__(self) -> None:
        """Name the places."""
        name = self.base.name
        if self.tree and not self.base.needs_tree:
            name += f"-{self.tree.resolve().name}-{station.key(str(self.tree.resolve()))[:6]}"
        self.place = self.build / name
        self.cache = self.build / "cache"
        folder = ROOT / "series" / self.base.name
        self.patches = series.check(folder) if folder.exists() else []
        self.below = Job(self.base.under, self.build, self.tree) if self.base.under else None
        self.names: list[str] = [*(self.below.names if self.below else []), self.base.name]
        self.queue: list[Path] = [*(self.below.queue if self.below else []), *self.patches]
        self.pristine: Path = self.below.pristine if self.below else self.place / "stock/src"
        self.cases = read_cases(ROOT / "kit/cases", self.names[0])
        self.series_key = station.key(*(path.read_bytes() for path in self.queue))

    def source(self) -> str:
        """Station source: the pristine tree in stock/src; give its identity."""
        if self.below:
            with station.lock(self.below.place):
                return self.below.source()
        (self.place / "stock").mkdir(parents=True, exist_ok=True)
        if self.tree:
            return source.from_tree(self.tree, self.place / "stock")
        if self.base.needs_tree:
            raise LabError(Status.NO_SOURCE, f"{self.base.name}: not run: needs TREE=DIR ({self.base.proven})",
                           f"no package brings this kernel: make ... BASE={self.base.name} TREE=DIR")
        return source.from_debian(self.base, self.cache, self.place / "stock")

    def compile(self, flavour: str, src: Path, identity: str) -> None:
        """Stations config, kernel, kit and initrd of one flavour."""
        place = self.place / flavour
        fragments = kbuild.fragments(ROOT / "configs", self.names[0], src)
        identity = kbuild.configure(place, src, fragments, identity, self.cache)
        kbuild.kernel(place, src, identity, self.cache, self.place / f"objects-{place.name}")
        identity = kbuild.kit(place, src, ROOT / "kit", identity, self.cache)
        vm.initrd(place, src, identity)

    def patched(self) -> str:
        """Bring stock (or the base below) and patched to bootable kernels; find out first whether the series fits.

        Give the source's identity.
        """
        identity = self.source()
        patched = self.place / "patched/src"
        patched_identity = station.key(identity, self.series_key)

        def try_series(shell: Shell) -> None:
            fit = self.place / "fit/src"
            shutil.rmtree(fit, ignore_errors=True)
            for name in series.touched(self.queue):
                if (self.pristine / name).exists():
                    (fit / name).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(self.pristine / name, fit / name)
            series.apply(shell, fit, self.queue)

        def apply_series(shell: Shell, lower: Path = self.pristine) -> None:
            series.copy_tree(shell, lower, patched)
            shutil.rmtree(patched / ".git", ignore_errors=True)
            series.apply(shell, patched, self.patches)

        station.station(self.place / "fit", "series", patched_identity, self.place / "fit/src/.git", try_series)
        print(f"  series: {len(self.queue)} patches apply")
        if self.below:
            with station.lock(self.below.place):
                self.below.patched()
                lower = self.below.place / "patched/src"
                station.station(self.place / "patched", "series", patched_identity, patched / ".git", partial(apply_series, lower=lower))
        else:
            self.compile("stock", self.pristine, identity)
            station.station(self.place / "patched", "series", patched_identity, patched / ".git", apply_series)
        self.compile("patched", patched, patched_identity)
        return identity

    def programs(self, identity: str) -> list[selftests.Built]:
        """Station selftests: build what stock and patched tree (from source `identity`) have of configs/selftests.

        On top of another base, which has compared with stock, only what a series adds.
        """
        trees = {"stock": (self.pristine, identity),
                 "series": (self.place / "patched/src", station.key(identity, self.series_key))}
        tests = [test for test in read_selftests(ROOT / "configs/selftests") if test.tree == "series" or not self.below]
        return selftests.build(self.place / "selftests", tests, trees)

    def selftest(self, folder: str, src: Path, built: selftests.Built, seconds: float = vm.SECONDS) -> results.Verdict:
        """Run one program on one flavour."""
        return selftests.run(self.place / folder, src, self.place / "selftests/initrd.cpio", built, seconds)

    def scripts(self, flavours: Iterable[str]) -> dict[str, results.Verdict]:
        """Judge the script that loads HMM's driver, by flavour; what it loads has to link as a module."""
        for path in sorted((self.place / "patched/src/lib").glob("test_hmm*.c")):
            kbuild.module(self.place / "patched", self.place / "patched/src", path, self.cache)
        found = {flavour: script.run(self.place / flavour / "src", stock=flavour == results.STOCK) for flavour in flavours}
        return {flavour: verdict for flavour, verdict in found.items() if verdict}

    def compare(self, built: selftests.Built, verdicts: dict[str, results.Verdict]) -> dict[str, results.Verdict]:
        """Hold what one program gave, by flavour, against what it should have; give it back."""
        if results.STOCK in verdicts:
            selftests.same(verdicts[results.STOCK], verdicts[results.PATCHED])
        else:
            selftests.all_pass(verdicts[results.PATCHED], built.test.skip)
        for flavour in verdicts if any(verdict.status for verdict in verdicts.values()) else ():
            vm.forget(self.place / flavour, built.test.name)
        return verdicts

    def guest(self, folder: str, src: Path, flavour: str, *, elsewhere: bool = False, seconds: float = vm.SECONDS) -> results.Verdict:
        """Stations guest and results of one flavour."""
        place = self.place / folder
        ended = vm.boot(place, src, seconds=seconds)
        text, console = vm.logs(place)
        allow_skip = self.allow_skip or bool(self.tree)
        verdict = results.judge(text, console, self.cases, flavour, ended=ended, allow_skip=allow_skip, elsewhere=elsewhere)
        if verdict.status:
            vm.forget(place)
        return verdict


@dataclass(frozen=True)
class Proof:
    """What a kernel between stock and patched gave, kept while nothing it came from changes; only what was as expected is kept."""

    path: Path
    key: str

    def get(self) -> dict[str, dict[str, str]] | None:
        """Give what is kept, None for nothing."""
        if not self.path.exists():
            return None
        kept = json.loads(self.path.read_text(encoding="utf-8"))
        return dict(kept["found"]) if kept["key"] == self.key else None

    def put(self, found: dict[str, dict[str, str]]) -> None:
        """Keep outcomes by test program, each by case."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        station.write_atomic(self.path, json.dumps({"key": self.key, "found": found}, indent=1) + "\n")


def proof(job: Job, identity: str, folder: str, name: str) -> Proof:
    """Give the place of a proof, and the key of all that it rests on: sources, series, kit, configuration, tools and judges."""
    files = [path for pattern in ("lab/*.py", "lab/*.c", "configs/*", "intree/reports") for path in sorted(ROOT.glob(pattern)) if path.stem not in ASIDE]
    key = station.key(job.base.name, identity, job.series_key, folder, name, kbuild.compiler(), vm.version(),
                      station.folder_key(ROOT / "kit", kbuild.BUILT), *(path.read_bytes() for path in files))
    return Proof(job.place / "proofs" / folder / f"{name}.json", key)


def run(job: Job) -> None:
    """Stock must fail exactly where the bug says, the patched kernel pass everything."""
    host.need({**host.BUILD, **host.GUEST}, job.build / "host.log")
    with station.lock(job.place):
        identity = job.patched()
        outputs = [job.place / "report.json", job.place / "report.ktap"]
        for path in outputs:
            path.unlink(missing_ok=True)
        flavours = (results.PATCHED,) if job.below else (results.STOCK, results.PATCHED)
        suites = kunit.suites(job.place / "patched/src")
        programs = job.programs(identity)
        guests: dict[tuple[str, str], Callable[[], results.Verdict]] = {
            (KIT, flavour): partial(job.guest, flavour, job.place / flavour / "src", flavour) for flavour in flavours}
        if suites:
            announced = kunit.read_reports(ROOT / "intree/reports", *job.names)
            guests[KUNIT, results.PATCHED] = partial(kunit.run, job.place / "patched", job.place / "patched/src", announced)
        for built in programs:
            for flavour in (results.STOCK, results.PATCHED) if built.test.tree == "stock" else (results.PATCHED,):
                guests[built.test.name, flavour] = partial(job.selftest, flavour, job.place / flavour / "src", built)
        judged = parallel(guests, GUESTS)
        scripts = job.scripts(flavours)
        verdicts = {flavour: judged[KIT, flavour] for flavour in flavours}
        inside = judged.get((KUNIT, results.PATCHED))
        tested = [(built, job.compare(built, {flavour: verdict for (name, flavour), verdict in judged.items() if name == built.test.name}))
                  for built in programs]
        about: dict[str, object] = {
            "base": job.base.name, "source": identity, "series": job.series_key, "key": proof(job, identity, "run", "").key, "proven": "" if job.tree else job.base.proven,
            "compiler": kbuild.compiler(), "qemu": vm.version(),
            "patches": [path.name for path in job.patches],
        }
        if inside:
            about["kunit"] = {"status": inside.status, "cases": inside.outcomes}
        about["selftests"] = {
            built.test.name: {"tree": built.test.tree, "left_out": built.left_out,
                              "status": max(verdict.status for verdict in found.values()),
                              **{flavour: verdict.outcomes for flavour, verdict in found.items()}}
            for built, found in tested
        } | ({script.NAME: {"tree": "series", "left_out": {}, "status": max(verdict.status for verdict in scripts.values()),
                            **{flavour: verdict.outcomes for flavour, verdict in scripts.items()}}} if scripts else {})
        station.write_atomic(outputs[0], report.as_json(about, verdicts))
        others = {f"{name} {flavour}": verdict for (name, flavour), verdict in judged.items() if name != KIT}
        others |= {f"{script.NAME} {flavour}": verdict for flavour, verdict in scripts.items()}
        station.write_atomic(outputs[1], report.as_ktap({**verdicts, **others}))
    if job.below:
        print(f"\nbase {job.base.name}: {len(job.patches)} patches on top of {job.names[-2]}\n"
              f"  the kit on the patched kernel: {report.summary(verdicts[results.PATCHED])}")
    else:
        print("\n" + report.before_after(
            f"base {job.base.name}: the kit before and after the series ({len(job.patches)} patches)",
            [slug(path.name) for path in job.patches], job.cases, verdicts[results.STOCK], verdicts[results.PATCHED],
        ))
    if inside:
        print(f"  KUnit suite {', '.join(suites)} on the patched kernel: {report.summary(inside)}")
    for built, found in tested:
        print(f"  {report.selftest(built.test.name, found, built.left_out)}")
    if scripts:
        print(f"  {script.NAME} with stubs: " + "; ".join(f"{flavour} {report.summary(verdict)}" for flavour, verdict in scripts.items()))
    for flavour, verdict in scripts.items():
        job.tally.verdict(f"{script.NAME}, {flavour}", verdict)
    for flavour, verdict in verdicts.items():
        job.tally.verdict(f"{flavour} ({job.place / flavour})", verdict)
    if inside:
        job.tally.verdict(f"KUnit ({job.place / 'patched/kunit-console.log'})", inside)
    for built, found in tested:
        for flavour, verdict in found.items():
            job.tally.verdict(f"{built.test.name}, {flavour} ({job.place / flavour / built.test.name}-*.log)", verdict)


def without(job: Job, number: int, name: str, built: list[selftests.Built]) -> tuple[results.Verdict, list[str]]:
    """Build and test the kernel without one patch; give the verdict, and the cases and programs that fail as they should."""
    folder, src = f"revert/{name}", job.place / "revert/src"
    shutil.rmtree(job.place / folder, ignore_errors=True)
    shell = Shell(job.place / folder / "series.log")
    series.copy_tree(shell, job.place / "patched/src", src)
    series.revert(shell, src, number, job.patches[number].name)
    job.compile(folder, src, f"without {name}")
    needing = [program for program in built if name in program.test.cures]
    guests: dict[str, Callable[[], results.Verdict]] = {KIT: partial(job.guest, folder, src, name, elsewhere=bool(needing))}
    guests |= {program.test.name: partial(job.selftest, folder, src, program) for program in needing}
    judged = parallel(guests, GUESTS)
    verdict = judged[KIT]
    failed = [case for case in verdict.failed() if case not in verdict.unexpected]
    for program in (program for program in needing if not verdict.status):
        selftests.fails(judged[program.test.name], program.test.name, verdict, failed)
    return verdict, failed


def alone(job: Job, identity: str, built: list[selftests.Built]) -> dict[str, dict[str, str]]:
    """Build stock with nothing but the patches that add tests; give the outcomes of KUnit and of the series' programs, by title.

    They run only where the series has been applied, so this is their "before". NO_RESULT unless each was run to its end and gave
    a result for each case that `run` has.
    """
    folder, src = "revert/tests-alone", job.place / "revert/src"
    shutil.rmtree(job.place / folder, ignore_errors=True)
    shell = Shell(job.place / folder / "series.log")
    series.copy_tree(shell, job.pristine, src)
    series.apply(shell, src, [path for path in job.patches if series.only_tests(path) and not series.only_words(path.read_text(encoding="utf-8"))])
    job.compile(folder, src, station.key("tests alone", identity, job.series_key))
    guests: dict[str, Callable[[], results.Verdict]] = {
        program.test.name: partial(job.selftest, folder, src, program, 2 * vm.SECONDS) for program in built if program.test.cures}
    if kunit.suites(src):
        announced = kunit.read_reports(ROOT / "intree/reports", *job.names)
        guests[KUNIT] = partial(kunit.run, job.place / folder, src, announced, 2 * vm.SECONDS)
    report = json.loads((job.place / "report.json").read_text(encoding="utf-8")) if (job.place / "report.json").exists() else {}
    after = {program.test.name: report.get("selftests", {}).get(program.test.name, {}).get("patched", {}) for program in built}
    after[KUNIT] = report.get("kunit", {}).get("cases", {})
    return {title: whole(title, verdict, after[title], job.base.name) for title, verdict in parallel(guests, GUESTS).items()}


def whole(title: str, verdict: results.Verdict, after: dict[str, str], base: str) -> dict[str, str]:
    """Give the outcomes of the cases in `after`; one that has no result is NO_RESULT."""
    if not after:
        raise LabError(Status.NO_RESULT, f"nothing to hold {title} without the fixes against", f"make run BASE={base}")
    missing = [name for name in after if name not in verdict.outcomes]
    if missing or verdict.status == Status.NO_RESULT:
        raise LabError(Status.NO_RESULT, f"{title} without the fixes has no result of {len(missing)} cases",
                       f"see build/{base}/revert/tests-alone", "\n".join([*missing, *verdict.problems]))
    return {name: verdict.outcomes[name] for name in after}


def revert(job: Job, only: str = "") -> None:
    """Take each patch (or the one with slug `only`) out alone: exactly its own cases may fail, one at least must."""
    unproven = read_unproven(ROOT / "series/unproven")
    slugs = [slug(path.name) for path in job.patches if not series.only_tests(path) and slug(path.name) not in unproven]
    names = [slug(path.name) for path in job.patches]
    if only in names and only not in slugs:
        raise LabError(Status.USAGE, f"{only} is not taken out: {unproven.get(only, 'it only adds tests or words')}", f"PATCH is one of: {' '.join(slugs)}")
    if only and only not in slugs:
        raise LabError(Status.USAGE, f"no patch {only} in series/{job.base.name}", f"PATCH is one of: {' '.join(slugs)}")
    if not slugs:
        print(f"base {job.base.name}: no patch to take out, all of them are tests or in series/unproven")
        return
    host.need({**host.BUILD, **host.GUEST}, job.build / "host.log")
    table = []
    failing: dict[str, list[str]] = {}
    with station.lock(job.place):
        (job.place / "revert.json").unlink(missing_ok=True)
        identity = job.patched()
        built = job.programs(identity)
        for number, name in enumerate(slug(path.name) for path in job.patches):
            if name not in slugs or only not in ("", name):
                continue
            known = proof(job, identity, "revert", name)
            found = known.get()
            if found:
                print(f"  without {name}: cached")
                verdict, failed = results.Verdict(), list(found["fails"])
            else:
                verdict, failed = without(job, number, name, built)
                if verdict.status == Status.OK:
                    known.put({"fails": dict.fromkeys(failed, "fail")})
            failing[name] = failed
            job.tally.verdict(f"without {name} ({job.place / 'revert' / name})", results.Verdict(verdict.status, {name: "pass"}, problems=verdict.problems))
            table.append([name, "yes" if verdict.status == Status.OK else "NO", ", ".join(failed) or "-"])
        before: dict[str, dict[str, str]] = {}
        if not only and not job.below:  # for a base on top of another, stock is not what it starts from
            known = proof(job, identity, "revert", "tests-alone")
            before = known.get() or alone(job, identity, built)
            verdict = results.Verdict(Status.OK, {"tests alone": "pass"})
            verdict.problems = [f"{title} does not fail on stock" for title, found in before.items() if "fail" not in found.values()]
            verdict.status = Status.TEST_FAILED if verdict.problems else Status.OK
            if verdict.status == Status.OK:
                known.put(before)
            job.tally.verdict("stock with the patches that add tests alone", verdict)
        if not only and all(row[1] == "yes" for row in table):
            kept = {"source": identity, "series": job.series_key, "fails": failing, "before": before}
            station.write_atomic(job.place / "revert.json", json.dumps(kept, indent=1) + "\n")
    width = max(len(row[0]) for row in table)
    print(f"\nbase {job.base.name}: each patch taken out alone\n  {'patch'.ljust(width)}  proven  cases that fail without it")
    for row in table:
        print(f"  {row[0].ljust(width)}  {row[1].ljust(6)}  {row[2]}")
    for title, outcomes in before.items():
        print(f"  stock with the tests alone: {title} {report.summary(results.Verdict(outcomes=outcomes))}")
