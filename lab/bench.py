# SPDX-License-Identifier: GPL-2.0-only
"""What the series costs, and what a refusal costs no more: stock against patched, in instructions of the guest."""

import json
import re
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

from lab import host, kbuild, series, station, vm
from lab.errors import LabError, Status
from lab.job import ROOT, Job
from lab.proc import Shell, ask
from lab.results import SPLATS, TIME, unusable

TOOLS = {"pahole": "dwarves", "gnuplot": "gnuplot-nox"}
# One CPU, and a virtual nanosecond, and so a tick of the TSC, for each instruction; no chance, and no clock of the host's.
MACHINE = ("-smp", "1,sockets=1", "-icount", "shift=0,sleep=off", "-rtc", "base=2026-01-01,clock=vm", "-seed", "1")
# Warnings come out, information does not: a line costs what printk costs, not a serial line. No address is random.
APPEND = "console=ttyS0 loglevel=6 reboot=t panic=-1 norandmaps"
SECONDS = 1500.0
CONTENTS = """\
dir /bench 755 0 0
file /bench/mn_bench.ko kit/mn_bench.ko 644 0 0
file /bench/mn-bench kit/mn-bench 755 0 0
"""
WORDS = "lab.run=/bench/mn-bench,/bench/mn_bench.ko"
SIZES = ("mmu_notifier", "mmu_notifier_subscriptions", "mmu_notifier_range", "mm_struct")
SUCCESS = re.compile(r"(?:mprotect|munmap|madvise|fork) hlist=\d+ interval=[01]$")
AT_1000 = re.compile(r"reap vmas=1000 hlist=8 refuser=(\d+)$")
NEEDED, NEEDED_FIRST = 5, 10   # times cheaper, refused reaping of 1,000 mappings with 8 notifiers

Rows = dict[str, int]


def parse(text: str, console: str) -> Rows:
    """Give the rows of one guest; NO_RESULT unless they are whole and the loop took as many ticks as instructions."""
    lines = text.replace("\r", "").split("\n")
    rows = {match[1]: int(match[2]) for line in lines if (match := re.match(r"(\w+ \S+=.*) (\d+)$", line))}
    splats = [line for raw in console.splitlines() if SPLATS.search(line := TIME.sub("", raw))]
    wrong = ""
    if unusable(console):
        wrong = unusable(console)
    elif lines[-3:] != [f"rows {len(rows)}", "lab: mn-bench exited 0", ""]:
        wrong = f"its results are not whole: they end in {' / '.join(lines[-3:])!r}"
    elif splats:
        wrong = f"the kernel complained: {splats[0]}"
    else:
        name, ticks = next(iter(rows.items()))
        loop = re.fullmatch(r"calibrate instructions=(\d+)", name)
        if not loop or abs(ticks - int(loop[1])) * 1000 > ticks:
            wrong = f"no tick for each instruction: {name} took {ticks}"
    if wrong:
        raise LabError(Status.NO_RESULT, f"the bench's guest is not to be trusted: {wrong}")
    return rows


def sizes(pahole: str) -> Rows:
    """Give the sizes in pahole's words; NO_RESULT if one is missing."""
    found = {name: re.search(rf"^struct {name} \{{.*?/\* size: (\d+),", pahole, re.MULTILINE | re.DOTALL) for name in SIZES}
    if missing := [name for name, match in found.items() if not match]:
        raise LabError(Status.NO_RESULT, f"no size of struct {', '.join(missing)} in the debugging information")
    return {name: int(match[1]) for name, match in found.items() if match}


def judge(stock: Rows, patched: Rows, before: Rows, after: Rows) -> list[str]:
    """Name every number that is not reached."""
    if stock.keys() != patched.keys():
        return [f"{name}: on one kernel only" for name in sorted(stock.keys() ^ patched.keys())]
    missed = []
    kinds = {"success": 0, "reap": 0}
    for name, value in patched.items():
        place = AT_1000.match(name)
        if SUCCESS.match(name):
            kinds["success"] += 1
            if round(Fraction(value, stock[name]), 3) > 1:
                missed.append(f"{name}: {value / stock[name]:.3f} of stock ({value} after {stock[name]} instructions), not at most 1.000")
        elif place:
            kinds["reap"] += 1
            needed = NEEDED if int(place[1]) else NEEDED_FIRST
            if stock[name] < needed * value:
                missed.append(f"{name}: {stock[name] / value:.1f} times cheaper ({value} after {stock[name]} instructions), not {needed}")
        elif name.startswith("lines ") and value:
            missed.append(f"{name}: {value} lines in the log, not none")
    missed += [f"no row of {kind}" for kind, seen in kinds.items() if not seen]
    return missed + [f"sizeof(struct {name}) was {before[name]} and is {after[name]}" for name in SIZES if before[name] != after[name]]


class Bench:
    """One base's two kernels without debugging options."""

    def __init__(self, job: Job) -> None:
        """Name the places."""
        self.job = job
        self.place = job.place / "bench"

    def tree(self, flavour: str, identity: str) -> tuple[Path, str]:
        """Make the flavour's tree: stock's without objects, the patched one from it with them."""
        place, src = self.place / flavour, self.place / flavour / "src"
        key = identity if flavour == "stock" else station.key(identity, self.job.series_key)

        def work(shell: Shell) -> None:
            if flavour == "stock":
                series.copy_tree(shell, self.job.pristine, src, objects=False)
            else:
                series.copy_tree(shell, self.place / "stock/src", src)
                series.apply(shell, src, self.job.queue)

        station.station(place, "series", key, src / "Makefile", work)
        return src, key

    def measure(self, flavour: str, identity: str) -> tuple[Rows, Rows]:
        """Build a flavour and run its guest; give its rows and its sizes."""
        src, key = self.tree(flavour, identity)
        place, cache = self.place / flavour, self.job.cache
        fragments = [ROOT / "configs/vm.config", ROOT / "configs" / f"vm-{self.job.names[0]}.config", ROOT / "configs/bench.config"]
        key = kbuild.configure(place, src, [path for path in fragments if path.exists()], key, cache)
        kbuild.kernel(place, src, key, cache, self.place / f"objects-{flavour}")
        key = kbuild.kit(place, src, ROOT / "proof/bench", key, cache, products=("mn_bench.ko", "mn-bench"))
        vm.initrd(place, src, key, CONTENTS)
        if not vm.boot(place, src, words=WORDS, machine=MACHINE, append=APPEND, seconds=SECONDS):
            raise LabError(Status.GUEST, f"the bench's guest on the {flavour} kernel did not end in {SECONDS:.0f} s")
        try:
            rows = parse(*vm.logs(place))
        except LabError:
            vm.forget(place)
            raise
        debug = place / "sizes.o"

        def with_debug(shell: Shell) -> None:
            # Last: the next build of this tree compiles the object again.
            shell.run(kbuild.make(src, "KCFLAGS=-gdwarf-4", "mm/mmu_notifier.o"), Status.NOT_BUILT, env=kbuild.environment(cache))
            shell.run(["cp", src / "O/mm/mmu_notifier.o", debug], Status.NOT_BUILT)

        station.station(place, "sizes", key, debug, with_debug)
        return rows, sizes(ask(["pahole", "-C", ",".join(SIZES), debug], Status.NO_RESULT))


def plot(data: Mapping[str, Any], path: Path) -> None:
    """Draw with gnuplot how the cost of a refused reaping grows, and that of a call that nobody refuses."""
    rows = data["rows"]

    def block(pattern: str) -> str:
        found = sorted((int(match[1]), *rows[name]) for name in rows if (match := re.fullmatch(pattern, name)))
        return "".join(f"{x} {stock} {patched}\n" for x, stock, patched in found) + "e\n"

    log, line = "set logscale xy; set yrange [*:*]", "unset logscale; set yrange [0:*]"
    plots = (
        ("refused reaping by mappings, 8 notifiers, the first refuses", "mappings", log, r"reap vmas=(\d+) hlist=8 refuser=0"),
        ("refused reaping by the refuser's place, 1,000 mappings", "place of 8", line, r"reap vmas=1000 hlist=8 refuser=(\d+)"),
        ("refused reaping by notifiers, 1,000 mappings, the first refuses", "hlist notifiers", log, r"reap vmas=1000 hlist=(\d+) refuser=0"),
        ("madvise() that nobody refuses, by notifiers", "hlist notifiers", line, r"madvise hlist=(\d+) interval=0"),
    )
    script = [f"set terminal svg size 900,720 noenhanced name 'bench'\nset output '{path.absolute()}'\n"
              "set multiplot layout 2,2\nset ylabel 'instructions'\nset key left top\n"]
    for title, label, scale, pattern in plots:
        script.append(f"set title '{title}'\nset xlabel \"{label}\"\n{scale}\n".replace("refuser's", "refuser''s"))
        script.append("plot '-' using 1:2 with linespoints title 'stock', '-' using 1:3 with linespoints title 'with the series'\n")
        script.append(block(pattern) * 2)
    subprocess.run(["gnuplot"], input="".join(script), text=True, check=True)


def run(job: Job) -> list[str]:
    """Measure both kernels, keep the figures in docs/bench, give what is not reached."""
    host.need({**host.BUILD, **host.GUEST, **TOOLS}, job.build / "host.log")
    bench = Bench(job)
    with station.lock(job.place):
        identity = job.source()
        stock, before = bench.measure("stock", identity)
        patched, after = bench.measure("patched", identity)
    missed = judge(stock, patched, before, after)
    rows = {name: [stock[name], patched[name]] for name in stock if name in patched}
    data = {
        "base": job.base.name, "source": identity, "compiler": kbuild.compiler(), "qemu": vm.version(),
        "date": datetime.now(UTC).date().isoformat(), "missed": missed,
        "sizes": {name: [before[name], after[name]] for name in SIZES},
        "rows": rows,
    }
    folder = ROOT / "docs/bench"
    folder.mkdir(exist_ok=True)
    station.write_atomic(folder / f"{job.base.name}.json", json.dumps(data, indent=1) + "\n")
    plot(data, folder / f"{job.base.name}.svg")
    print(*(f"  {name}: stock {one}, patched {two}" for name, (one, two) in rows.items()), sep="\n")
    print(f"\nbase {job.base.name}: {len(stock)} figures, {len(missed)} numbers missed", *(f"  {line}" for line in missed), sep="\n")
    return missed
