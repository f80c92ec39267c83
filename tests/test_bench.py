# SPDX-License-Identifier: GPL-2.0-only
"""The numbers of bench: what is not reached is named, and what is not whole is not believed."""

import unittest

from lab import bench, figures
from lab.errors import LabError

STOCK = {"calibrate instructions=1000000": 1000010, "mprotect hlist=8 interval=0": 2000, "fork hlist=0 interval=1": 90000,
         "reap vmas=1000 hlist=8 refuser=0": 12000000, "reap vmas=1000 hlist=8 refuser=7": 12000000,
         "lines vmas=1000 hlist=8 refuser=0": 5055, "oom hlist=8 refuser=0": 5000}
PATCHED = {**STOCK, "mprotect hlist=8 interval=0": 1999, "reap vmas=1000 hlist=8 refuser=0": 1200000,
           "reap vmas=1000 hlist=8 refuser=7": 2400000, "lines vmas=1000 hlist=8 refuser=0": 0}
SIZES = dict.fromkeys(bench.SIZES, 56)
PAHOLE = "".join(f"struct {name} {{\n\tint a; /* 0 4 */\n\n\t/* size: {size}, cachelines: 1, members: 1 */\n}};\n"
                 for name, size in SIZES.items())
FINE = "[ 1.0] fine\n"


def log(rows: dict[str, int]) -> str:
    """Give what the guest prints."""
    return "".join(f"{name} {value}\r\n" for name, value in rows.items()) + f"rows {len(rows)}\r\nlab: mn-bench exited 0\r\n"


class Bench(unittest.TestCase):
    """Each of the numbers can be missed."""

    def missed(self, **changed: int) -> list[str]:
        """Judge with other patched figures; a blank is written as __, an equal sign as _is_."""
        patched = {**PATCHED, **{name.replace("__", " ").replace("_is_", "="): value for name, value in changed.items()}}
        return bench.judge(STOCK, patched, SIZES, SIZES)

    def test_reached(self) -> None:
        self.assertEqual(self.missed(), [])
        self.assertEqual(self.missed(fork__hlist_is_0__interval_is_1=90044), [])  # 1.000, to three decimals

    def test_success_path_too_dear(self) -> None:
        self.assertEqual(self.missed(mprotect__hlist_is_8__interval_is_0=2002),
                         ["mprotect hlist=8 interval=0: 1.001 of stock (2002 after 2000 instructions), not at most 1.000"])

    def test_refusal_too_dear(self) -> None:
        for place, value, needed in ((0, 1200001, 10), (7, 2400001, 5)):
            (line,) = self.missed(**{f"reap__vmas_is_1000__hlist_is_8__refuser_is_{place}": value})
            self.assertTrue(line.endswith(f"not {needed}"), line)

    def test_a_line_in_the_log(self) -> None:
        self.assertIn("1 lines in the log", self.missed(lines__vmas_is_1000__hlist_is_8__refuser_is_0=1)[0])

    def test_a_larger_structure(self) -> None:
        self.assertEqual(bench.judge(STOCK, PATCHED, SIZES, {**SIZES, "mm_struct": 64}), ["sizeof(struct mm_struct) was 56 and is 64"])

    def test_a_row_of_one_kernel_only(self) -> None:
        few = {name: value for name, value in PATCHED.items() if not name.startswith("oom")}
        self.assertEqual(bench.judge(STOCK, few, SIZES, SIZES), ["oom hlist=8 refuser=0: on one kernel only"])

    def test_nothing_measured(self) -> None:
        self.assertEqual(bench.judge({}, {}, SIZES, SIZES), ["no row of success", "no row of reap"])

    def test_logs(self) -> None:
        self.assertEqual(bench.parse(log(STOCK), FINE), STOCK)
        for text, console in (
            ("", FINE), (log(STOCK)[:-20], FINE), (log(STOCK).replace("mprotect", "!"), FINE), (log(STOCK).replace("exited 0", "exited 1"), FINE),
            (log({**STOCK, "calibrate instructions=1000000": 2000000}), FINE), (log({"x y=1": 2, **STOCK}), FINE),
            (log(STOCK), "[    1.000000] WARNING: CPU: 0 PID: 1 at mm/mmu_notifier.c:1 x+0x1/0x2\n"),
            (log(STOCK), ""), (log(STOCK), f"{FINE}** 3 printk messages dropped **\n"),
        ):
            with self.subTest(text=text[-60:], console=console), self.assertRaises(LabError):
                bench.parse(text, console)

    def test_sizes(self) -> None:
        self.assertEqual(bench.sizes(PAHOLE), SIZES)
        with self.assertRaises(LabError):
            bench.sizes(PAHOLE.replace("struct mm_struct", "struct other"))

    def test_page(self) -> None:
        data = {"source": "s", "date": "d", "compiler": "c", "qemu": "q", "missed": ["this"], "sizes": {"mm_struct": [1, 1]},
                "rows": {name: [STOCK[name], PATCHED[name]] for name in STOCK if "refuser=7" not in name}}
        page = "\n".join(figures.pages({"7.3": data}))
        for line in ("Not reached: this.", "| mprotect | 8 | no | 2,000 | 1,999 | 1.000 |",
                     "| 1,000 | 8 | 0 | 12,000,000 | 1,200,000 | 10.0 | 5,055 | 0 |"):
            self.assertIn(line, page)
        self.assertIn("at most 1.000 times stock's instructions", figures.summary("7.3", data))


if __name__ == "__main__":
    unittest.main()
