# SPDX-License-Identifier: GPL-2.0-only
"""The tests pass at every patch from the one on that adds them, not only at the end of the series."""

from lab import host, kunit, results, selftests, series, station, vm
from lab.data import read_selftests, slug
from lab.job import ROOT, Job, problems
from lab.proc import Shell


def run(job: Job) -> None:
    """Go back from the end of the series, patch by patch, to the first that adds tests; run at each what there is."""
    host.need({**host.BUILD, **host.GUEST}, job.build / "host.log")
    first = next((number for number, path in enumerate(job.patches) if series.only_tests(path)), len(job.patches))
    programs = [test for test in read_selftests(ROOT / "configs/selftests") if test.tree == "series"]
    announced = kunit.read_reports(ROOT / "intree/reports", *job.names)
    rows = []
    with station.lock(job.place):
        identity = job.patched()
        place, src = job.place / "steps", job.place / "steps/src"
        shell = Shell(place / "steps.log")
        series.copy_tree(shell, job.place / "patched/src", src)
        for number in range(len(job.patches) - 1, first - 1, -1):
            name = slug(job.patches[number].name)
            if number < len(job.patches) - 1:
                series.back(shell, src, job.patches[number + 1])
            at = station.key(identity, job.series_key, str(number))
            job.compile("steps", src, at)
            found: dict[str, results.Verdict] = {}
            if kunit.suites(src):
                found["KUnit"] = kunit.run(place, src, announced)
            for built in selftests.build(place / "selftests", programs, {"stock": (job.pristine, identity), "series": (src, at)}):
                verdict = selftests.run(place, src, place / "selftests/initrd.cpio", built)
                selftests.all_pass(verdict, built.test.skip)
                if verdict.status:
                    vm.forget(place, built.test.name)
                found[built.test.name] = verdict
            for title, verdict in found.items():
                job.tally.verdict(verdict)
                problems(f"{title} at {name} ({place})", verdict)
            counts = (f"{title} {sum(outcome == 'pass' for outcome in verdict.outcomes.values())}{' NOT OK' if verdict.status else ''}"
                      for title, verdict in found.items())
            rows.append(f"  {name.ljust(24)}{', '.join(counts)}")
    print(f"\nbase {job.base.name}: the tests that pass at each patch, the last one first", *rows, sep="\n")
