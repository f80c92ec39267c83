# SPDX-License-Identifier: GPL-2.0-only
"""The tests pass at every patch from the one on that adds them, not only at the end of the series."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from lab import host, kunit, results, selftests, series, station, vm
from lab.data import Selftest, read_selftests, slug
from lab.errors import LabError, Status
from lab.job import GUESTS, KUNIT, ROOT, Job, problems, proof
from lab.proc import Shell, parallel


def at_patch(job: Job, identity: str, src: Path, number: int, programs: list[Selftest]) -> dict[str, results.Verdict]:
    """Build the kernel and the programs of a tree that has the patches up to `number`; give what they say, by title."""
    place = job.place / "steps"
    at = station.key(identity, job.series_key, str(number))
    job.compile("steps", src, at)
    guests: dict[str, Callable[[], results.Verdict]] = {}
    if kunit.suites(src):
        guests[KUNIT] = partial(kunit.run, place, src, kunit.read_reports(ROOT / "intree/reports", *job.names))
    tested = selftests.build(place / "selftests", programs, {"stock": (job.pristine, identity), "series": (src, at)})
    guests |= {built.test.name: partial(selftests.run, place, src, place / "selftests/initrd.cpio", built) for built in tested}
    if not guests:
        raise LabError(Status.NO_RESULT, f"no test to run at {job.patches[number].name}")
    found = parallel(guests, GUESTS)
    for built in tested:
        selftests.all_pass(found[built.test.name], built.test.skip)
        if found[built.test.name].status:
            vm.forget(place, built.test.name)
    return found


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
        # Where only words change, the kernel is that of the patch before.
        proofs = {number: proof(job, identity, "steps", slug(job.patches[number].name)) for number in numbers
                  if not series.only_words(job.patches[number].read_text(encoding="utf-8"))}
        walk = not all(known.get() for known in proofs.values())
        if walk:
            series.copy_tree(shell, job.place / "patched/src", src)
        for number in numbers:
            name = slug(job.patches[number].name)
            if walk and number < len(job.patches) - 1:
                series.back(shell, src, job.patches[number + 1])
            if number not in proofs:
                rows.append(f"  {name.ljust(24)}only words")
                continue
            known = proofs[number]
            kept = known.get()
            if kept:
                print(f"  at {name}: cached")
                found = {title: results.Verdict(outcomes=outcomes) for title, outcomes in kept.items()}
            else:
                found = at_patch(job, identity, src, number, programs)
                if not any(verdict.status for verdict in found.values()):
                    known.put({title: verdict.outcomes for title, verdict in found.items()})
            for title, verdict in found.items():
                job.tally.verdict(verdict)
                problems(f"{title} at {name} ({place})", verdict)
            counts = (f"{title} {sum(outcome == 'pass' for outcome in verdict.outcomes.values())}{' NOT OK' if verdict.status else ''}"
                      for title, verdict in found.items())
            rows.append(f"  {name.ljust(24)}{', '.join(counts)}")
    print(f"\nbase {job.base.name}: the tests that pass at each patch, the last one first", *rows, sep="\n")
