# SPDX-License-Identifier: GPL-2.0-only
"""What the lab reads in reports of spin and herd7, and in proof/model/runs; and a comparison."""

from subprocess import run

from lab.base.errors import Status
from lab.tests.fake import GOLDEN
from lab.tests.repository import Repository
from lab.verbs.model import FOLDER, LITMUS, VERIFIED, observed, outcome, read_runs

FULL = ("\nState-vector 60 byte, depth reached 58, errors: 0\n     2159 states, stored\n"
        "     1938 states, matched\n")
OPEN = "assertion violated open[((w*(2+1))+at)]"
BROKEN = (f"pan:1: {OPEN} (at depth 46)\npan: wrote refusal.pml.trail\n"
          "Warning: Search not completed\nState-vector 68 byte, depth reached 76, errors: 1\n"
          "      742 states, stored\n")
HERD = ("Test plain Allowed\nStates 3\n0:a=1;\nNo\nFlag data-race\nCondition exists (0:a=0)\n"
        "Observation plain Never 0 3\n")


class Model(Repository):
    def test_a_report(self) -> None:
        for text, found in (
                (FULL, (VERIFIED, 2159)),
                (FULL.replace("2159", "1.5e+08"), (VERIFIED, 150_000_000)),
                (BROKEN, ("open[((w*(2+1))+at)]", 742)),
                (BROKEN.replace(OPEN, "invalid end state"), ("invalid end state", 742))):
            self.assertEqual(outcome(text), found)
        for text in ("", FULL.partition("errors")[0], f"{FULL}Warning: Search not completed\n",
                     f"error: max search depth too small\n{FULL}"):
            self.refused(Status.NO_RESULT, "spin", outcome, text)

    def test_runs(self) -> None:
        searches = read_runs(FOLDER / "runs")
        verified = {defines for _, must, defines, *_ in searches if must == VERIFIED}
        self.assertLessEqual({f"SUBSCRIPTIONS={number}" for number in (1, 2, 3, 4)}, verified)
        self.assertGreaterEqual(sum(must != VERIFIED for _, must, *_ in searches), 2)
        for text in ("one -\n", "one - A=1\none - A=2\n"):
            self.refused(Status.USAGE, "runs:[12]: ", read_runs, self.write("runs", text))

    def test_a_report_of_herd7(self) -> None:
        self.assertEqual(observed(HERD), ("Never data-race", 3))
        self.assertEqual(observed(HERD.replace("Flag", "No")), ("Never", 3))
        for text in ("", HERD.partition("Observation")[0], "Warning: unexpected 'lock'\n"):
            self.refused(Status.NO_RESULT, "herd7", observed, text)
        for path in LITMUS.glob("*.litmus"):
            self.assertRegex(path.read_text(encoding="utf-8"), rf"^C {path.stem}\n")

    def test_comparison_of_kselftest(self) -> None:
        stock = GOLDEN / "kselftest.ktap"
        for old, new, says in (("", "", ""), ("# # ok 1", "# # not ok 1", "check N: fail"),
                               ("b.sh\n", "b.sh # SKIP\n", "b.sh: skip"), ("..2", "..3", "2 of 3")):
            other = self.write("patched", stock.read_text().replace(old, new, 1))
            words = [LITMUS.parent / "kselftest/compare", stock, other]
            done = run(words, text=True, capture_output=True, check=False)
            self.assertEqual((done.returncode, says in done.stderr), (bool(says), True))
