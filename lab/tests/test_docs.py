# SPDX-License-Identifier: GPL-2.0-only
"""Generated pages out of records, and records out of what the verbs leave."""

import json
from datetime import date
from typing import Any

from lab.base.errors import Status
from lab.tests.fake import GOLDEN
from lab.tests.repository import Repository, base, part
from lab.verbs import docs

PAGE = "# Page\n<!-- generated: make docs -->\nold\n<!-- end of generated -->\nrest\n"
PATCH = "Subject: [PATCH] mm: end\n what was started\n\n--- a/{0}\n+++ b/{0}\n@@ -0,0 +1 @@\n+a;\n"
# What the verbs leave, and records of bench and soak.
REPORT, REVERT, MUTANTS, BENCH, SOAK = json.loads((GOLDEN / "records.json").read_text()).values()


class Docs(Repository):
    def setUp(self) -> None:
        super().setUp()
        self.series = self.list_bases('[unproven]\ntool = "a tool"\n',
                                      base("6.12", part("core"), part("debug")))
        self.queue("6.12/core", ("0001-one", PATCH.format("mm/a.c")))
        self.queue("6.12/debug", ("0001-tool", PATCH.format("mm/b.c")),
                   ("0002-test", PATCH.format("mm/tests/c.c")))
        for name in ("status", "results", "bench", "field"):
            self.write(f"docs/{name}.md", PAGE)

    def record(self, report: dict[str, Any], name: str = "") -> None:
        stack = self.series.stack("6.12", name)
        for verb, data in (("report", report), ("revert", REVERT), ("mutants", MUTANTS)):
            self.write(f"build/6.12/{stack.file(f'{verb}.json')}", json.dumps(data))
        docs.record(self.root, self.root / "build/6.12", stack)

    def page(self, name: str) -> str:
        docs.write(self.series)
        return (self.root / f"docs/{name}.md").read_text()

    def assert_page(self, name: str, *lines: str) -> None:
        for line in lines:
            self.assertIn(line, self.page(name))

    def assert_no_revert(self) -> None:
        self.assertNotRegex(self.page("results"), "make (revert|mutants)")
        self.assertNotIn("`a`", self.page("status"))

    def test_tables(self) -> None:
        self.assert_page("status", "| 6.12 | [core](../series/6.12/core/) | not run |",
                         "(../series/6.12/core/0001-one.patch) | not run |")
        self.record(REPORT)
        self.assertEqual(len(docs.stale(self.series)), 2)
        self.assert_page(
            "status", "| 6.12 | [core](../series/6.12/core/) | linux 1 | 1 fail | 1 pass | x |",
            "### debug: its debug\n", "0001-tool.patch) | no case (a tool) |",
            "| [mm: end what was started](../series/6.12/core/0001-one.patch) | 1: `a` |",
            "0002-test.patch) | tests |", "- Of the kit's 1 cases, 1 fail on a stock 6.12 kernel "
            "and 0 with the series.\n", "<!-- end of generated -->\nrest\n")
        self.assertNotIn("old", self.page("status"))
        self.assert_page(
            "results", "| hmm-tests | the stock tree | 1 pass, 1 skip | 1 pass, 1 skip |\n\n"
            "hmm-tests runs without `slow`: takes a minute.\n", "| a | fail | pass | hangs |",
            "KUnit on stock with only the patches that add tests: 1 pass, 1 fail.\n",
            "the tests caught 1 of 2 mutants; not m2.", "| m1 | kit a |")
        self.assertEqual(docs.stale(self.series), [])

    def test_a_stack_on_top_of_another_one(self) -> None:
        kernels = {"patched": REPORT["kernels"]["patched"]}
        inside = {"status": 0, "cases": {"x": "pass", "y": "skip"}}
        self.record({**REPORT, "kernels": kernels, "kunit": inside}, "debug")
        self.assertTrue((self.root / "docs/results/6.12-debug.json").exists())
        self.assert_page("status", "| 6.12-debug | [debug](../series/6.12/debug/) | linux 1 | - | "
                         "1 pass; KUnit 1 pass, 1 skip | its debug |")
        self.assert_page("results", "`make run BASE=6.12 PART=debug` on",
                         "\nWith the series: 1 pass; KUnit 1 pass")

    def test_an_earlier_revert_is_kept_with_its_date(self) -> None:
        """Of another series nothing is claimed."""
        self.record({**REPORT, "series": "def"})
        self.assert_no_revert()
        self.record(REPORT)
        kept = self.root / "docs/results/6.12.json"
        today = f'"reverted": "{date.today().isoformat()}"'
        kept.write_text(kept.read_text().replace(today, '"reverted": "2026-01-02"'))
        self.record({**REPORT, "series": "def"})
        self.assert_page("results", "`make revert BASE=6.12` on 2026-01-02.")
        self.assert_page("status", "| 1: `a` |")

    def test_no_run_and_a_failed_one_are_not_recorded(self) -> None:
        self.refused(Status.NO_RESULT, "make run BASE=6.12", self.record, {})
        changes: tuple[dict[str, Any], ...] = (
            {"kernels": {"patched": {"status": 6, "cases": {}}}},
            {"selftests": {"hmm-tests": {"status": 1}}}, {"kunit": {"status": 6}})
        for change in changes:
            self.refused(Status.NO_RESULT, "not as expected", self.record, {**REPORT, **change})

    def test_field(self) -> None:
        row: dict[str, Any] = {
            "verdict": "affected", "safe": "14/13/4", "all": "", "lines": 335, "seconds": 7.46,
            "left": "nothing", "unloaded": False, "right": "14 of 14", "gcc": "12.2.0",
            "source": "bookworm: 6.1", "machines": {"safe usual": "affected"}}
        cured = {**row, "verdict": "not-affected", "machines": {"safe usual": "not-affected"}}
        self.assert_page("field", "Not run.")
        self.write("docs/field.json", json.dumps({
            "date": "2026-01-02", "qemu": "QEMU", "system": "13.8", "without_headers": ["7.0"],
            "kernels": {"6.1-amd64": row, "7.3-series": cured}}))
        self.assert_page(
            "field", "`make field` on 2026-01-02; Debian 13.8; QEMU", "Not tried: 7.0.",
            "| 6.1-amd64 | bookworm: 6.1 | 12.2.0 | 14/13/4 | affected | 335 | 7.5 | nothing |",
            "| safe usual | affected | not-affected |")

    def test_bench_and_soak(self) -> None:
        self.write("docs/bench/6.12.json", json.dumps(BENCH))
        self.write("docs/soak/6.12.json", json.dumps(SOAK))
        self.assert_page("status", "at most 0.9950 times stock's instructions", "1,234 reaps were ",
                         "showed no unbalanced range")
        self.assert_page("bench", "| fork | 8 | no | 2,000 | 1,990 | 0.995 |", "| 8 | none | 7 |",
                         "| 1,000 | 8 | 0 | 40,000 | 2,000 | 20.0 | 2,500 | 1,010 | 0 |",
                         "| 1,000 | 0 | 4 | 1,600 | 2,000 | 1.25 |", "| 8 | highest | 300 | 310 |",
                         "All limits")
        self.assert_page("results", "| refused reaps | 1,234 |", "`make soak BASE=6.12 DURATION=9`")
        self.write("docs/bench/6.12.json", json.dumps({**BENCH, "missed": ["x: 2.000"]}))
        self.assert_page("bench", "Missed limits: x: 2.000.")
        self.write("docs/bench.md", "# Page\n")
        self.refused(Status.USAGE, "0 generated parts", docs.stale, self.series)
