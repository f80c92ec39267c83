# SPDX-License-Identifier: GPL-2.0-only
"""The tests pass at every patch from the one on that adds them, not only at the end of the series."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

from lab import host, kunit, results, script, selftests, series, station, vm
from lab.data import Selftest, read_selftests, slug
from lab.errors import LabError, Status
from lab.job import GUESTS, KUNIT, ROOT, Job, proof
from lab.proc import Shell, parallel

Found = dict[str, results.Verdict]


def at_patch(job: Job, identity: str, src: Path, number: int, programs: list[Selftest]) -> Found:
    """Build the kernel and the programs of a tree that has the patches up to `number`; give what they say, by title."""
    place = job.place / "steps"
    at = station.key(identity, job.series_key, str(number))
    job.compile("steps", src, at)
    guests: dict[str, Callable[[], results.Verdict]] = {}
    if kunit.suites(src):
        guests[KUNIT] = partial(kunit.run, place, src, kunit.read_reports(ROOT / "intree/reports", *job.names))
    tested = selftests.build(place / "selftests", programs, {"stock": (job.pristine, identity), "series": (src, at)})
    guests |= {built.test.name: partial(selftests.run, place, src, place / "selftests/initrd.cpio", built) for built in tested}
    found = parallel(guests, GUESTS)
    for built in tested:
        selftests.all_pass(found[built.test.name], built.test.skip)
        if found[built.test.name].status:
            vm.forget(place, built.test.name)
    return found


def of_the_run(job: Job, identity: str) -> Found:
    """Give what `run` saw on the whole series, {} if that is not there or was not as expected: the last kernel is the patched one."""
    path = job.place / "report.json"
    report = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    if report.get("key") != proof(job, identity, "run", "").key:
        return {}
    found = {name: one for name, one in report["selftests"].items() if one["tree"] == "series" and name != script.NAME}
    cases = {name: one["patched"] for name, one in found.items()}
    if "kunit" in report:
        found[KUNIT], cases[KUNIT] = report["kunit"], report["kunit"]["cases"]
    return {} if any(one["status"] for one in found.values()) else {title: results.Verdict(outcomes=outcomes) for title, outcomes in cases.items()}


def kept(known: dict[str, dict[str, str]]) -> Found:
    """Give what a proof has kept."""
    return {title: results.Verdict(outcomes=outcomes) for title, outcomes in known.items()}


def run(job: Job) -> None:
    """Go back from the end of the series, patch by patch, to the first that adds tests; run at each what there is."""
    host.need({**host.BUILD, **host.GUEST}, job.build / "host.log")
    first = next((number for number, path in enumerate(job.patches) if series.only_tests(path)), len(job.patches))
    programs = [test for test in read_selftests(ROOT / "configs/selftests") if test.tree == "series"]
    rows = []
    with station.lock(job.place):
        identity = job.patched()
        place, src = job.place / "steps", job.place / "steps/src"
        shell = Shell(place / "steps.log")
        numbers = range(len(job.patches) - 1, first - 1, -1)
        # Where only words change, or a script, the kernel is that of the patch before.
        touched = {number: series.touched([job.patches[number]]) for number in numbers}
        words = {number for number in numbers if series.only_words(job.patches[number].read_text(encoding="utf-8"))}
        scripts = {number for number in numbers if all(name.endswith(".sh") for name in touched[number])}
        last = max((number for number in numbers if number not in words | scripts), default=-1)
        mended = min((number for number in numbers if any(name.endswith(script.NAME) for name in touched[number])), default=len(job.patches))
        proofs = {number: proof(job, identity, "steps", slug(job.patches[number].name)) for number in numbers if number not in words}
        walk = not all(known.get() for known in proofs.values())
        if walk:
            series.copy_tree(shell, job.place / "patched/src", src)
        for number in numbers:
            name = slug(job.patches[number].name)
            if walk and number < len(job.patches) - 1:
                series.back(shell, src, job.patches[number + 1])
            if number in words:
                rows.append(f"  {name.ljust(24)}only words")
                continue
            found = kept(proofs[number].get() or {})
            if found:
                print(f"  at {name}: cached")
            else:
                if number not in scripts:
                    found = (number == last and of_the_run(job, identity)) or at_patch(job, identity, src, number, programs)
                told = script.run(src) if number >= mended else None
                found |= {script.NAME: told} if told else {}
                if not found:
                    raise LabError(Status.NO_RESULT, f"no test to run at {job.patches[number].name}")
                if not any(verdict.status for verdict in found.values()):
                    proofs[number].put({title: verdict.outcomes for title, verdict in found.items()})
            for title, verdict in found.items():
                job.tally.verdict(f"{title} at {name} ({place})", verdict)
            counts = (f"{title} {sum(outcome == 'pass' for outcome in verdict.outcomes.values())}{' NOT OK' if verdict.status else ''}"
                      for title, verdict in found.items())
            rows.append(f"  {name.ljust(24)}{', '.join(counts)}")
    print(f"\nbase {job.base.name}: the tests that pass at each patch, the last one first", *rows, sep="\n")
