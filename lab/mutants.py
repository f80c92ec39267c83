# SPDX-License-Identifier: GPL-2.0-only
"""Small wrong changes to the patched kernel, one at a time: a named test must notice each."""

import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from lab import host, kbuild, kunit, results, series, station, vm
from lab.errors import LabError, Status
from lab.job import ROOT, Job
from lab.proc import Progress, Shell


@dataclass(frozen=True)
class Mutant:
    """One wrong change: in `file`, each (old, new) of `hunks` is replaced; the kernel itself has to report it, if `reports` is given."""

    name: str
    file: str
    hunks: tuple[tuple[str, str], ...]
    reports: str = ""

    def apply(self, text: str) -> str:
        """Give the changed file; USAGE unless every hunk fits exactly once and changes something."""
        for old, new in self.hunks:
            if text.count(old) != 1 or old == new:
                raise LabError(Status.USAGE, f"mutant {self.name} does not fit {self.file}: {text.count(old)} places",
                               "mend its hunk in mutants/ after a change of the series")
            text = text.replace(old, new)
        return text


def read_mutants(path: Path) -> list[Mutant]:
    """Read the mutants of a base; USAGE when there is no such file, or it is not as its head says."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        have = " ".join(sorted(file.name for file in path.parent.glob("[0-9]*")))
        raise LabError(Status.USAGE, f"{path} does not exist", f"there are mutants for BASE {have}") from None
    mutants: dict[str, Mutant] = {}
    for block in re.split(r"^== ", text, flags=re.MULTILINE)[1:]:
        head, _, body = block.partition("\n")
        words = head.split()
        parts = [part.strip("\n").splitlines() for part in re.split(r"^@@$", body, flags=re.MULTILINE)]
        reports = words.pop().removeprefix("reports=") if re.search(r" reports=\S+$", head) else ""
        if len(words) != 2 or words[0] in mutants or any(not re.match(r"[-+ ]", line) for part in parts for line in part):
            raise LabError(Status.USAGE, f"{path}: `== {head}` is listed twice, or no `== name file [reports=REGEX]` and a hunk of ' ', '-' and '+' lines")
        hunks = [tuple("".join(f"{line[1:]}\n" for line in part if line[0] in side) for side in (" -", " +")) for part in parts]
        mutants[words[0]] = Mutant(words[0], words[1], tuple((old, new) for old, new in hunks), reports)
    return list(mutants.values())


def killer(name: str, verdict: results.Verdict, last: str, console: str = "") -> str:
    """Name the test that noticed, "" if none did; of a guest that did not end, the test it hung in.

    NO_RESULT if none did, and its console is not whole.
    """
    if not verdict.unexpected and results.lost(console):
        raise LabError(Status.NO_RESULT, f"{name}: {results.lost(console)}", "let the guest have a larger log_buf_len (lab/vm.py)")
    if verdict.unexpected:
        more = len(verdict.unexpected) - 1
        return f"{name} {verdict.unexpected[0]}{f' and {more} more' if more else ''}"
    return f"{name} {last} does not end" if verdict.status and last else ""


def test(job: Job, src: Path, place: Path, reports: str) -> str:
    """Boot the KUnit suite, then, if nothing was noticed, the kit; give the killer. What must report itself only needs the kit."""
    if reports:
        job.guest(str(place.relative_to(job.place)), src, results.PATCHED)
        said = re.search(reports, vm.logs(place)[1])
        return f"the kernel: {said[0]}" if said else ""
    verdict = kunit.run(place, src, kunit.read_reports(ROOT / "intree/reports", *job.names))
    console = vm.logs(place, "kunit")[1]
    cases = re.findall(r"(?:not )?ok \d+ (?:- )?(\S+)", console)
    found = killer("KUnit", verdict, f"after {cases[-1]}" if cases else "", console)
    if found or verdict.status:
        return found
    verdict = job.guest(str(place.relative_to(job.place)), src, results.PATCHED)
    console = vm.logs(place)[1]
    return killer("kit", verdict, results.Console.parse(console).last_case, console)


def unharmed(job: Job, src: Path, place: Path, mutants: list[Mutant]) -> None:
    """Raise TEST_FAILED if the tests find fault with the kernel without a mutant, or it reports one: they would with any."""
    found = test(job, src, place, "")
    console = vm.logs(place)[1]
    said = [match[0] for one in mutants if one.reports and (match := re.search(one.reports, console))]
    found = found or (f"it says {said[0]!r}" if said else "") or ("" if console else "the kit did not run")
    if found:
        raise LabError(Status.TEST_FAILED, f"{found}, on the kernel without a mutant", f"make run BASE={job.base.name}")


def run(job: Job, only: str = "") -> list[str]:
    """Build and test each mutant (or the one named `only`); print who killed it, give the survivors."""
    mutants = [one for one in read_mutants(ROOT / "proof/mutants" / job.base.name) if only in ("", one.name)]
    if not mutants:
        raise LabError(Status.USAGE, f"no mutant {only} in mutants/{job.base.name}")
    host.need({**host.BUILD, **host.GUEST}, job.build / "host.log")
    survivors, killed = [], {}
    with station.lock(job.place):
        identity = job.patched()
        place, src = job.place / "mutants", job.place / "mutants/src"
        if not only:
            (job.place / "mutants.json").unlink(missing_ok=True)
        shutil.rmtree(place, ignore_errors=True)
        shell = Shell(place / "mutants.log")
        series.copy_tree(shell, job.place / "patched/src", src)
        for name in ("kit", "initrd.cpio"):  # the same as of the patched kernel: no mutant changes a header
            shell.run(["cp", "-a", (job.place / "patched" / name).absolute(), place], Status.NO_SOURCE)
        unharmed(job, src, place, mutants)
        for number, mutant in enumerate(mutants, 1):
            path = src / mutant.file
            good = path.read_text(encoding="utf-8")
            bad = mutant.apply(good)
            path.unlink()  # a hard link to the patched tree
            path.write_text(bad, encoding="utf-8")
            stale = (src / "O" / mutant.file).with_suffix(".o")
            stale.unlink(missing_ok=True)  # a clock that steps back must not hide a change from make
            try:
                kbuild.image(shell, src, job.cache, Progress(f"mutant {number} of {len(mutants)}, {mutant.name}", lambda: ""))
                found = test(job, src, place, mutant.reports)
            finally:
                path.write_text(good, encoding="utf-8")
                stale.unlink(missing_ok=True)
            print(f"  {'killed by ' + found if found else 'SURVIVED'}: {mutant.name}", flush=True)
            if found:
                killed[mutant.name] = found
            else:
                survivors.append(mutant.name)
        kept = job.place / "mutants.json"
        earlier = json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else {}
        same = (earlier.get("source"), earlier.get("series")) == (identity, job.series_key)
        if not only or same:  # of a single mutant, beside what was seen of the others on the same kernel
            earlier = earlier if only else {"killed": {}, "survivors": []}
            names = [one.name for one in mutants]
            found_now = {**{name: how for name, how in earlier["killed"].items() if name not in names}, **killed}
            left = [name for name in earlier["survivors"] if name not in names] + survivors
            station.write_atomic(kept, json.dumps({"base": job.base.name, "source": identity, "qemu": vm.version(),
                                                   "series": job.series_key, "killed": found_now, "survivors": left}, indent=1) + "\n")
    print(f"\nbase {job.base.name}: {len(killed)} of {len(mutants)} mutants killed"
          + (f"; SURVIVED: {', '.join(survivors)}" if survivors else ""))
    return survivors
