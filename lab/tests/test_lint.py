# SPDX-License-Identifier: GPL-2.0-only
"""The checks that are the lab's own."""

from unittest import mock

from lab.base.errors import Status
from lab.kernel.source import Source
from lab.tests.repository import Repository, base, part
from lab.verbs import lint
from lab.verbs.context import Tally

UNPROVEN = '[unproven]\nexcused = "a tool"\n'
TEST = "--- /dev/null\n+++ b/tools/testing/selftests/mm/x_test.c\n@@ -0,0 +1 @@\n+int x;\n"
CODE = "--- a/mm/a.c\n+++ b/mm/a.c\n@@ -0,0 +1 @@\n+int x;\n"


class Lint(Repository):
    def setUp(self) -> None:
        super().setUp()
        self.git_in(self.root, "init", "-q")
        self.write(".gitignore", "build/\n")
        types = 'checkpatch = { SOME_TYPE = "came later" }'
        self.series = self.list_bases(UNPROVEN, base("6.12", part("core"), more=types))

    def patches(self, **texts: str) -> None:
        self.queue("6.12/core", *((f"0001-{name}", text) for name, text in texts.items()))

    def assert_found(self, found: list[str], *words: str) -> None:
        self.assertEqual(len(found), len(words), found)
        for line, word in zip(found, words, strict=True):
            self.assertIn(word, line)

    def test_strange_hosts_and_machine_paths(self) -> None:
        self.write("good.md", "see https://lore.kernel.org/r/x and a/home/page\n")
        self.write("bad.md", "http" + "://mirror.example.net/x\n" + "/ho" + "me/me/linux\n")
        self.assert_found(lint.strangers(self.root), "bad.md:1: host mirror.example.net",
                          "bad.md:2: a path")

    def test_selftest_that_is_not_built_or_run_and_sign_off(self) -> None:
        built, called = "+TEST_GEN_FILES += x_test\n", '+\t"$(dirname "$0")"/x_test\n'
        for text, words in ((TEST, ("Makefile", "no script")), (TEST + built, ("no script",)),
                            (TEST + called, ("Makefile",)), (TEST + built + called, ())):
            self.patches(x=text)
            self.assert_found(lint.unwired(self.series), *words)
        self.patches(x="text\n\nSigned-off-by: A <a@example.org>\n", y="no Signed-off-by: here\n")
        self.assert_found(lint.sign_offs(self.root), "core/0001-x.patch has a Signed-off-by")

    def test_long_mails(self) -> None:
        head = "Subject: [PATCH] {}\n\n".format
        self.patches(one=head("x" * 72) + "text\n" * 35 + "---\n more\n", two=head("x" * 73),
                     three=head("x") + "text\n" * 36)
        self.write("series/6.12/core/0000-cover-letter.patch",
                   head("x") + "text\n" * 61 + "\nA Name (2):\n  x\n")
        self.assert_found(lint.wordy(self.series), "cover-letter.patch: its text has 61 lines",
                          "two.patch: its subject has 73", "three.patch: its text has 36 lines")

    def test_patches_and_their_cases(self) -> None:
        for name, text in (("kit/cases", "a fail one\n"), ("series/6.12/cases", "b fail two\n"),
                           ("lab/configs/selftests", "x_test series mm three\n")):
            self.write(name, text)
        self.patches(one=CODE, two=CODE, three=CODE, excused=CODE, tests=TEST)
        self.assert_found(lint.unproven(self.series))
        self.write("kit/cases", "a fail one,excused\n")
        self.assert_found(lint.unproven(self.series), "excused has its case")
        self.write("kit/cases", "a fail one\n")
        self.patches(one=CODE, two=CODE, new=CODE)
        self.assert_found(lint.unproven(self.series), "excused is no patch", "three is no patch",
                          "no case needs the patch new")

    def test_checkers_and_scripts(self) -> None:
        """A checker may fail silently; a script is known by its first line."""
        self.assertEqual(lint.command(self.root, "false"), ["false exited with 1"])
        self.assertEqual(lint.command(self.root, "sh", "-c", "echo chatter"), [])
        for name, shell in (("run", "sh"), ("a.py", "env python3"), ("build/run", "sh")):
            self.write(name, f"#!/bin/{shell}\n")
        self.assertEqual([path.name for path in lint.scripts(self.root)], ["run"])

    @mock.patch.dict(lint.TOTALS, {"lab without tests": 4000, "lab/tests": 3000})
    def test_sizes(self) -> None:
        too_long = ("README.md has 91 lines", "lab without tests has 4001 lines", "py:1: 101 colu",
                    "lab/long.c has 351 lines", "py:2: f() has 51 li", "tests has 3001 li")
        for number in range(12):
            for folder, lines in (("lab", 329), ("lab/tests", 250), ("build", 350)):
                self.write(f"{folder}/a{number}.py", "x = 1\n" * lines)
        for more, found in ((0, ()), (1, too_long)):
            for name, text in (
                    ("docs/long.md", "x\n" * 999), ("README.md", "x\n" * (90 + more)),
                    ("lab/columns.py", "x" * (100 + more)), ("lab/long.c", "x\n" * (350 + more)),
                    ("lab/one.py", "class A:\n  async def f():\n" + "    x()\n" * (49 + more)),
                    ("lab/tests/more.py", "x = 1\n" * more)):
                self.write(name, text)
            self.assert_found(sorted(lint.sizes(self.root)), *found)

    def test_goes_on_after_a_finding(self) -> None:
        tally = Tally()
        some = [("bad", lambda: ["first", "second"]), ("good", lambda: list[str]())]
        with (mock.patch.object(lint, "checks", return_value=some),
              mock.patch.object(Source, "fetch")):
            output = self.quietly(lint.lint, self.series, self.root / "build", tally)
        self.assertEqual(output, "  not ok bad\n    first\n    second\n  ok good\n")
        self.assertEqual((f"{tally}", tally.status, tally.wrong),
                         ("1 passed, 1 failed", Status.TEST_FAILED, ["bad: first"]))

    def test_all_checks(self) -> None:
        """Among them each patch, with the types that its base excuses."""
        self.patches(one=CODE)
        self.write("kit/a.c", "")
        self.write("linux/scripts/checkpatch.pl", 'print "@ARGV\\n"; exit 1;\n')
        checks = dict(lint.checks(self.series, self.root / "linux"))
        for name in ("parts match series/", "series/6.12/core matches its folder", "size",
                     "in-tree tests match intree/", "checkpatch kit/a.c"):
            self.assertIn(name, checks)
        self.assertIn("--no-signoff --ignore=UNKNOWN_COMMIT_ID,FILE_PATH_CHANGES,SOME_TYPE ",
                      checks["checkpatch series/6.12/core/0001-one.patch"]()[0])
