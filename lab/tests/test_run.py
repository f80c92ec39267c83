# SPDX-License-Identifier: GPL-2.0-only
"""The verbs that boot, from the source to the report, on a fake kernel."""

import json
import signal
from collections.abc import Callable
from typing import Any

from lab.base.errors import LabError, Status
from lab.base.proc import environment
from lab.judge.verdict import Verdict
from lab.kernel.tree import Mutant
from lab.tests.fake import CORE, NEW, FakeLab, mail, ready, wait_for_end
from lab.tests.repository import Repository
from lab.verbs import mutants

ALL = ["patched KUnit", "patched hmm-tests", "patched hmm_reap_test", "patched kit",
       "stock hmm-tests", "stock kit"]
LOSE = 'after() { case $PWD in *patched/hmm-tests) sed -i "s/^ok 2/not &/" results.log;; esac; }\n'
CUT = 'after() { case $PWD in *patched/kit) sed -i \\$d results.log;; esac; }\n'
SILENT = "after() { : > results.log; : > console.log; }\n"
HUNKS = "# words\n\n== one a.c\n \tif (x)\n-\t\tfoo();\n+\t\tbar();\n@@\n-\tend();\n"


class Verbs(FakeLab):
    """What the tests share."""

    def report(self, name: str = "report.json") -> Any:
        """Read what a verb left."""
        return json.loads((self.place / name).read_text())

    def reports(self) -> list[str]:
        """Give the names of reports, finished or not."""
        return [path.name for path in self.place.iterdir() if "report" in path.name]


class Run(Verbs):
    """The verb `run`."""

    def test_as_expected(self) -> None:
        output = ready()[1]
        self.assertLessEqual(len(output.splitlines()), 36)
        for line in ("  hmm-tests: stock 3 pass, 1 skip; patched 3 pass, 1 skip: same",
                     "  KUnit on the patched kernel: 2 pass", "  hmm_reap_test: patched 1 pass"):
            self.assertIn(f"{line}\n", output)
        self.assertEqual(self.booted(), ALL)
        data = self.report()
        stock, patched = data["kernels"].values()
        self.assertEqual(stock["cases"]["refuser_first_among_1"]["result"], "fail")
        self.assertEqual((patched["status"], [*data["selftests"]]),
                         (0, ["hmm-tests", "hmm_reap_test"]))
        ktap = (self.place / "report.ktap").read_text().splitlines()
        self.assertEqual(ktap[:2], ["KTAP version 1", "1..6"])
        self.assertEqual(sum(line.startswith("ok ") for line in ktap), 6)
        for name in ("boots/stock/kit", "stock", "patched"):
            commands = (self.place / name / "commands.txt").read_text()
            self.assertIn("qemu-system-x86_64" if "kit" in name else "bzImage", commands)

    def test_a_boot_is_kept_by_its_content(self) -> None:
        self.booted()
        output = self.lab("run")
        self.assertEqual((self.booted(), output.count("results, cached")), ([], 6))
        for name, text, boots in (
                ("lab/configs/selftests", "hmm-tests stock mm - boot=hugepages=8\n",
                 ["patched hmm-tests", "stock hmm-tests"]),
                ("kit/mn-kit.c", "another", ["patched KUnit", "patched kit", "stock kit"]),
                ("bin/mood", NEW, [one for one in ALL if "reap" not in one]),
                ("lab/configs/vm.config", "CONFIG_A=y\nCONFIG_B=y\n",
                 [one for one in ALL if "reap" not in one])):
            self.write(name, text)
            self.lab("run")
            self.assertEqual(self.booted(), boots, name)

    def test_a_boot_that_was_not_as_expected_is_booted_again(self) -> None:
        for mood, status, words, of_program, again in (
                (LOSE, Status.TEST_FAILED, "anon_read: pass on stock, fail with the series", 1,
                 ["patched hmm-tests"]),
                (CUT, Status.NO_RESULT, "the results are cut", 0, ["patched kit"]),
                (SILENT, Status.NO_RESULT, "the kernel wrote nothing on its console", 7, ALL)):
            self.mood(mood + NEW)
            output = self.lab("run", status=status)
            self.assertIn(words, output)
            self.assertEqual("NOT the same" in output, bool(of_program))
            self.assertEqual(self.report()["selftests"]["hmm-tests"]["status"], of_program)
            self.booted()
            self.mood(NEW)
            self.lab("run")
            self.assertEqual(self.booted(), again)
            self.mood("")
            self.lab("run")

    def test_on_top_of_another_stack(self) -> None:
        self.assertIn("base 6.12-more: 1 patches on top of 6.12\n", self.lab("run", "PART=more"))
        self.assertEqual([*self.report("report-more.json")["kernels"]], ["patched"])

    def test_what_goes_wrong_is_named_and_nothing_is_lost(self) -> None:
        """After the cure the same command goes on."""
        patch = "series/6.12/core/0002-exact-pairs.patch"
        space = (self.root / "lab/base/memory.py").read_text().replace("= 0\n", "= 1 << 60\n")
        for name, text, status, words, last in (
                (patch, mail("x", "mm/pairs.c", "other\n", "new\n"), Status.NOT_APPLIED,
                 f"{patch} does not apply at mm/pairs.c", "refresh the named patch"),
                (patch, mail("x", *CORE["exact-pairs"][:2], "#error no\n"), Status.NOT_BUILT,
                 "#error no", "commands.txt next to it"),
                ("series/6.12/core/0009-new.patch", "", Status.NOT_APPLIED, "not listed in series",
                 "echo 0009-new.patch >> .*core/series"),
                ("lab/configs/vm.config", "CONFIG_A=y\nCONFIG_GONE=y\n", Status.NOT_BUILT,
                 "lost CONFIG_GONE=y", "add what selects them"),
                ("bin/mood", NEW + "before() { echo no such machine >&2; exit 1; }\n",
                 Status.GUEST, "no such machine", "console.log"),
                ("lab/base/memory.py", space, Status.DISK_FULL, "free, a build needs",
                 "make clean")):
            with self.subTest(words=words):
                file = self.root / name
                before = file.read_text() if file.exists() else None
                kept = self.reports()
                self.write(name, text)
                if text == space:
                    self.write("lab/configs/vm.config", "CONFIG_C=y\n")
                self.assertIn(words, self.lab("run", status=status, last=last))
                self.assertEqual(self.reports(), kept if status == Status.NOT_APPLIED else [])
                if before is None:
                    file.unlink()
                else:
                    file.write_text(before)
                self.lab("run")

    def test_no_source_no_base(self) -> None:
        before = sorted(self.root.rglob("*"))
        for words, status, last in (
                (("TREE=",), Status.NO_SOURCE, "make ... BASE=6.12 TREE=DIR"),
                (("TREE=/nowhere",), Status.NO_SOURCE, "TREE=DIR"),
                (("BASE=9.9",), Status.USAGE, "BASE is one of: 6.12 5.3$"),
                (("PART=x",), Status.USAGE, "PART is one of: core more$")):
            self.lab("run", *words, status=status, last=last)
        self.assertEqual(sorted(self.root.rglob("*")), before)

    def test_dryrun(self) -> None:
        before = sorted(self.root.rglob("*"))
        output = self.end(self.start("run", "--dryrun"))[1]
        self.assertEqual((output[0], output[3]), ("run: 2 kernels", "run: 8 boots"))
        self.assertIn("  patched: 6.12, 6 patches, x86_64", output)
        self.assertIn("  kit on stock, expected as stock", output)
        for verb, boots in (("revert", 6), ("steps", 1), ("mutants", 9)):
            self.assertIn(f"{verb}: {boots} boots", self.end(self.start(verb, "--dryrun"))[1])
        self.assertEqual(sorted(self.root.rglob("*")), before)


class Interrupted(Verbs):
    """No child and no report outlives the lab; what was finished does."""

    def stop(self, number: signal.Signals) -> tuple[int, list[str]]:
        """Send a signal to a lab whose guest hangs; give its status and lines."""
        process = self.hang("run", f"TREE={self.tree}")
        process.send_signal(number)
        found = self.end(process)
        wait_for_end(self.root)
        self.assertEqual(self.reports(), [])
        self.mood(NEW)
        self.assertIn("build patched kernel: cached", self.lab("run"))
        return found

    def test_signals(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            with self.subTest(signal=number.name):
                status, lines = self.stop(number)
                self.assertEqual(status, Status.INTERRUPTED)
                self.assertIn("run the same command again", lines[-1])

    def test_sigkill(self) -> None:
        self.assertEqual(self.stop(signal.SIGKILL)[0], -signal.SIGKILL)

    def test_second_run_touches_nothing(self) -> None:
        first = self.hang("run", f"TREE={self.tree}")
        before = sorted(self.root.rglob("*"))
        for verb in ("run", "revert", "steps", "mutants", "pack"):
            output = self.lab(verb, status=Status.LOCKED, last="wait for the process")
            self.assertIn(f"in use by process {first.pid}\n", output)
        self.assertEqual(sorted(self.root.rglob("*")), before)


class Revert(Verbs):
    """The verb `revert`."""

    def test_each_patch_alone(self) -> None:
        output = self.lab("revert")
        for line in ("end-interval-tree  yes     victim_exits_after_a_refusal, hmm_reap_test",
                     "exact-pairs        yes     refuser_first_among_1",
                     "callback-errors    yes     wrong_refusal_code_is_reported_once",
                     "stock with the tests alone: KUnit 1 pass, 1 fail",
                     "stock with the tests alone: hmm_reap_test 1 fail"):
            self.assertIn(f"  {line}\n", output)
        found = self.report("revert.json")
        self.assertEqual((len(found["fails"]), [*found["before"]]),
                         (3, ["hmm_reap_test", "KUnit"]))
        self.booted()
        self.lab("revert")
        self.assertEqual(self.booted(), [])

    def test_a_patch_without_a_failing_case(self) -> None:
        self.mood('after() { sed -i "s/^not //" results.log; }\n')
        output = self.lab("revert", "PATCH=exact-pairs", status=Status.TEST_FAILED)
        self.assertIn("without exact-pairs none of its cases fails (refuser_first_among_1", output)
        self.assertIn("  exact-pairs  NO      -\n", output)
        self.mood("")
        self.lab("revert", "PATCH=exact-pairs")

    def test_what_cannot_be_done(self) -> None:
        for name, words in (("nothing", "no patch 'nothing'"), ("kunit", "kunit is not taken out")):
            self.assertIn(words, self.lab(
                "revert", f"PATCH={name}", status=Status.USAGE,
                last="PATCH is one of: end-interval-tree exact-pairs callback-errors$"))
        (self.place / "report.json").unlink()
        self.lab("revert", status=Status.NO_RESULT, last="make run BASE=6.12$")


class Steps(Verbs):
    """The verb `steps`."""

    def test_the_last_kernel_is_that_of_run(self) -> None:
        self.booted()
        output = self.lab("steps")
        self.assertRegex(output, r"reap-test +KUnit 2, hmm_reap_test 1\n  kunit +KUnit 2\n")
        self.assertEqual(self.booted(), ["at-kunit KUnit"])
        self.assertEqual(self.lab("steps").count("at reap-test: cached\n  at kunit: cached"), 1)
        self.mood(NEW)
        self.lab("steps")
        self.assertEqual(self.booted(), ["at-kunit KUnit", "patched KUnit",
                                         "patched hmm_reap_test"])

    def test_a_test_that_fails_at_a_step(self) -> None:
        self.mood('after() { sed -i "s/  ok 2 tree/  not ok 2 tree/" console.log; }\n')
        output = self.lab("steps", status=Status.TEST_FAILED)
        self.assertRegex(output, r"(?s)KUnit at kunit .*tree fails.*kunit +KUnit 1 NOT OK\n")


class Mutants(Verbs):
    """The verb `mutants`."""

    def test_what_notices(self) -> None:
        output = self.lab("mutants", status=Status.TEST_FAILED)
        for line in ("1 of 4: killed by kit refuser_first_among_1: kit-sees",
                     "2 of 4: killed by KUnit tree: kunit-sees", "3 of 4: SURVIVED: not-seen",
                     "4 of 4: killed by the kernel: tree = 2; /* told: said"):
            self.assertIn(f"  {line}\n", output)
        self.assertEqual(self.report("mutants.json")["survivors"], ["not-seen"])
        self.mood('after() { grep -q "1; ..;" image && sed -i "s/^ok 1/not &/" results.log; }\n')
        self.assertIn("\nbase 6.12: 1 of 1 mutants killed", self.lab("mutants", "MUTANT=said"))
        self.assertEqual(len(self.report("mutants.json")["killed"]), 3)

    def test_what_proves_nothing(self) -> None:
        self.write("proof/mutants/6.12", "== one mm/x.c reports=case.all_accept\n-no\n+on\n")
        for words, status, said, last in (
                (("MUTANT=x",), Status.USAGE, "no mutant 'x'", "MUTANT is one of: one$"),
                (("PART=more",), Status.USAGE, "6.12-more does not exist", "mutants for: 6.12$"),
                ((), Status.TEST_FAILED, "it prints 'case all_accept', on the kernel without a",
                 "make run BASE=6.12$")):
            self.assertIn(said, self.lab("mutants", *words, status=status, last=last))
        self.write("proof/mutants/6.12", "== one mm/x.c\n-no\n+on\n")
        self.lab("mutants", status=Status.USAGE, last="a mutant changes a file of the series$")
