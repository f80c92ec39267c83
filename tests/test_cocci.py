# SPDX-License-Identifier: GPL-2.0-only
"""The semantic patches on small sources of our own, and wrong variants of them, which must not give the same."""

import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from lab import host

COCCI = Path(__file__).resolve().parent.parent / "cocci"
TESTS = COCCI / "tests"


def code(text: str) -> list[str]:
    """Give the lines that are not blank: spatch 1.3 removes blank lines that 1.1.1 keeps."""
    return [line for line in text.splitlines() if line.strip()]


class Cocci(unittest.TestCase):
    """Runs spatch in a folder of its own, on copies."""

    def setUp(self) -> None:
        if host.missing(host.UNIT):
            raise host.not_there(host.missing(host.UNIT))
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.place = Path(folder.name)
        for path in TESTS.iterdir():
            shutil.copy(path, self.place)

    def spatch(self, script: Path, *argv: str) -> str:
        """Give what a semantic patch prints. It must not complain."""
        done = subprocess.run(["spatch", "--very-quiet", "--sp-file", str(script), "--local-includes", *argv], cwd=self.place,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout

    def variant(self, name: str, old: str, new: str) -> Path:
        """Write a semantic patch in which every `old` is `new`."""
        text = (COCCI / name).read_text(encoding="utf-8")
        self.assertIn(old, text)
        script = self.place / name
        script.write_text(text.replace(old, new), encoding="utf-8")
        return script


class Nonblock(Cocci):
    """mn_nonblock.cocci"""

    script = COCCI / "mn_nonblock.cocci"
    expected = (TESTS / "mn_nonblock.report").read_text(encoding="utf-8")

    def report(self, script: Path) -> str:
        return self.spatch(script, "-D", "report", "mn_nonblock.c")

    def test_reports_every_mistake_and_nothing_else(self) -> None:
        self.assertEqual(self.report(self.script), self.expected)

    def test_org_mode_finds_the_same_lines(self) -> None:
        lines = [f"::linb={line.split(':')[1]}::" for line in self.expected.splitlines()]
        found = self.spatch(self.script, "-D", "org", "mn_nonblock.c").splitlines()
        self.assertEqual(len(found), len(lines))
        for line, text in zip(lines, found):
            self.assertIn(line, text)

    def test_a_sleeper_in_another_file_is_seen_if_that_is_given(self) -> None:
        self.assertEqual(self.spatch(self.script, "-D", "report", "far_callback.c"), "")
        both = self.spatch(self.script, "-D", "report", "far_callback.c", "far_helper.c")
        self.assertIn("remap_chunk -> far_remap -> alloc_page(GFP_KERNEL), far_helper.c:6", both)

    def test_wrong_variants_are_noticed(self) -> None:
        for old, new in (
            ("	... when != true mmu_notifier_range_blockable(...)\n", "	... when any\n"),
            ("	    when != false !mmu_notifier_range_blockable(...)\n", ""),
            ("	    when != true b\n", ""),
            ("	    when != false !E->m\n", ""),
            ("	h@p\n", "	h@p(...)\n"),
            ("	alloc(..., GFP_KERNEL | flags, ...)@x@p\n", "	alloc(GFP_KERNEL | flags, ...)@x@p\n"),
            ("(_start|_end)?", "(_start)?"),
            ("struct mmu_interval_notifier_ops ops", "struct mmu_interval_ops ops"),
            ("struct hmm_mirror_ops ops", "struct mirror_ops ops"),
            ("wait_(event|", "wait_("),
            (r"(?!\w*trylock)", ""),
            ("	    when != false r\n", ""),
            ("	    when != true try(..., b, ...)\n", ""),
            ("	... when != true <+... !mmu_notifier_range_blockable(...) ...+>\n", "	... when any\n"),
            ("	    when != true <+... !b ...+>\n", ""),
            ('value.startswith("-")', "False"),
            ('("0", "-EAGAIN")', '("0", "-EAGAIN", "-EBUSY")'),
            ("ways += [way + [callee] for callee in new]", "break"),
        ):
            with self.subTest(old=old):
                self.assertNotEqual(self.report(self.variant("mn_nonblock.cocci", old, new)), self.expected)


class HmmUpdate(Cocci):
    """hmm_update.cocci"""

    script = COCCI / "hmm_update.cocci"
    expected = (TESTS / "hmm_update.converted.c").read_text(encoding="utf-8")

    def convert(self, script: Path, name: str = "hmm_update.c") -> str:
        self.spatch(script, "-D", "patch", "--in-place", name)
        return (self.place / name).read_text(encoding="utf-8")

    def test_converts(self) -> None:
        self.assertEqual(code(self.convert(self.script)), code(self.expected))

    def test_leaves_a_converted_driver_alone(self) -> None:
        self.assertEqual(self.convert(self.script, "hmm_update.converted.c"), self.expected)
        self.assertEqual(self.spatch(self.script, "-D", "report", "hmm_update.converted.c"), "")

    def test_reports_what_is_left_to_do(self) -> None:
        found = [line.split(":", 1)[1] for line in self.spatch(self.script, "-D", "report", "hmm_update.c").splitlines()]
        self.assertEqual(found, [
            "7:11-22: driver_sync() gets a struct hmm_update",
            "26:11-18: forward() gets a struct hmm_update",
            "40:12-17: trace() gets a struct hmm_update",
            "42:18-24: event is left to you: that of a range is an enum mmu_notifier_event",
        ])

    def test_wrong_variants_are_noticed(self) -> None:
        for old, new in (
            ("+ mmu_notifier_range_blockable(u)", "+ u->flags"),
            ("- if (u->event != HMM_UPDATE_INVALIDATE) S\n", "- if (u->event != HMM_NOTHING) S\n"),
            ("position p != taken.p;", "position p;"),
            ("-	u\n+	range\n", "	u\n"),
            ("- struct hmm_update *\n+ struct mmu_notifier_range *\n", "  struct hmm_update *\n"),
        ):
            with self.subTest(old=old):
                shutil.copy(TESTS / "hmm_update.c", self.place)
                self.assertNotEqual(code(self.convert(self.variant("hmm_update.cocci", old, new))), code(self.expected))
