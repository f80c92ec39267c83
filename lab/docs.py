# SPDX-License-Identifier: GPL-2.0-only
"""The tables of README.md, docs/results.md and docs/bench.md, and the data they are made from.

docs/results/<base>.json is what the last recorded run and revert of a base gave
(`python3 -m lab docs --record`), docs/bench/<base>.json what `bench` did, docs/soak/<base>.json what `soak` did; the tables are made from these and series/.
"""

import json
import re
from datetime import date
from email import message_from_bytes
from email.header import decode_header, make_header
from pathlib import Path
from typing import Any

from lab import figures
from lab.data import Base, read_bases, read_series, slug
from lab.errors import LabError, Status
from lab.series import only_tests, touched
from lab.station import write_atomic

MARKS = re.compile(r"(<!-- generated: python3 -m lab docs -->\n).*?(<!-- end of generated -->)", re.DOTALL)
PAGES = ("README.md", "docs/results.md", "docs/bench.md")
Result = dict[str, Any]


def record(root: Path, build: Path, base: str) -> Path:
    """Keep what the last run of a base gave, and the last revert, or what was kept of an earlier one.

    NO_RESULT if there was no run, or it failed.
    """
    place, target = build / base, root / "docs/results" / f"{base}.json"
    earlier: Result = json.loads(target.read_text(encoding="utf-8")) if target.exists() else {}
    try:
        report: Result = json.loads((place / "report.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise LabError(Status.NO_RESULT, f"{place}/report.json is missing", f"make run BASE={base}") from None
    judged = [*report["flavours"].values(), *report.get("selftests", {}).values(), *([report["kunit"]] if "kunit" in report else [])]
    if any(verdict["status"] for verdict in judged):
        raise LabError(Status.NO_RESULT, f"the last run of {base} was not as expected; it is not recorded")
    flavours = {name: flavour["cases"] for name, flavour in report["flavours"].items()}
    kept: Result = {key: report[key] for key in ("base", "source", "compiler", "qemu", "patches")}
    kept["note"] = report.get("note", "")
    kept["date"] = date.today().isoformat()
    kept["cases"] = {name: {**{flavour: cases[name]["result"] for flavour, cases in flavours.items()}, "reason": case["reason"]}
                     for name, case in next(iter(flavours.values())).items()}
    without = of_the_run(report, place / "revert.json")
    kept["without"] = without["fails"] if without else earlier.get("without", {})
    kept["reverted"] = kept["date"] if without else earlier.get("reverted", earlier.get("date", ""))
    kept["kunit"] = report.get("kunit", {}).get("cases", {})
    kept["selftests"] = report.get("selftests", {})
    kept["before"] = without["before"] if without else earlier.get("before", {})
    mutated = of_the_run(report, place / "mutants.json")
    kept["mutants"] = {**mutated, "date": kept["date"]} if mutated else earlier.get("mutants", {})
    target.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(target, json.dumps(kept, indent=1) + "\n")
    return target


def of_the_run(report: Result, path: Path) -> Result:
    """Read what another verb left of the kernel and the series that were run; {} for nothing, or of others."""
    found: Result = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return found if all(found.get(key) == report[key] for key in ("source", "series")) else {}


def results(root: Path) -> dict[str, Result]:
    """Read what is recorded, by base."""
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted((root / "docs/results").glob("*.json"))}


def counts(result: Result, flavour: str) -> str:
    """Say how many cases of a flavour passed, failed and were skipped."""
    found = [case[flavour] for case in result["cases"].values() if flavour in case]
    return count(found) if found else "-"


def count(found: list[str]) -> str:
    """Count outcomes."""
    return ", ".join(f"{found.count(word)} {name}" for word, name in
                     (("pass", "pass"), ("fail", "fail"), ("skip", "skipped")) if found.count(word) or word == "fail")


def kunit(result: Result) -> str:
    """Say how many KUnit cases passed, or nothing for a base without the suite."""
    found = list(result.get("kunit", {}).values())
    return f"; KUnit {count(found)}" if found else ""


def selftests(result: Result) -> list[str]:
    """A row per program of the kernel tree's selftests, and what was left out."""
    tested: dict[str, Result] = result.get("selftests", {})
    if not tested:
        return []
    lines = ["The kernel's own selftests, each in a boot of its own:", "", "| program | from | stock | with the series |", "|---|---|---|---|"]
    for name, found in tested.items():
        if name == "test_hmm.sh":  # not in a guest
            continue
        cells = [count(list(found[flavour].values())) if flavour in found else "-" for flavour in ("stock", "patched")]
        lines.append(f"| {name} | the {'stock tree' if found['tree'] == 'stock' else 'series'} | {' | '.join(cells)} |")
    if "test_hmm.sh" in tested:
        cells = [count(list(tested["test_hmm.sh"][flavour].values())) for flavour in ("stock", "patched") if flavour in tested["test_hmm.sh"]]
        lines.append(f"\ntest_hmm.sh with stubs for modprobe, modinfo, id and the programs, outside a guest: stock {'; with the series '.join(cells)}."
                     if len(cells) == 2 else f"\ntest_hmm.sh with stubs, outside a guest, with the series: {cells[0]}.")
    lines += [f"\n{name} runs without `{test}`: {reason}." for name, found in tested.items() for test, reason in found["left_out"].items()]
    lines += [f"\n{name} on stock with nothing of the series but its tests: {count(list(found.values()))}." for name, found in result.get("before", {}).items()]
    return [*lines, ""]


def subject(patch: Path) -> str:
    """Give a patch's subject, on one line and without the prefix."""
    raw = message_from_bytes(patch.read_bytes())["Subject"]
    return re.sub(r"^\[[^]]*\] ", "", re.sub(r"\s+", " ", str(make_header(decode_header(raw)))))


def base_table(bases: dict[str, Base], recorded: dict[str, Result]) -> list[str]:
    """A row per base: what it is, and what the kit says before and after."""
    lines = ["| base | last recorded on | stock kernel | with the series | what it is for |", "|---|---|---|---|---|"]
    for base in bases.values():
        result = recorded.get(base.name)
        cells = [result["source"], counts(result, "stock"), counts(result, "patched") + kunit(result)] if result else ["not run", "", ""]
        lines.append(f"| {' | '.join([base.name, *cells, base.purpose])} |")
    return lines


def patch_table(root: Path, base: str, recorded: dict[str, Result]) -> list[str]:
    """A row per patch: subject, and the cases and programs seen failing with all the others but without it."""
    lines = ["| patch | what fails without it |", "|---|---|"]
    for name in read_series(root / "series" / base):
        failing = recorded.get(base, {}).get("without", {}).get(slug(name))
        if only_tests(root / "series" / base / name):
            cell = "tests" if any("test" in path for path in touched([root / "series" / base / name])) else "documentation"
        elif failing is None:
            cell = "not run"
        else:
            cell = f"{len(failing)}: {', '.join(f'`{case}`' for case in failing)}"
        lines.append(f"| [{subject(root / 'series' / base / name)}](series/{base}/{name}) | {cell} |")
    return lines


def result_pages(recorded: dict[str, Result]) -> list[str]:
    """The cases of every base, one by one."""
    lines = []
    for base, result in recorded.items():
        reverted = f", `make revert BASE={base}` on {when}" if (when := result.get("reverted", result["date"])) else ""
        lines += [f"## {base}: {result['source']}", "", f"`make run BASE={base}` on {result['date']}{reverted}; "
                  f"{result['compiler']}; {result['qemu']}.", "", f"Stock: {counts(result, 'stock')}. With the series: "
                  f"{counts(result, 'patched')}{kunit(result)}.{result.get('note', '')}", "", *selftests(result), "| case | stock | with the series | what the stock kernel does |",
                  "|---|---|---|---|"]
        lines += [f"| {name} | {case.get('stock', '-')} | {case['patched']} | {case['reason']} |" for name, case in result["cases"].items()]
        lines += ["", *mutants(base, result.get("mutants", {}))]
    return lines


def mutants(base: str, kept: Result) -> list[str]:
    """A row per wrong change that was tried: the test that noticed."""
    if not kept:
        return []
    survivors = kept["survivors"]
    return [f"`make mutants BASE={base}` on {kept['date']}, {kept['source']}: {len(kept['killed'])} of {len(kept['killed']) + len(survivors)} "
            f"wrong changes were noticed{'; not ' + ', '.join(survivors) if survivors else ''}.", "", "| wrong change | noticed by |", "|---|---|",
            *(f"| {name} | {killer} |" for name, killer in kept["killed"].items()), ""]


def headline(newest: str, recorded: dict[str, Result], cost: dict[str, figures.Data], soak: dict[str, figures.Data]) -> list[str]:
    """The three numbers that matter, as far as they were measured."""
    said = []
    if newest in recorded:
        cases = recorded[newest]["cases"].values()
        before, after = (sum(case[flavour] == "fail" for case in cases) for flavour in ("stock", "patched"))
        said.append(f"of the kit's {len(cases)} cases {before} fail on a stock {newest} kernel and {after} with the series")
    if newest in cost:
        said.append(figures.summary(newest, cost[newest]))
    if newest in soak:
        said.append(figures.soaked(newest, soak[newest]))
    return ["## In numbers", "", *(f"- {text[0].upper()}{text[1:]}." for text in said), ""] if said else []


def pages(root: Path) -> dict[Path, str]:
    """Give the pages with their generated parts made anew."""
    bases, recorded = read_bases(root / "series/bases"), results(root)
    newest = next(iter(bases))
    cost, soak = figures.read(root, "bench"), figures.read(root, "soak")
    body = {
        "README.md": ["", *headline(newest, recorded, cost, soak), "## Bases", "", *base_table(bases, recorded), "", "Case by case: [docs/results.md](docs/results.md).", "",
                      f"## Patches ({newest})", "", *patch_table(root, newest, recorded), ""],
        "docs/results.md": ["", *figures.campaigns(soak), *result_pages(recorded)],
        "docs/bench.md": ["", *figures.pages(cost)],
    }
    made = {}
    for name in PAGES:
        path = root / name
        text = path.read_text(encoding="utf-8")
        parts = MARKS.split(text)
        if len(parts) != 4:
            raise LabError(Status.USAGE, f"{name} has {len(parts) // 3} generated parts, not 1")
        made[path] = parts[0] + parts[1] + "\n".join(body[name]) + "\n" + parts[2] + parts[3]
    return made


def stale(root: Path) -> list[str]:
    """Find the pages whose tables are not what the data say."""
    return [f"{path.relative_to(root)} is not what its data say: python3 -m lab docs"
            for path, text in pages(root).items() if path.read_text(encoding="utf-8") != text]


def write(root: Path) -> None:
    """Make the tables anew."""
    for path, text in pages(root).items():
        write_atomic(path, text)
