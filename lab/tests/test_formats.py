# SPDX-License-Identifier: GPL-2.0-only
"""KCIDB and JUnit out of a report.json, each read again, and what is refused."""

import json
import re
from typing import Any
from xml.etree import ElementTree

from lab.base.errors import Status
from lab.cli import parse
from lab.tests.repository import Repository, base, part
from lab.verbs import formats
from lab.verbs.context import Context, series_key

ID, PATH = r"fleet:[^\0]+", r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*"
PATCH = "Subject: [PATCH] mm: x\n\n--- a/mm/a.c\n+++ b/mm/a.c\n@@ -0,0 +1 @@\n+a;\n"


class Formats(Repository):
    def setUp(self) -> None:
        super().setUp()
        self.series = self.list_bases(base("6.12", part("core")))
        self.queue("6.12/core", ("0001-one", PATCH))
        self.stack = self.series.stack("6.12", "")
        case = {"result": "fail", "reason": "2 < 1 & more", "expected": True}
        passed = {"result": "pass", "reason": "", "expected": True}
        self.report: dict[str, Any] = {
            "base": "6.12", "source": "linux 1", "compiler": "gcc", "qemu": "QEMU 7", "date":
            "2026-11-29", "series": series_key(self.stack), "kernels": {
                "stock": {"cases": {"a": case, "b": passed}},
                "patched": {"cases": {"a": passed, "b": {**case, "expected": False}}}},
            "kunit": {"cases": {"k: n 1 of 2": "skip"}},
            "selftests": {"hmm.sh": {"tree": "series", "patched": {"f.v.t": "fail"}}}}

    def written(self, *words: str) -> str:
        self.write("build/6.12/report.json", json.dumps(self.report))
        given = dict(word.split("=") for word in words)
        output = self.quietly(formats.run, Context(self.series, self.root / "build", given),
                              self.stack)
        return (self.root / output.split(":")[0]).read_text()

    def test_kcidb(self) -> None:
        found = json.loads(self.written("ORIGIN=fleet"))
        self.assertEqual(found["version"], {"major": 5, "minor": 3})
        for name, above in (("checkouts", None), ("builds", "checkout"), ("tests", "build")):
            ids = [one["id"] for one in found[name]]
            self.assertEqual(len(ids), len(set(ids)), name)
            for one in found[name]:
                self.assertRegex(one["id"], f"^{ID}$")
                self.assertNotIn("git_commit_hash", one)
                if above:
                    self.assertIn(one[f"{above}_id"], [up["id"] for up in found[f"{above}s"]])
        self.assertEqual([len(one["patchset_hash"]) for one in found["checkouts"]], [0, 64])
        self.assertEqual([(one["path"], one["status"]) for one in found["tests"]], [
            ("kit.a", "FAIL"), ("kit.b", "PASS"), ("kit.a", "PASS"), ("kit.b", "FAIL"),
            ("kunit.k.n_1_of_2", "SKIP"), ("hmm_sh.f.v.t", "FAIL")])
        for one in found["tests"]:
            self.assertRegex(one["path"], f"^{PATH}$")

    def test_junit(self) -> None:
        top = ElementTree.fromstring(self.written("FORMAT=junit"))
        self.assertEqual([(one.get("name"), one.get("tests"), one.get("failures")) for one in top],
                         [("kit stock", "2", "0"), ("kit patched", "2", "1"),
                          ("kunit patched", "1", "0"), ("hmm.sh patched", "1", "1")])
        self.assertEqual(top.findtext(".//system-out"), "fails as expected: 2 < 1 & more")

    def test_refusals(self) -> None:
        for words, status, said in ((["FORMAT=xml"], Status.USAGE, "kcidb junit ktap"),
                                    (["ORIGIN=a-b"], Status.USAGE, "a-z, 0-9 and _")):
            self.refused(status, said, self.written, *words)
        self.report["series"] = "other"
        self.refused(Status.NO_RESULT, "another series.*\n.*make run BASE=6.12", self.written)
        self.report.clear()
        self.refused(Status.NO_RESULT, "no whole run", self.written)
        self.assertEqual(parse(["report", "FORMAT=junit"])[0].name, "report")
        self.assertTrue(re.fullmatch(formats.ORIGIN, "mmu_notifier"))
