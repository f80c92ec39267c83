# SPDX-License-Identifier: GPL-2.0-only
"""The verb `report`: the last `run` as KCIDB 5.3, JUnit or KTAP. Nothing is sent anywhere.

KCIDB: the schema of kernelci/kcidb-io. JUnit: a suite for each program and kernel.
"""

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from lab.base.errors import LabError, Status
from lab.base.memory import key, read_json, write_atomic
from lab.kernel.bases import Stack
from lab.kernel.source import Source, commit
from lab.verbs.context import Context, series_key, unknown

VERSION = {"major": 5, "minor": 3}
FORMATS = {"kcidb": "report.kcidb.json", "junit": "report.junit.xml", "ktap": "report.ktap"}
ORIGIN = re.compile(r"[a-z0-9_]+")  # of KCIDB ids: the system that reports
STATUS = {"pass": "PASS", "fail": "FAIL", "skip": "SKIP"}
KERNELS = ("stock", "patched")


@dataclass(frozen=True)
class Test:
    """One result: the program, the kernel, the case, and whether it is as expected."""

    program: str
    kernel: str
    name: str
    outcome: str  # pass, fail or skip
    reason: str
    expected: bool


def results(report: dict[str, Any]) -> Iterator[Test]:
    for kernel, found in report["kernels"].items():
        for name, case in found["cases"].items():
            yield Test("kit", kernel, name, case["result"], case["reason"], case["expected"])
    for name, outcome in report.get("kunit", {}).get("cases", {}).items():
        yield Test("kunit", "patched", name, outcome, "", outcome != "fail")
    for program, found in report["selftests"].items():
        for kernel in filter(found.__contains__, KERNELS):
            for name, outcome in found[kernel].items():
                fine = kernel == "stock" or outcome != "fail" or found["tree"] == "stock"
                yield Test(program, kernel, name, outcome, "", fine)


def patchset(stack: Stack) -> str:
    """Give what `sha256sum *.patch | cut -c-64 | sha256sum` prints for the patches in order."""
    each = (hashlib.sha256(path.read_bytes()).hexdigest() for path in stack.queue)
    return hashlib.sha256("".join(f"{one}\n" for one in each).encode()).hexdigest()


def git_hash(source: Source) -> dict[str, str]:
    """Give the commit of TREE=, if that is a git repository; a package has none."""
    found = commit(source.tree) if source.tree else ""
    return {"git_commit_hash": found} if re.fullmatch("[0-9a-f]{40}", found) else {}


def as_kcidb(report: dict[str, Any], stack: Stack, source: Source, origin: str) -> str:
    kernels = [one for one in KERNELS if one in report["kernels"]]
    unique = key(*(str(report[word]) for word in ("base", "source", "series", "date")))[:16]
    ids = {one: f"{origin}:{report['base']}-{one}-{unique}" for one in kernels}
    about = {"origin": origin, "start_time": f"{report['date']}T00:00:00+00:00"}
    checkouts = [{**about, "id": ids[one], "comment": report["source"], "valid": True,
                  "patchset_hash": patchset(stack) if one == "patched" else "",
                  **git_hash(source)} for one in kernels]
    builds = [{**about, "id": ids[one], "checkout_id": ids[one], "status": "PASS",
               "architecture": stack.base.arch[0], "compiler": report["compiler"]}
              for one in kernels]
    tests = []
    for number, test in enumerate(results(report)):
        words = (test.program, *re.split(r"[.:]\s*", test.name))
        path = ".".join(re.sub(r"[^A-Za-z0-9_-]+", "_", word) for word in words if word)
        note = {"comment": test.reason} if test.reason else {}
        tests.append({**about, "id": f"{ids[test.kernel]}-{number}", "build_id": ids[test.kernel],
                      "path": path, "status": STATUS[test.outcome],
                      "environment": {"comment": report["qemu"]}, **note,
                      "misc": {"as_expected": test.expected}})
    return json.dumps({"version": VERSION, "checkouts": checkouts, "builds": builds,
                       "tests": tests}, indent=1) + "\n"


def as_junit(report: dict[str, Any]) -> str:
    """Give JUnit: a failure is a result that is not as expected of that kernel."""
    top = ElementTree.Element("testsuites", name=f"{report['base']} {report['source']}")
    suites: dict[str, ElementTree.Element] = {}
    for test in results(report):
        name = f"{test.program} {test.kernel}"
        if name not in suites:
            suites[name] = ElementTree.SubElement(top, "testsuite", name=name)
        case = ElementTree.SubElement(suites[name], "testcase", name=test.name, classname=name)
        if test.outcome == "skip":
            ElementTree.SubElement(case, "skipped", message=test.reason)
        elif not test.expected:
            ElementTree.SubElement(case, "failure", message=test.reason or test.outcome)
        elif test.outcome == "fail":
            ElementTree.SubElement(case, "system-out").text = f"fails as expected: {test.reason}"
    for suite in suites.values():
        for count, tag in (("tests", "testcase"), ("failures", "failure"), ("skipped", "skipped")):
            suite.set(count, str(len(list(suite.iter(tag)))))
    ElementTree.indent(top)
    return ElementTree.tostring(top, encoding="unicode", xml_declaration=True) + "\n"


def read(place: Path, stack: Stack) -> dict[str, Any]:
    report = read_json(place / stack.file("report.json"))
    again = f"make run {stack.command}"
    if not report or "kernels" not in report:
        raise LabError(Status.NO_RESULT, f"no whole run of {stack.name} to report", again)
    if report["series"] != series_key(stack):
        raise LabError(Status.NO_RESULT, "the last run had another series than that of now", again)
    return report


def run(context: Context, stack: Stack) -> None:
    """Write the last run of a base in FORMAT= to build/BASE, and print the path."""
    chosen, origin = context.word("FORMAT") or "kcidb", context.word("ORIGIN") or "mmu_notifier"
    if chosen not in FORMATS:
        raise unknown("format", chosen, list(FORMATS))
    if not ORIGIN.fullmatch(origin):
        raise LabError(Status.USAGE, f"ORIGIN={origin} is no KCIDB origin",
                       "it has a-z, 0-9 and _ only")
    source = context.source(stack)
    report, target = read(source.place, stack), source.place / stack.file(FORMATS[chosen])
    if chosen == "kcidb":
        write_atomic(target, as_kcidb(report, stack, source, origin))
    elif chosen == "junit":
        write_atomic(target, as_junit(report))
    print(f"{target}: {sum(1 for _ in results(report))} results")
