# SPDX-License-Identifier: GPL-2.0-only
"""The verbs that boot, from the source to the report, on a fake kernel."""

import json
import os
import signal
import subprocess
from typing import Any

from lab.base import memory
from lab.base.errors import LabError, Status
from lab.judge.verdict import Verdict
from lab.tests.fake import CORE, DRIVER, GUARD, NEW, FakeLab, mail, ready, wait_for_end
from lab.verbs import mutants

ALL = ["patched KUnit", "patched hmm-tests", "patched hmm_reap_test", "patched kit",
       "stock hmm-tests", "stock kit"]
AFTER = "after() {{ case $PWD in *patched/{}) sed -i '{}' results.log;; esac; }}\n"
SLEEPS = "after() { exec sleep 10000; }\n"
SILENT = "after() { : > results.log; : > console.log; }\n"
PATCH = "series/6.12/core/0002-exact-pairs.patch"
MOOD, CONFIG, LIST = "bin/mood", "lab/configs/vm.config", "proof/mutants/6.12"
DISK = "lab/base/memory.py"
HUNKS = "# words\n\n== one a.c\n \tif (x)\n-\t\tfoo();\n+\t\tbar();\n@@\n-\tend();\n"


class Verbs(FakeLab):
    def report(self, name: str = "report.json") -> Any:
        return json.loads((self.place / name).read_text())

    def reports(self) -> list[str]:
        return [path.name for path in self.place.iterdir() if "report" in path.name]

    def test_run(self) -> None:
        output = ready()[1]
        self.assertLessEqual(len(output.splitlines()), 36)
        for line in ("  hmm-tests: stock 3 pass, 1 skip; patched 3 pass, 1 skip: same",
                     "  KUnit on the patched kernel: 2 pass", "  hmm_reap_test: patched 1 pass"):
            self.assertIn(f"{line}\n", output)
        self.assertEqual(self.booted(), ALL)
        stock, patched = self.report()["kernels"].values()
        self.assertEqual(stock["cases"]["refuser_first_among_1"]["result"], "fail")
        self.assertEqual((patched["status"], [*self.report()["selftests"]]),
                         (0, ["hmm-tests", "hmm_reap_test"]))
        self.assertRegex((self.place / "report.ktap").read_text(), "(?s)1..6\n.*\nok 6 ")
        for name, words in (("boots/stock/kit", "qemu-system-x86_64"), ("patched", "bzImage")):
            self.assertIn(words, (self.place / name / "commands.txt").read_text())
        self.assertIn("\nbase 6.12-more: 1 patches on top of 6.12\n", self.lab("run", "PART=more"))
        self.assertEqual([*self.report("report-more.json")["kernels"]], ["patched"])

    def test_a_boot_is_kept_by_its_content(self) -> None:
        """A change of image, initrd, command line or QEMU boots it again."""
        self.booted()
        self.assertEqual(self.lab("run").count("results, cached"), 6)
        some = [one for one in ALL if "reap" not in one]
        for name, text, boots in (
                ("lab/configs/gate.config", "CONFIG_B=y\n", []),
                ("lab/configs/selftests", "hmm-tests stock mm - boot=hugepages=8\n",
                 ["patched hmm-tests", "stock hmm-tests"]),
                ("kit/mn-kit.c", "another", ["patched KUnit", "patched kit", "stock kit"]),
                (MOOD, NEW, some), (CONFIG, "CONFIG_B=y\n", some)):
            self.write(name, text)
            self.lab("run")
            self.assertEqual(self.booted(), boots, name)

    def test_a_boot_that_was_not_as_expected_is_booted_again(self) -> None:
        for number, (mood, status, words, of_program, again) in enumerate((
                (AFTER.format("hmm-tests", "s/^ok 2/not &/"), Status.TEST_FAILED,
                 "anon_read: pass on stock, fail with the series", 1, ["patched hmm-tests"]),
                (AFTER.format("kit", "$d"), Status.NO_RESULT, "the results are cut", 0,
                 ["patched kit"]),
                (SILENT, Status.NO_RESULT, "the kernel wrote nothing on its console", 7, ALL))):
            self.write(MOOD, f"version={number}x\n{mood}")
            output = self.lab("run", status=status)
            self.assertIn(words, output)
            self.assertEqual("NOT the same" in output, bool(of_program))
            self.assertEqual(self.report()["selftests"]["hmm-tests"]["status"], of_program)
            self.booted()
            self.write(MOOD, f"version={number}x\n")
            self.lab("run")
            self.assertEqual(self.booted(), again)

    def test_what_goes_wrong_is_named_and_nothing_is_lost(self) -> None:
        """At the end the same command goes on."""
        space = (self.root / DISK).read_text().replace("NEEDED = 0", "NEEDED = 1<<60")
        for name, text, status, words, last in (
                (PATCH, mail("x", ("mm/pairs.c", "other\n", "new\n")), Status.NOT_APPLIED,
                 f"{PATCH} does not apply at mm/pairs.c", "refresh the named patch"),
                (PATCH, mail("x", (*CORE["exact-pairs"][:2], "#error no\n")), Status.NOT_BUILT,
                 "#error no", "commands.txt next to it"),
                (PATCH, mail("x", ("lib/test_hmm.c", DRIVER, "x [a.ko] undefined!\n")),
                 Status.NOT_BUILT, "test_hmm.c cannot be a module: x [a.ko]", "export the symbol"),
                ("kit/Makefile", "module program:\n", Status.NOT_BUILT,
                 "kit/Makefile made no mn_kit.ko", "commands.txt next to it"),
                ("series/6.12/core/0009-new.patch", "", Status.NOT_APPLIED, "not listed in series",
                 "echo 0009-new.patch >> .*core/series"),
                ("series/bases.toml", "bases = 1", Status.USAGE, "bases has to be a dict", "line"),
                (CONFIG, "CONFIG_A=y\nCONFIG_GONE=y\n", Status.NOT_BUILT, "lost CONFIG_GONE=y",
                 "add what selects them"),
                (DISK, space, Status.DISK_FULL, "free, a build needs", "make clean"),
                (MOOD, NEW + "before() { echo no such machine >&2; exit 1; }\n", Status.GUEST,
                 "no such machine", "console.log")):
            with self.subTest(words=words):
                file, kept = self.root / name, self.reports()
                before = file.read_text() if file.exists() else None
                self.write(name, text)
                self.assertIn(words, self.lab("run", status=status, last=last))
                early = status in (Status.NOT_APPLIED, Status.USAGE)
                self.assertEqual(self.reports(), kept if early else [])
                file.unlink() if before is None else file.write_text(before)
        self.lab("run")

    def test_what_cannot_be_run(self) -> None:
        before = sorted(self.root.rglob("*"))
        with memory.lock(self.place):
            output = self.lab("run", status=Status.LOCKED, last="wait for the process")
            self.assertIn(f"in use by process {os.getpid()}\n", output)
        for word, status, last in (
                ("TREE=", Status.NO_SOURCE, "make ... BASE=6.12 TREE=DIR"),
                ("TREE=/nowhere", Status.NO_SOURCE, "TREE=DIR"),
                ("PART=x", Status.USAGE, "PART is one of: core more$")):
            self.lab("run", word, status=status, last=last)
        for verb, kernels, boots in (("run", 2, 8), ("revert", 4, 6), ("mutants", 5, 9)):
            output = self.lab(verb, "--dryrun", "TREE=")
            self.assertIn(f"\n{verb}: {boots} boots\n", output)
            self.assertEqual(output.count(", x86_64\n"), kernels)
        self.assertEqual(sorted(self.root.rglob("*")), before)

    def test_signals(self) -> None:
        """No child and no report outlives the lab; what is finished does."""
        for number, status, last in (
                (signal.SIGINT, 130, "run the same command again"), (signal.SIGTERM, 130, "again"),
                (signal.SIGHUP, 130, "again"), (signal.SIGKILL, -signal.SIGKILL, "")):
            with self.subTest(signal=number.name):
                process = self.hang("run")
                other = self.lab("revert", status=Status.LOCKED)
                self.assertIn(f"in use by process {process.pid}\n", other)
                process.send_signal(number)
                found, lines = self.end(process)
                self.assertRegex(f"{found} {''.join(lines[-1:])}", f"^{int(status)} .*{last}")
                wait_for_end(self.root)
                self.assertEqual(self.reports(), [])
        self.write(MOOD, NEW)
        self.assertIn("build patched kernel: cached", self.lab("run"))

    def test_revert(self) -> None:
        output = self.lab("revert")
        for line in ("end-interval-tree  yes     victim_exits_after_a_refusal, hmm_reap_test",
                     "exact-pairs        yes     refuser_first_among_1",
                     "callback-errors    yes     wrong_refusal_code_is_reported_once",
                     "stock with the tests alone: KUnit 1 pass, 1 fail",
                     "stock with the tests alone: hmm_reap_test 1 fail"):
            self.assertIn(f"  {line}\n", output)
        self.assertIn("build without-end-interval-tree kernel: 1 objects", output)
        self.assertEqual(len(self.report("revert.json")["fails"]), 3)
        self.booted()
        (self.place / "boots/patched/hmm_reap_test/ran.json").unlink()
        self.lab("revert")
        self.assertEqual(self.booted(), [])
        self.write(MOOD, NEW + 'after() { sed -i "s/^not //" results.log; }\n')
        self.lab("revert", status=Status.NO_RESULT, last="make run BASE=6.12$")
        output = self.lab("revert", "PATCH=exact-pairs", status=Status.TEST_FAILED)
        self.assertIn("without exact-pairs none of its cases fails (refuser_first_among_1", output)
        self.assertIn("  exact-pairs  NO      -\n", output)
        self.write("proof/mutants/without", "== exact-pairs mm/pairs.c\n-int pairs = 1;\n"
                                                 "+int pairs = 0; /* listed */\n")
        self.lab("revert", "PATCH=exact-pairs", status=Status.TEST_FAILED)
        self.assertIn("listed", (self.place / "patched-changed/src/mm/pairs.c").read_text())
        self.write(MOOD, NEW)  # the program's results are kept, and they pass
        self.assertIn("hmm_reap_test does not fail", self.lab(
            "revert", "PATCH=end-interval-tree", status=Status.TEST_FAILED))
        for name, words in (("nothing", "no patch 'nothing'"), ("kunit", "kunit is not taken out")):
            self.assertIn(words, self.lab(
                "revert", f"PATCH={name}", status=Status.USAGE,
                last="PATCH is one of: end-interval-tree exact-pairs callback-errors$"))

    def test_steps(self) -> None:
        self.booted()
        output = self.lab("steps")
        self.assertRegex(output, r"reap-test +KUnit 2, hmm_reap_test 1\n  kunit +KUnit 2\n")
        self.assertEqual(self.booted(), ["at-kunit KUnit"])
        self.assertIn("at reap-test: cached\n  at kunit: cached", self.lab("steps"))
        self.write(MOOD, NEW + 'after() { sed -i "s/  ok 2 tree/  not ok 2 tree/" console.log; }\n')
        output = self.lab("steps", status=Status.TEST_FAILED)
        self.assertRegex(output, r"(?s)KUnit at kunit .*tree fails.*kunit +KUnit 1 NOT OK\n")
        self.assertEqual(self.booted(), ["at-kunit KUnit", *ALL[0:3:2]])

    def test_mutants(self) -> None:
        output = self.lab("mutants", status=Status.TEST_FAILED)
        for line in ("1 of 4: killed by kit refuser_first_among_1: kit-sees",
                     "2 of 4: killed by KUnit tree: kunit-sees", "3 of 4: SURVIVED: not-seen",
                     "4 of 4: killed by the kernel: tree = 2; /* told: reported"):
            self.assertIn(f"  {line}\n", output)
        self.lab("mutants", "MUTANT=reported")
        found = self.report("mutants.json")
        self.assertEqual((found["survivors"], len(found["killed"])), (["not-seen"], 3))
        for text, words, status, said, last in (
                ("== one mm/pairs.c reports=case.all_accept\n-no\n+on\n", (), Status.TEST_FAILED,
                 "it prints 'case all_accept', on the kernel without a", "make run BASE=6.12$"),
                ("== one mm/x.c\n-n\n+o\n", (), Status.USAGE, "no patch touches mm/x.c", "a file"),
                (HUNKS, ("MUTANT=x",), Status.USAGE, "no mutant 'x'", "MUTANT is one of: one$"),
                (HUNKS, ("PART=more",), Status.USAGE, "6.12-more does not exist", "for: 6.12$")):
            self.write(LIST, text)
            self.assertIn(said, self.lab("mutants", *words, status=status, last=last))
        (one,) = mutants.read(self.write(LIST, HUNKS.replace("a.c", "a.c reports=x.y")))
        self.assertEqual((one.name, one.file, one.reports), ("one", "a.c", "x.y"))
        self.assertEqual(one.changed("\tif (x)\n\t\tfoo();\n\tend();\n\tfoo();\n"),
                         "\tif (x)\n\t\tbar();\n\tfoo();\n")
        for text in (HUNKS * 2, "== one\n-x\n", "== one a.c\nfoo\n"):
            self.refused(Status.USAGE, "6.12: `== one", mutants.read, self.write(LIST, text))
        self.assertGreaterEqual(len(mutants.read(mutants.FOLDER / "7.3")), 20)

    def test_killer(self) -> None:
        """Silence kills no mutant, and proves nothing where messages were lost."""
        dropped, cut = "** 3 printk messages dropped **\n", Verdict(Status.NO_RESULT)
        for verdict, last, console, found in (
                (Verdict(Status.TEST_FAILED, unexpected=["a", "b"]), "z", dropped, "a and 1 more"),
                (Verdict(Status.GUEST), "z", "", "z does not end")):
            self.assertEqual(mutants.killer("kit", verdict, last, console), f"kit {found}")
        self.assertEqual(mutants.killer("kit", Verdict(), "z", ""), "")
        for last, console in (("z", dropped), ("", "")):  # no test ran: no proof
            self.assertRaises(LabError, mutants.killer, "kit", cut, last, console)


class Boots(FakeLab):
    def test_a_guest_that_does_not_end(self) -> None:
        suite = self.edit("lab/suites/suite.py", "SECONDS = 300.0 ", "SECONDS = 0.1 ")
        self.write("bin/mood", NEW + SLEEPS)
        self.assertIn("the guest hung and was stopped", self.lab("run", status=Status.GUEST))
        self.write("bin/mood", NEW)
        self.booted()
        self.write("lab/suites/suite.py", suite)
        self.lab("run")
        self.assertEqual(len(self.booted()), 6)

    def elsewhere(self, *boots: str) -> int:
        return subprocess.call([self.root / "build/pack/6.12/run", *boots], cwd="/", env=self.path,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=GUARD)

    def judge(self, status: int, words: str, last: str = "") -> None:
        self.assertRegex(self.lab("judge", "LOGS=build/pack/6.12", status=status, last=last), words)

    def test_there_and_back(self) -> None:
        self.lab("pack")
        self.booted()
        self.judge(Status.NO_RESULT, "was not booted", "bring its folder back whole$")
        self.assertEqual((self.elsewhere(), len(self.booted())), (0, 6))
        self.judge(0, "6.12: hmm-tests on patched: 3 pass, 1 skip\n(?s:.*)19 passed, 0 failed, 4 ")
        stock = self.root / "build/pack/6.12/stock/kit"
        for name, old, new, status, words, last in (
                ("ran.json", "", (stock / "ran.json").read_text(), Status.NO_RESULT,
                 "logs in .*patched/kit belong to another boot: image differs", "bring back"),
                ("boot.json", '"cpus": 2', '"cpus": 1', Status.NO_RESULT, "boot.json differs",
                 "run it again"),
                ("boot.json", '"version": 1', '"version": 0', Status.USAGE, "has version 0, not 1",
                 "make the boot again"),
                ("judge.json", '"expect"', '"x"', Status.USAGE, "judge.json: 'expect'", "correct"),
                ("results.log", "", (stock / "results.log").read_text(), Status.TEST_FAILED,
                 "refuser_first_among_1: fail, but expected to pass", "results.log has the reason"),
                ("results.log", "lab: kit exited 0\n", "", Status.NO_RESULT, "are cut", "")):
            path = f"build/pack/6.12/patched/kit/{name}"
            before = self.edit(path, old or (self.root / path).read_text(), new)
            self.judge(status, words, last)
            self.write(path, before)
        # What goes wrong elsewhere is noticed here.
        self.write("build/pack/6.12/patched/kit/limit", "0.1\n")
        self.write("bin/mood", SLEEPS)
        self.assertEqual(self.elsewhere("patched/kit"), 0)
        self.judge(Status.GUEST, "the guest hung and was stopped; last case: victim_exits")
        self.write("bin/mood", "before() { exit 3; }\n")
        self.assertEqual(self.elsewhere("patched/kit"), 1)
        self.judge(Status.NO_RESULT, "patched/kit was not booted")
