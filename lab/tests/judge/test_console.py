# SPDX-License-Identifier: GPL-2.0-only
"""The console: whole records, lost messages, splats."""

import json
import re

from lab.engines.boot import Folder
from lab.judge.console import (REPLAY, Console, is_splat, lost, splats, unusable, whole_records)
from lab.judge.verdict import Logs
from lab.tests.judge.judging import FINE, NO_CONSOLE, WARNING, Judging, golden

# A record that another printer took over and began again, in several cuts
RECORD = ("[    2.1]     # case: EXPECTATION FAILED at x.c:1\n[    2.1]     Expected a == b, but\n"
          "[    2.1]         a == 1\n")
NO_SPLATS = ("mn_kit: loading out-of-tree module taints kernel.", "rcu: INFO: fine", "Oopsy",
             "mn_start+0x0/0x64 returned -4 for a non-blocking range", "---[ end trace 0 ]---")


class Consoles(Judging):
    def test_splats(self) -> None:
        for line in golden("splats").splitlines()[1:]:
            self.assertEqual(splats(f"{FINE}<4>[    1.02][   T33] {line}\r\n"), [line])
        self.assertEqual([line for line in NO_SPLATS if is_splat(line)], [])

    def test_only_what_is_allowed_does_not_count(self) -> None:
        allowed = (re.compile(one) for one in ("data-race.in.a./.b$", "data-race in x"))
        lines = ["BUG: KCSAN: data-race in a / b", "BUG: KCSAN: data-race in a / bc"]
        self.assertEqual(splats("\n".join([*lines, lines[0]]), allowed), lines[1:])

    def test_a_line_belongs_to_the_running_case(self) -> None:
        console = Console.parse("[ 1.0] mn_kit: case a\nx\n\nmn_kit: end a\n[    2.5][ T33] y\n")
        self.assertEqual(console.lines, [("a", "mn_kit: case a"), ("a", "x"),
                                         ("a", "mn_kit: end a"), ("", "y")])
        self.assertEqual([console.last_case, Console.parse(FINE).last_case], ["a", ""])

    def test_what_a_missing_line_proves(self) -> None:
        self.assertEqual((unusable(FINE), lost(FINE), lost("\n")), ("", "", ""))
        self.assertEqual(lost("[ 1.0] a test: ** 7 printk messages dropped **\n"), "")
        for console, words in NO_CONSOLE.items():
            self.assertIn(words, unusable(console))

    def test_logs_of_a_folder(self) -> None:
        """Every judge reads through Folder.logs()."""
        self.assertEqual(Folder(self.root).logs(), Logs("", "", False))
        self.write("results.log", f"half\n{REPLAY}\n")
        self.write("console.log", f"half\n{REPLAY}\nhalf a line\n{WARNING}")
        for ended in (True, False):
            self.write("ran.json", json.dumps({"ended": ended}))
            self.assertEqual(Folder(self.root).logs(), Logs(f"half\n{REPLAY}\n",
                                                            f"half a line\n{WARNING}", ended))

    def whole(self, halves: str, record: str = RECORD) -> None:
        before, behind = "[    2.0]     ok 1 one\n", "[    2.2]     not ok 2 two\n"
        self.assertEqual(whole_records(before + halves + record + behind), before + record + behind)

    def test_every_cut(self) -> None:
        """Half of a subtest's line would hide the subtest."""
        self.whole("")
        for record in (RECORD, "[   17.525042]         # Subtest: a_refusal_is_one_step\n"):
            for at in range(len(record) - 1):
                half = record[:at]
                end = "" if half.endswith("\n") or not half else "\n"
                self.whole(f"{half}{end}{REPLAY}\n", record)

    def test_begun_more_than_once(self) -> None:
        first, half, again = RECORD.partition("at x")[0], "[    2.1]     # c\n", f"{REPLAY}\n"
        for halves in (f"{first}\n{again}{half}{again}", f"{half}{again}{first}\n{again}",
                       again * 2, half + again * 2, f"{half}{REPLAY[:9]}\n{again}",
                       f"{half}{again}{REPLAY[:9]}\n{again}", f"{again}{REPLAY[:9]}\n{again}"):
            self.whole(halves)

    def test_only_a_half_goes(self) -> None:
        """Neighbours that are alike are records: at most one of them is taken for a half."""
        same = "[    2.1] callback failed\n"
        self.whole(f"[    2.1] callb\n{REPLAY}\n", same)
        for half in ("", "[    2.1] callb\n"):
            lines = whole_records(f"{same * 9}{half}{REPLAY}\n{same * 9}").splitlines()
            self.assertEqual(set(lines), {same.strip()})
            self.assertIn(len(lines), (17, 18))

    def test_what_stays(self) -> None:
        """The message counts only alone on its line; a half at the end has no other half."""
        text = f"[    2.1] x\n[    2.1] {REPLAY}\n[    2.1] x\n"
        for before, behind in ((text, text), ("", ""), ("a\r\nb", "a\nb\n"),
                               (f"a\nhalf\n{REPLAY}\nanother\n", "a\nhalf\nanother\n")):
            self.assertEqual(whole_records(before), behind)
