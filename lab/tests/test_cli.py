# SPDX-License-Identifier: GPL-2.0-only
"""The command line, the Makefile, and the last lines of a run of everything."""

import contextlib
import io
import os
import re
import subprocess
from unittest import mock

from lab import cli
from lab.base.data import ROOT
from lab.base.errors import LabError, Status
from lab.judge.verdict import Verdict
from lab.kernel import bases
from lab.tests.repository import Repository
from lab.verbs import test as everything
from lab.verbs.context import SHORT, SHOWN, Context, Tally

USAGE = (
    ("nothing", "no verb 'nothing'", "VERB is one of: run revert steps"),
    ("run BASE=9.9", "unknown base '9.9'", "BASE is one of: 7.3 .*5.3$"),
    ("run PART=x", "no part 'x'", "PART is one of: .* debug$"),
    ("run DURATION=3", "run does not take 'DURATION=3'", "it takes BASE= PART= TREE="),
    ("run verbose", "run does not take 'verbose'", "it takes BASE="),
    ("model BASE=7.3", "model does not take", "it takes nothing$"),
    ("run ENGINE=x", "no engine 'x'", "ENGINE is one of: qemu"),
    ("soak DURATION=x", "DURATION=x is no number of seconds", "make help"),
    ("bench BASE=5.3", "bench is not for base 5.3", "choose a base with a package$"),
    ("steps BASE=5.3", "steps is not for base 5.3", "choose a base with a package$"),
    ("gate --dryrun", "gate boots nothing", "make help"),
    ("judge", "no boot.json below LOGS=", "with LOGS=DIR$"),
    ("port FROM=7.3", "FROM= and TO= are needed", "make port FROM=7.3 TO=6.12$"))


class CommandLine(Repository):
    """Words, verbs and their table; nothing here gets as far as a folder of its own."""

    def main(self, *argv: str) -> tuple[int, list[str]]:
        with contextlib.redirect_stdout(io.StringIO()) as output:
            status = cli.main([*argv, *([f"--build={self.root}/build"] if argv else [])])
        self.assertFalse((self.root / "build").exists())
        return status, output.getvalue().splitlines()

    def test_words(self) -> None:
        """An error takes two lines. Every base can be tested."""
        for line, words, last in USAGE:
            with self.subTest(line=line):
                status, lines = self.main(*line.split())
                self.assertEqual((status, len(lines)), (Status.USAGE, 2), lines)
                self.assertIn(words, lines[0])
                self.assertRegex(lines[1], f"^lab: .*{last}")
        for name in bases.read(ROOT).bases:
            status, lines = self.main("test", f"BASE={name}", "TREE=/nowhere", "--dryrun")
            self.assertEqual((status, lines[-1]), (0, "lab: everything as expected"))
        for name, users in (("7.3", 1), ("6.12", 0)):  # 6.12 has no setcpuid=
            status, lines = self.main("soak", f"BASE={name}", "KERNEL=rt", "TREE=/", "--dryrun")
            self.assertEqual((status, str(lines).count("mn-users")), (0, users))
        for word in ("", "help", "--help"):
            status, lines = self.main(*word.split())
            self.assertEqual(status, Status.OK if word else Status.USAGE)
            for line in (*(f"  {verb.name.ljust(14)} {verb.help}" for verb in cli.VERBS),
                         *(f"  {one.value:>3}  {one.meaning}" for one in Status)):
                self.assertIn(line, lines)

    def test_makefile(self) -> None:
        text = (ROOT / "Makefile").read_text()
        self.assertLessEqual(len(text.splitlines()), 40)
        lists = {name: set(words.replace("\\\n", " ").split()) for name, words in re.findall(
            r"^(VERBS|NAMES) = ((?:.*\\\n)*.*)$", text, re.MULTILINE)}
        self.assertEqual(lists["VERBS"], {verb.name for verb in cli.VERBS})
        self.assertEqual(lists["NAMES"], {word for verb in cli.VERBS for word in verb.words})
        self.assertEqual(lists["NAMES"], set(cli.WORDS))
        for value in ("it's a 'dir' with  blanks", 'two "quotes"', "a;b &c|d>e*?[x]\\n"):
            found = subprocess.check_output(
                ["make", "-C", ROOT, "--no-print-directory", "LAB=printf '%s|\\n'", "run",
                 f"TREE={value}", "DRYRUN=yes"], env={"PATH": os.defpath}, text=True)
            self.assertEqual(found.split("|\n"), ["run", f"TREE={value}", "--dryrun", ""])


class AtTheEnd(Repository):
    def test_failures_are_repeated(self) -> None:
        guest = Verdict(Status.NO_RESULT, {"a": "pass", "b": "skip"}, problems=[*"x" * 30])

        def finds(context: Context, _stack: object) -> None:
            context.tally.fail(Status.TEST_FAILED, "checkpatch: ERROR")
            context.tally.verdict("KUnit", guest)

        lacks = mock.Mock(side_effect=LabError(Status.TOOL_MISSING, "spin is not installed"))
        context = Context(bases.read(ROOT), self.root / "build", tally=Tally(passed=5))
        stack, passes = context.series.all_stacks()[0], mock.Mock()
        steps = [("lint", finds, stack), ("model", lacks, stack), ("run", passes, stack)]
        with mock.patch.object(everything, "steps_of", return_value=steps):
            output = self.quietly(everything.test, context, stack)
        shown = ["KUnit: no complete result", *["  x"] * 30]
        self.assertEqual(output.splitlines()[-3 - SHORT:], [
            "checkpatch: ERROR", *shown[:SHORT], "model: spin is not installed",
            "5 passed, 3 failed, 1 skipped"])
        self.assertIn("\n".join([*shown[:SHOWN], f"  and {31 - SHOWN} more\n"]), output)
        self.assertIn("lab: install the packages named above", output)
        passes.assert_called_once()
        self.assertEqual((self.root / "build/tally").read_text(), f"{context.tally}\n")
