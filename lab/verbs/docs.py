# SPDX-License-Identifier: GPL-2.0-only
"""The verb "docs": the record of a run, and the generated pages.

docs/results/STACK.json is what the last recorded run, revert and mutants of a stack gave,
docs/bench/STACK.json what bench gave, docs/soak/STACK.json what soak gave, docs/field.json what
field gave. The generated parts of the pages in docs/ are made from these and from series/.
"""

import re
from datetime import date
from pathlib import Path

from lab.base.errors import LabError, Status
from lab.base.memory import read_json, write_atomic, write_json
from lab.kernel.bases import Series, Stack
from lab.verbs import pages
from lab.verbs.pages import Data

OF_OTHERS = ("without", "before", "reverted", "mutants")  # what revert and mutants gave
MARKS = re.compile(r"(<!-- generated: make docs -->\n).*?(<!-- end of generated -->)", re.DOTALL)


def record(root: Path, place: Path, stack: Stack) -> Path:
    """Keep what the last run of a stack left in `place`, and what revert and mutants left.

    Of these an earlier record stays if the kernel or the series has changed since. NO_RESULT if
    there was no run, or it failed.
    """
    target = root / f"docs/results/{stack.name}.json"
    report, earlier = read_json(place / stack.file("report.json")), read_json(target)
    if "kernels" not in report:
        raise LabError(Status.NO_RESULT, f"{place / stack.file('report.json')} has no whole run",
                       f"make run {stack.command}")
    kernels = report["kernels"]
    judged = [*kernels.values(), *report.get("selftests", {}).values(), report.get("kunit", {})]
    if any(verdict.get("status") for verdict in judged):
        raise LabError(Status.NO_RESULT, f"the last run of {stack.name} was not as expected; "
                       "it is not recorded")

    def left(name: str) -> Data:
        found = read_json(place / stack.file(name))
        return found if all(found.get(one) == report[one] for one in ("source", "series")) else {}

    today = date.today().isoformat()
    kept = {"reverted": "", **{name: earlier[name] for name in OF_OTHERS if name in earlier},
            **{name: report[name] for name in ("base", "source", "compiler", "qemu", "patches")},
            "note": report.get("note", ""), "date": today,
            "kunit": report.get("kunit", {}).get("cases", {}),
            "selftests": report.get("selftests", {})}
    kept["cases"] = {
        name: {**{kernel: one["cases"][name]["result"] for kernel, one in kernels.items()},
               "reason": case["reason"]}
        for name, case in next(iter(kernels.values()))["cases"].items()}
    if reverted := left("revert.json"):
        kept |= {"without": reverted["fails"], "before": reverted["before"], "reverted": today}
    if mutated := left("mutants.json"):
        kept["mutants"] = {**mutated, "date": today}
    target.parent.mkdir(parents=True, exist_ok=True)
    write_json(target, kept)
    return target


def made(series: Series) -> dict[Path, str]:
    results, cost, soak = (
        {stack: data for stack in series.recorded()
         if (data := read_json(series.root / "docs" / kind / f"{stack.name}.json"))}
        for kind in ("results", "bench", "soak"))
    found = {}
    for name, lines in (("status", pages.status(series, results, cost, soak)),
                        ("results", [*pages.campaigns(soak), *pages.results(results),
                                     *pages.model(read_json(series.root / "docs/model.json"))]),
                        ("bench", pages.costs(cost)),
                        ("field", pages.field(read_json(series.root / "docs/field.json")))):
        path = series.root / f"docs/{name}.md"
        parts = MARKS.split(path.read_text(encoding="utf-8"))
        if len(parts) != 4:
            raise LabError(Status.USAGE, f"{path} has {len(parts) // 3} generated parts, not 1")
        found[path] = "".join([*parts[:2], "\n".join(["", *lines, ""]), *parts[2:]])
    return found


def stale(series: Series) -> list[str]:
    return [f"{path.relative_to(series.root)} differs from its data: make docs"
            for path, text in made(series).items() if path.read_text(encoding="utf-8") != text]


def write(series: Series) -> None:
    for path, text in made(series).items():
        write_atomic(path, text)
