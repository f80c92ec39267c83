# SPDX-License-Identifier: GPL-2.0-only
"""The judge of a soak: whole, quiet and above zero, or it failed."""

import re
import tempfile
import unittest
from pathlib import Path

from lab import figures, results, soak
from lab.errors import LabError, Status

CONSOLE = "[    1.0] mn_kit: loading out-of-tree module taints kernel.\n"
GOOD = "".join(f"soak {name} {0 if name == 'failures' else 7}\n" for name in soak.FIGURES) + "lab: mn-soak exited 0\n"


class Parse(unittest.TestCase):
    def wrong(self, text: str = GOOD, console: str = CONSOLE, ended: bool = True) -> list[str]:
        return soak.parse(text, console, ended)[1]

    def test_good(self) -> None:
        figures, wrong = soak.parse(GOOD, CONSOLE)
        self.assertEqual((figures["refused_reaps"], wrong), (7, []))

    def test_serial_line_ends(self) -> None:
        self.assertEqual(self.wrong(GOOD.replace("\n", "\r\n")), [])

    def test_empty_and_cut(self) -> None:
        for text in ("", GOOD[:-1], GOOD[:40], GOOD.replace("exited 0", "killed by signal 9")):
            self.assertIn("not whole", self.wrong(text)[0])
        self.assertEqual(self.wrong(console="\n"), ["the kernel wrote nothing on its console"])
        dropped = "** 3 printk messages dropped **"
        self.assertEqual(self.wrong(console=f"{CONSOLE}{dropped}\n"), [f"the console lost messages 1 times: {dropped}"])

    def test_a_kernel_that_does_not_watch(self) -> None:
        self.assertEqual(soak.parse(GOOD, CONSOLE + "[ 0.1] kcsan: selftest: 3/3 tests passed\n", watches=soak.WATCHES["kcsan"])[1], [])
        self.assertIn("did not say", soak.parse(GOOD, CONSOLE, watches=soak.WATCHES["kcsan"])[1][0])

    def test_a_figure_is_missing(self) -> None:
        self.assertEqual(self.wrong(GOOD.replace("soak reads 7\n", "")), ["no figure of reads"])

    def test_nothing_was_done(self) -> None:
        self.assertEqual(self.wrong(GOOD.replace("refused_reaps 7", "refused_reaps 0")), ["refused_reaps is 0"])

    def test_failures(self) -> None:
        said = "worker 1 round 2: slot 3, kind 0: 1 starts never ended\n"
        wrong = self.wrong(said + GOOD.replace("failures 0", "failures 1").replace("exited 0", "exited 1"))
        self.assertEqual(wrong[0], said.strip())
        self.assertEqual(self.wrong(GOOD.replace("failures 0", "failures 1")), ["failures is 1"])

    def test_splat_and_hang(self) -> None:
        self.assertEqual(self.wrong(console=CONSOLE + "[   2.0] BUG: KCSAN: data-race in a / b\n"), ["splat: BUG: KCSAN: data-race in a / b"])
        self.assertEqual(self.wrong(ended=False), ["the guest hung and was stopped"])


class Allowed(unittest.TestCase):
    def read(self, text: str) -> list[tuple[str, "re.Pattern[str]"]]:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "soak-allowed")
            path.write_text(text, encoding="utf-8")
            return soak.read_allowed(path)

    def test_a_reason_and_a_kernel_are_needed(self) -> None:
        for text in ("kcsan a.b\n", "ubsan a.b why\n", "kcsan a(b why\n"):
            with self.assertRaises(LabError) as caught:
                self.read(text)
            self.assertEqual(caught.exception.status, Status.USAGE)

    def test_only_what_matches_does_not_count(self) -> None:
        self.addCleanup(results.ALLOWED.clear)
        results.ALLOWED[:] = [pattern for _, pattern in self.read("# head\nkcsan data-race.in.a./.b$ on purpose\n")]
        self.assertFalse(results.is_splat("BUG: KCSAN: data-race in a / b"))
        self.assertTrue(results.is_splat("BUG: KCSAN: data-race in a / c"))


class Pages(unittest.TestCase):
    def test_what_is_wrong_is_shown(self) -> None:
        part: figures.Data = {"tests": {"kit": "47 pass"}, "figures": {"refused_reaps": 60000}, "seed": 1, "wrong": []}
        data: figures.Data = {"source": "linux", "date": "2026-01-01", "compiler": "gcc", "qemu": "QEMU", "seconds": 9, "machine": "-smp 4",
                "missed": [], "kernels": {"kasan": part, "lockdep": part}}
        self.assertIn("120,000 refused reaps", figures.soaked("7.3", data))
        self.assertIn("no splat", figures.soaked("7.3", data))
        self.assertIn("| refused reaps | 60,000 | 60,000 |", figures.campaigns({"7.3": data}))
        data["kernels"]["lockdep"] = {**part, "wrong": ["splat: BUG: "]}
        self.assertIn("gave complaints: 1", figures.soaked("7.3", data))
        self.assertIn("- lockdep: splat: BUG: ", figures.campaigns({"7.3": data}))


if __name__ == "__main__":
    unittest.main()
