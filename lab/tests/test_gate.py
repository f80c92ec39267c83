# SPDX-License-Identifier: GPL-2.0-only
"""The gate on a made-up kernel: it finds what is new, and says what cannot run."""

import difflib
import os
import shutil
import unittest
from pathlib import Path
from unittest import mock

from lab.base import memory, packages
from lab.base.errors import Status
from lab.gate import builds, files, findings
from lab.gate.states import History
from lab.kernel.source import Source
from lab.tests.repository import Repository, base, part
from lab.verbs import gate
from lab.verbs.context import Tally

SKELETON = Path(__file__).with_name("skeleton-gate")
MAKEFILE = (SKELETON / "Makefile").read_text()
TOOLS = ("sparse", "clang-19", "aarch64-linux-gnu-gcc", "gcc", "spatch", "rst2html", "shellcheck")
FOLDER = "tools/testing/selftests/mm"
PROGRAM, CONFIG = f"{FOLDER}/t.c", f"{FOLDER}/config"
OLD = "gcc: old\nspatch: old\nkernel-doc: old\n"
STOCK = {"Kconfig": "config LOST_B\n",
    "Makefile": MAKEFILE, "mm/Makefile": "obj-y += x.o\nobj-$(CONFIG_Y) += y.o\n",
    "mm/x.c": "int x;\n", "mm/y.c": OLD, "include/linux/h.h": "int h;\n", "doc.rst": "text\n",
    f"{FOLDER}/Makefile": (SKELETON / "selftests.mk").read_text(),
    PROGRAM: "int t;\n#include <l.h>\n",
    "scripts/min-tool-version.sh": "echo 17.0.1", "scripts/coccinelle/a.cocci": "virtual report",
    CONFIG: "CONFIG_A=y\nCONFIG_LOST_A=y\n",
    "scripts/kconfig/merge_config.sh": "grep -v LOST $5 > $3/.config",
    "configs/gate.config": "CONFIG_Y=y\n", "configs/gate-off.config": "# nothing\n"}


class Gate(Repository):
    def setUp(self) -> None:
        super().setUp()
        self.stock = self.root / "build/1.0/stock/src"
        for name, text in STOCK.items():
            self.write(f"build/1.0/stock/src/{name}", text)
        for tool in ("build/1.0/stock/src/scripts/kernel-doc", *(f"bin/{name}" for name in TOOLS)):
            self.write(tool, (SKELETON / "tool").read_text()).chmod(0o755)
        path = f"{self.root / 'bin'}:{os.environ['PATH']}"
        for target, name, value in (
                (builds, "CONFIGS", self.stock / "configs"), (memory, "NEEDED", 0),
                (packages, "GATE", {name: name for name in TOOLS}), (packages, "BUILD", {}),
                (Source, "fetch", mock.Mock()), (Source, "identity", "made up 1.0"),
                (os, "geteuid", lambda: 1000), (os, "environ", {**os.environ, "PATH": path})):
            fake = mock.patch.object(target, name, value)
            fake.start()
            self.addCleanup(fake.stop)
        self.bases = self.list_bases(base("1.0", part("core"), part("more")))

    def patches(self, *patches: dict[str, str], upper: int = 0) -> None:
        """Make patches, each of which writes files; the last `upper` are the part `more`."""
        made, now = list[tuple[str, str]](), dict[str, str]()
        shutil.rmtree(self.root / "series/1.0", ignore_errors=True)
        for number, changes in enumerate(patches, 1):
            text = f"From: a <a@b>\nSubject: [PATCH] patch{number}\n\n---\n"
            for name, new in changes.items():
                stock = self.stock / name
                old = now.get(name, stock.read_text() if stock.exists() else "")
                text += "".join(difflib.unified_diff(
                    old.splitlines(True), new.splitlines(True),
                    f"a/{name}" if old else "/dev/null", f"b/{name}"))
            now |= changes
            made.append((f"{number:04}-patch{number}", text))
        self.queue("1.0/core", *made[:len(made) - upper])
        self.queue("1.0/more", *made[len(made) - upper:])

    def gate(self, name: str = "core") -> str:
        self.tally, stack = Tally(), self.bases.stack("1.0", name)
        return self.quietly(gate.gate, stack, Source(stack.base, self.root / "build"), self.tally)

    def found(self, *patches: dict[str, str], upper: int = 0) -> list[str]:
        self.patches(*patches, upper=upper)
        output = self.gate("more" if upper else "core")
        found = [line.strip() for line in output.splitlines() if line.startswith("    ")]
        self.assertEqual(self.tally.failed > 0, bool(found))
        return found

    def test_nothing_new(self) -> None:
        self.patches({"mm/x.c": "int x2;\n"},
                     {"mm/y.c": "int y2;\n", "doc.rst": "more\n", PROGRAM: "int t2;\n"})
        output = self.gate()
        for line in ("1.0: git am: 2 patches apply", "MMU_NOTIFIER off: 1 patches, 1 checked",
                     "1.0: gcc W=1, sparse: 2 patches, 2 checked, nothing new", "rst: 1",
                     "coccicheck: 2 patches", "selftests gcc -Wall: 1 patches, 1 checked"):
            self.assertIn(line, output)
        self.assertEqual((self.tally.passed, self.tally.status), (12, Status.OK))

    def test_a_new_warning_names_patch_file_and_line(self) -> None:
        found = self.found({"mm/x.c": "int a;\n"}, {"mm/x.c": "gcc: z\n"}, {"mm/x.c": "\ngcc: z\n"})
        self.assertEqual(found, 2 * ["0002-patch2.patch: mm/x.c:7:3: warning: z"])  # on and off
        self.assertEqual(self.found({"mm/y.c": f"int moved;\n\n\n{OLD}"}), [])
        self.assertEqual(self.found({CONFIG: f"{STOCK[CONFIG]}CONFIG_B=y\nCONFIG_LOST_B=y\n"}),
                         [f"0001-patch1.patch: {CONFIG}: warning: x86_64_defconfig loses "
                          "CONFIG_LOST_B=y"])
        self.assertEqual(self.found({"mm/y.c": f"{OLD}gcc: old\n"}),  # more of an old one
                         ["0001-patch1.patch: mm/y.c:7:3: warning: old"])

    def test_each_tool_is_heard(self) -> None:
        for tool, name, place in (
                ("clang-19", "mm/x.c", "7:3"), ("aarch64-linux-gnu-gcc", "mm/x.c", "7:3"),
                ("spatch", "mm/x.c", "12:3"), ("kernel-doc", "include/linux/h.h", "12:3"),
                ("rst2html", "doc.rst", "12:3"), ("shellcheck", "a.sh", "12:3"),
                ("shellcheck", "vm/run_vmtests", "12:3"), ("program", PROGRAM, "1")):
            shown = f"{'t.c' if tool == 'program' else name}:{place}: warning: odd"
            self.assertEqual(self.found({name: f"{tool}: odd\n"}), [f"0001-patch1.patch: {shown}"])
        self.assertEqual(self.found({"doc.rst": f"{80 * 'x'}\n{81 * 'x'}\n"}), [
            f"0001-patch1.patch: doc.rst:2: warning: over 80 columns: {81 * 'x'}"])

    def test_stock_of_an_upper_stack_has_the_lower_patches(self) -> None:
        found = self.found({"mm/x.c": "gcc: low\n", "mm/y.c": "gcc: low\n"},
                           {"mm/x.c": "gcc: low\nint b;\n"}, {"mm/y.c": "gcc: high\n"}, upper=2)
        self.assertEqual(found, ["0003-patch3.patch: mm/y.c:7:3: warning: high"])

    def test_patch_that_does_not_build_is_named(self) -> None:
        found = self.found({"mm/y.c": "BROKEN\n"}, {"mm/y.c": "int fixed;\n"})
        self.assertEqual(found, 3 * ["0001-patch1.patch: error: mm/y.o does not build"])
        self.assertIn("mm/y.o does not build", self.gate())  # a failure is not kept

    def test_configuration_of_a_base_has_the_last_word(self) -> None:
        absent = "0001-patch1.patch: error: mm/{}.o is in no configuration: add it to lab/configs/"
        absent += "{}.config"
        self.assertEqual(self.found({"mm/z.c": "int z;\n"}), [absent.format("z", "gate")])
        (self.stock / "configs/gate-1.0.config").write_text("#IF#CONFIG_Z=m\nCONFIG_Y=n\n")
        (self.stock / "configs/gate-2.0.config").write_text("CONFIG_OTHER=y\n")
        self.assertEqual(self.found({"mm/y.c": "int b;\n"}), [absent.format("y", "gate-1.0")])
        for name, expected in (("gcc", "CONFIG_Y=n\nCONFIG_Z=m\n"), ("off", ""),
                               ("clang", "CONFIG_Y=n\nCONFIG_Z=y\n")):  # has no modules
            config = self.root / f"build/1.0/gate/src/O-{name}/.config"
            self.assertEqual(config.read_text(), expected)

    def test_part_of_a_module_is_wanted_if_the_module_is(self) -> None:
        for makefile, expected in (
                ("obj-y += x.o", True), ("obj-$(CONFIG_N) += x.o", False), ("m-y := x.o", False),
                ("x-y := x.o", False), ("obj-$(CONFIG_N) += m.o\nm-y := x.o", False),
                ("obj-$(CONFIG_Y) += m.o\nm-y := a.o x.o\n", True),
                ("obj-$(CONFIG_Y) += m.o\nm-$(CONFIG_N) += x.o\n", False),
                ("some-$(CONFIG_Y) := x.o \\\n a.o\nobj-y := $(some-y)\n", True),
                ("some-$(CONFIG_N) := x.o\nobj-y := $(some-y)\n", False)):
            shutil.rmtree(self.root / "build/1.0/gate", ignore_errors=True)
            (self.stock / "mm/Makefile").write_text(makefile)
            self.assertEqual(self.found({"mm/x.c": "int b;\n"}) == [], expected, makefile)

    def test_header_rebuilds_its_users_unless_only_comments_change(self) -> None:
        (self.stock / "mm/y.c").write_text("#include <linux/h.h>\n")
        self.patches({"include/linux/h.h": "int h; /* why */\n"},
                     {"include/linux/h.h": "int i;\n", "lib/l.h": "int l;\n"})
        self.assertRegex(self.gate(), "(?s)sparse: 1 patches, 1 .*Wall: 1 patches, 1 checked")

    def test_warm_gate_builds_only_what_follows_a_changed_patch(self) -> None:
        self.patches({"mm/x.c": "int x2;\n"}, {"mm/y.c": "int y2;\n"})
        kept = [line for line in self.gate().splitlines() if not line.startswith("  ")]
        with mock.patch("lab.base.proc.Shell.run", side_effect=AssertionError):
            self.assertEqual(self.gate().splitlines(), kept)
        with mock.patch.object(History, "checkout", autospec=True,
                               side_effect=History.checkout) as checkout:
            self.assertEqual(self.found({"mm/x.c": "int x2;\n"}, {"mm/y.c": "gcc: y3\n"}),
                             ["0002-patch2.patch: mm/y.c:7:3: warning: y3"])
        self.assertEqual([call.args[1].number for call in checkout.call_args_list], [2])

    def test_what_is_not_run_says_so(self) -> None:
        (self.stock / "scripts/min-tool-version.sh").write_text("echo 21.0.0\n")
        self.patches({"mm/x.c": "int x2;\n"})
        self.assertIn("clang W=1: not run: needs clang >= 21.0.0, there is clang-19 v", self.gate())
        self.assertEqual(self.tally.skipped, 1)

    def test_what_ends_the_gate(self) -> None:
        make, kernel = MAKEFILE.replace, "build/1.0/stock/src"
        lost, broken = make("cp $(O)/fragment", "echo >"), make("@mkdir", "@false")
        for name, text, status, words in (
                (f"{kernel}/mm/y.c", "", Status.NOT_APPLIED, "0002-patch2.patch .* at mm/y.c"),
                (f"{kernel}/Makefile", lost, Status.NOT_BUILT, "lost CONFIG_Y=y"),
                (f"{kernel}/Makefile", broken, Status.NOT_BUILT, "sparse: stock mm/x.o, mm/y.o do"),
                ("bin/spatch", "#!/bin/sh\n[ $1 = --version ] || exit 3", Status.NO_RESULT, "h 3")):
            with self.subTest(words=words):
                shutil.rmtree(self.root / "build/1.0/gate", ignore_errors=True)
                self.patches({"mm/x.c": "int x2;\n"}, {"mm/y.c": "int y2;\n"})
                before = (self.root / name).read_text()
                self.write(name, text)
                self.refused(status, words, self.gate)
                self.write(name, before)
        with mock.patch.object(packages, "GATE", {"no-such-tool": "package"}):
            self.refused(Status.TOOL_MISSING, "install --no-install-recommends package", self.gate)


class Findings(unittest.TestCase):
    def test_lines(self) -> None:
        for line, bare in (
                ("../mm/x.c:12:3: warning: unused ‘a’", "mm/x.c: warning: unused ‘a’"),
                ("Warning: mm/x.c:746 No description", "Warning: mm/x.c No description"),
                ("./mm/x.c:10:2-8: WARNING: NULL check", "./mm/x.c: WARNING: NULL check"),
                ("mm/x.o: warning: objtool: f+0x12: x", "mm/x.o: warning: objtool: f: x"),
                ("a.rst:3: (WARNING/2) Title underline.", "a.rst: (WARNING/2) Title underline."),
                ("make[2]: *** [../scripts/Makefile.build:229: mm/x.o] Error 1", ""),
                ("+ make W=1 # warning: no", ""), ("mm/x.c: In function ‘f’:", ""),
                ('a.rst:4: (ERROR/3) Unknown directive type "x".', ""), ("   12 | int a;", "")):
            found = [findings.unplaced(one) for one in findings.findings(line)]
            self.assertEqual(found, [bare] if bare else [], line)

    def test_thinning_keeps_lines_and_what_changed(self) -> None:
        same = "int a(void)\n{\n}\n"
        stock = f"#define A \\\n\t1\n{same}\n#ifdef B\nint b(void)\n{{\n}}\n#endif\n"
        other = stock.replace("b(void)", "b(int)")
        thinned = files.thin({(0, "x.c"): stock, (2, "x.c"): other, (2, "new.c"): stock})
        blank = [text.replace(same, "\n\n\n") for text in (stock, other)]
        self.assertEqual([*thinned.values()], [*blank, stock])
