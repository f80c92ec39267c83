# SPDX-License-Identifier: GPL-2.0-only
"""The gate, on a made-up kernel: what is new is found, what is old is not, and what cannot run says so."""

import contextlib
import io
import os
import shutil
import subprocess
from pathlib import Path
from unittest import mock

from lab import gate, host, series, station
from lab.data import Base
from lab.errors import Status
from lab.job import Job
from tests.test_stations import Scratch

# Every line "X: words" of a source makes the tool X print a warning there; BROKEN does not build.
MAKEFILE = r"""
allnoconfig:
	cp $(O)/fragment $(O)/.config
mod2yesconfig:
	sed -i s/=m/=y/ $(O)/.config
headers:
mm/x.o mm/y.o:
	@! grep -n BROKEN $(@:.o=.c) >&2
	@sed -n 's/^$(firstword $(notdir $(lastword $(CC)))): \(.*\)/warning: \1/p' $(@:.o=.c) | sed 's|^|../$(@:.o=.c):7:3: |' >&2
	@mkdir -p $(O)/mm && touch $(O)/$@
"""
SELFTEST = """
$(OUTPUT)/t: t.c
	@sed -n 's/^program: /t.c:1: warning: /p' t.c >&2
	@touch $@
"""
# Prints what is marked with its name in the files named, or in those below the current folder.
TOOL = """\
#!/bin/sh
[ "$1" != --version ] || { echo "%(name)s version 19.1"; exit; }
set -- "$@" $(find . -name '*.[ch]' -o -name '*.rst')
for file do
	[ ! -f "$file" ] || sed -n "s|^%(name)s: |$file:12:3: warning: |p" "$file" >&2
done
"""
TOOLS = ("sparse", "clang-19", "aarch64-linux-gnu-gcc", "gcc", "spatch", "rst2html", "shellcheck")
DATES = {"GIT_AUTHOR_DATE": "2026-01-01T00:00:00Z", "GIT_COMMITTER_DATE": "2026-01-01T00:00:00Z"}
STOCK = {
    "Makefile": MAKEFILE,
    "mm/Makefile": "obj-y += x.o\nobj-$(CONFIG_Y) += y.o\n",
    "mm/x.c": "int x;\n",
    "mm/y.c": "int y;\n",
    "include/linux/h.h": "int h;\n",
    "doc.rst": "text\n",
    "tools/testing/selftests/mm/Makefile": SELFTEST,
    "tools/testing/selftests/mm/t.c": "int t;\n",
    "scripts/kconfig/Makefile": "simple-targets := mod2yesconfig\n",
    "scripts/min-tool-version.sh": "echo 17.0.1\n",
    "scripts/coccinelle/a.cocci": "virtual report\n",
    "configs/gate.config": "CONFIG_Y=y\n",
    "configs/gate-off.config": "# nothing\n",
}


class Gate(Scratch):
    """One base and its patches."""

    def setUp(self) -> None:
        super().setUp()
        self.stock = self.folder / "build/1.0/stock/src"
        for name, text in STOCK.items():
            self.write(name if name.startswith("configs/") else f"build/1.0/stock/src/{name}", text)
        self.tool(self.stock / "scripts", "kernel-doc")
        (self.folder / "bin").mkdir()
        for name in TOOLS:
            self.tool(self.folder / "bin", name)
        self.write("kit/cases", "a fail -\n")
        path = f"{self.folder / 'bin'}:{os.environ['PATH']}"
        faked = contextlib.ExitStack()
        self.addCleanup(faked.close)
        faked.enter_context(mock.patch.object(gate, "ROOT", self.folder))
        faked.enter_context(mock.patch("lab.job.ROOT", self.folder))
        faked.enter_context(mock.patch.object(station, "NEEDED", 0))
        faked.enter_context(mock.patch.object(host, "GATE", {name: name for name in TOOLS}))
        faked.enter_context(mock.patch.object(host, "BUILD", {}))
        faked.enter_context(mock.patch.object(Job, "source", lambda job: "made up 1.0"))
        faked.enter_context(mock.patch.dict(os.environ, {"PATH": path}))

    def tool(self, folder: Path, name: str) -> None:
        """Make a tool that prints what is marked with its name."""
        path = folder / name
        path.write_text(TOOL % {"name": name})
        path.chmod(0o755)

    def series(self, *patches: dict[str, str]) -> None:
        """Make a queue of patches, each of which writes files."""
        tree, queue = self.folder / "tree", self.folder / "series/1.0"
        subprocess.run(["rm", "-rf", tree, queue], check=True)
        subprocess.run(["cp", "-a", self.stock, tree], check=True)

        def git(*words: str | Path) -> None:
            subprocess.run([*series.GIT, "-C", tree, *words], check=True, stdout=subprocess.DEVNULL, env={**os.environ, **series.ALONE, **DATES})

        git("init", "-q")
        git("add", "-A")
        git("commit", "-qm", "stock")
        for number, files in enumerate(patches, 1):
            for name, text in files.items():
                (tree / name).parent.mkdir(parents=True, exist_ok=True)
                (tree / name).write_text(text)
            git("add", "-A")
            git("commit", "-qm", f"patch{number}")
        git("format-patch", "-q", "--zero-commit", f"-{len(patches)}", "-o", queue)
        (queue / "series").write_text("".join(f"{path.name}\n" for path in sorted(queue.glob("*.patch"))))

    def gate(self) -> tuple[str, Job]:
        """Run the gate; give what it printed."""
        output = io.StringIO()
        one = Job(Base("1.0", "pkg", "1", "-", ""), self.folder / "build")
        with contextlib.redirect_stdout(output):
            gate.gate(one)
        return output.getvalue(), one

    def assert_found(self, *lines: str) -> None:
        """Expect exactly these findings."""
        output, one = self.gate()
        self.assertEqual([line.strip() for line in output.splitlines() if line.startswith("    ")], list(lines), output)
        self.assertEqual(one.tally.failed > 0, bool(lines))

    def test_nothing_new(self) -> None:
        self.series({"mm/x.c": "int x2;\n"}, {"mm/y.c": "int y2;\n", "doc.rst": "more\n", "tools/testing/selftests/mm/t.c": "int t2;\n"})
        output, one = self.gate()
        for line in ("git am: 2 patches apply", "gcc W=1, sparse: 2 patches, 2 checked, nothing new", "off: 1 patches, 1 checked",
                     "docutils: 1 patches, 1 checked", "selftests gcc -Wall: 1 patches, 1 checked", "coccicheck: 2 patches, 2 checked"):
            self.assertIn(line, output)
        self.assertEqual((one.tally.failed, one.tally.status), (0, Status.OK))

    def test_a_new_warning_names_patch_file_and_line(self) -> None:
        self.series({"mm/x.c": "int x2;\n"}, {"mm/x.c": "gcc: unused z\n"}, {"mm/x.c": "gcc: unused z\nint more;\n"})
        self.assert_found(*2 * ["0002-patch2.patch: mm/x.c:7:3: warning: unused z"])  # with MMU_NOTIFIER on and off

    def test_each_tool_is_heard(self) -> None:
        for tool, name, place in (
            ("clang-19", "mm/x.c", "mm/x.c:7:3"), ("aarch64-linux-gnu-gcc", "mm/x.c", "mm/x.c:7:3"), ("spatch", "mm/x.c", "mm/x.c:12:3"),
            ("kernel-doc", "include/linux/h.h", "include/linux/h.h:12:3"), ("rst2html", "doc.rst", "doc.rst:12:3"),
            ("shellcheck", "a.sh", "a.sh:12:3"), ("shellcheck", "vm/run_vmtests", "vm/run_vmtests:12:3"), ("program", "tools/testing/selftests/mm/t.c", "t.c:1"),
        ):
            with self.subTest(tool=tool):
                self.series({name: f"{tool}: something odd\n"})
                self.assert_found(f"0001-patch1.patch: {place}: warning: something odd")

    def test_an_old_warning_is_not_new_wherever_it_moves(self) -> None:
        (self.stock / "mm/x.c").write_text("gcc: old\nspatch: old\nkernel-doc: old\n")
        self.series({"mm/x.c": "int x2;\n\n\ngcc: old\nspatch: old\nkernel-doc: old\n"})
        self.assert_found()

    def test_a_second_one_of_an_old_kind_is_new(self) -> None:
        (self.stock / "mm/y.c").write_text("gcc: old\n")
        self.series({"mm/y.c": "gcc: old\ngcc: old\n"})
        self.assert_found("0001-patch1.patch: mm/y.c:7:3: warning: old")

    def test_patch_that_does_not_build_is_named(self) -> None:
        self.series({"mm/y.c": "BROKEN\n"}, {"mm/y.c": "int mended;\n"})
        output, one = self.gate()
        self.assertIn("0001-patch1.patch: error: mm/y.o does not build", output)
        self.assertNotIn("    0002", output)
        self.assertEqual(one.tally.status, Status.TEST_FAILED)
        self.assertIn("mm/y.o does not build", self.gate()[0])  # a failure is not remembered

    def test_patch_that_does_not_apply_is_named(self) -> None:
        self.series({"mm/x.c": "int x2;\n"}, {"mm/y.c": "int y2;\n"})
        (self.stock / "mm/y.c").write_text("int other;\n")
        with self.refused(Status.NOT_APPLIED, "0002-patch2.patch does not apply at mm/y.c"):
            self.gate()

    def test_source_in_no_configuration(self) -> None:
        self.series({"mm/z.c": "int z;\n"})
        self.assert_found("0001-patch1.patch: error: mm/z.o is in no configuration: add it to configs/gate.config")

    def test_configuration_of_a_base_has_the_last_word(self) -> None:
        self.write("configs/gate-1.0.config", "# CONFIG_Y is not set\n#IF#CONFIG_Z=y\n")
        self.write("configs/gate-2.0.config", "CONFIG_OTHER=y\n")
        self.series({"mm/y.c": "int y2;\n"})
        self.assert_found("0001-patch1.patch: error: mm/y.o is in no configuration: add it to configs/gate-1.0.config")
        self.assertEqual(self.config("gcc"), "# CONFIG_Y is not set\nCONFIG_Z=y\n")
        self.assertEqual(self.config("off"), "")

    def test_clang_builds_modules_in(self) -> None:
        self.write("configs/gate.config", "CONFIG_Y=m\n")
        for target in (True, False):
            with self.subTest(target=target):
                if not target:
                    (self.stock / "scripts/kconfig/Makefile").write_text("")
                    (self.stock / "Makefile").write_text(MAKEFILE.replace("mod2yesconfig", "other"))
                self.series({"mm/y.c": f"int y{target};\n"})
                self.assert_found()
                self.assertEqual((self.config("gcc"), self.config("clang")), ("CONFIG_Y=m\n", "CONFIG_Y=y\n"))
                shutil.rmtree(self.folder / "build/1.0/gate")

    def config(self, variant: str) -> str:
        """Give the configuration of a variant."""
        return (self.folder / f"build/1.0/gate/src/O-{variant}/.config").read_text()

    def test_part_of_a_module_is_wanted_if_the_module_is(self) -> None:
        wanted = {
            "obj-y += x.o\n": True, "obj-$(CONFIG_N) += x.o\n": False,
            "obj-$(CONFIG_Y) += m.o\nm-y := a.o x.o\n": True, "obj-$(CONFIG_N) += m.o\nm-y := x.o\n": False,
            "obj-$(CONFIG_Y) += m.o\nm-$(CONFIG_N) += x.o\n": False, "m-y := x.o\n": False, "x-y := x.o\n": False,
            "some-$(CONFIG_Y) := x.o \\\n a.o\nobj-y := $(some-y)\n": True, "some-$(CONFIG_N) := x.o\nobj-y := $(some-y)\n": False,
        }
        for makefile, expected in wanted.items():
            with self.subTest(makefile=makefile):
                shutil.rmtree(self.folder / "build/1.0/gate", ignore_errors=True)  # the source has still the same name
                (self.stock / "mm/Makefile").write_text(makefile)
                self.series({"mm/x.c": "int x2;\n"})
                output = self.gate()[0]
                self.assertEqual("mm/x.o is in no configuration" in output, not expected, output)

    def test_header_rebuilds_its_users_unless_only_comments_change(self) -> None:
        (self.stock / "mm/y.c").write_text("#include <linux/h.h>\n")
        self.series({"include/linux/h.h": "int h; /* why */\n"}, {"include/linux/h.h": "int h2;\n"})
        output, _ = self.gate()
        self.assertIn("gcc W=1, sparse: 1 patches, 1 checked", output)

    def test_warm_gate_builds_nothing(self) -> None:
        self.series({"mm/x.c": "int x2;\n"})
        first, _ = self.gate()
        with mock.patch.object(gate.Gate, "build", side_effect=AssertionError), mock.patch.object(gate, "printed", side_effect=AssertionError):
            second, _ = self.gate()
        self.assertEqual(second.splitlines(), [line for line in first.splitlines() if not line.startswith("  ")])

    def test_only_what_follows_a_changed_patch_is_built_again(self) -> None:
        self.series({"mm/x.c": "int x2;\n"}, {"mm/y.c": "int y2;\n"})
        self.gate()
        self.series({"mm/x.c": "int x2;\n"}, {"mm/y.c": "gcc: y3\n"})
        with mock.patch.object(gate.Gate, "checkout", autospec=True, side_effect=gate.Gate.checkout) as checkout:
            self.assert_found("0002-patch2.patch: mm/y.c:7:3: warning: y3")
        self.assertEqual([call.args[1] for call in checkout.call_args_list], [2])

    def test_clang_that_is_too_old_is_not_run(self) -> None:
        (self.stock / "scripts/min-tool-version.sh").write_text("echo 21.0.0\n")
        self.series({"mm/x.c": "int x2;\n"})
        output, one = self.gate()
        self.assertIn("clang W=1: not run: needs clang >= 21.0.0, there is clang-19 version 19.1", output)
        self.assertEqual(one.tally.skipped, 1)

    def test_missing_tool(self) -> None:
        self.series({"mm/x.c": "int x2;\n"})
        with mock.patch.object(host, "GATE", {"no-such-tool": "package"}), mock.patch("os.geteuid", return_value=1000):
            with self.refused(Status.TOOL_MISSING, "install --no-install-recommends package"):
                self.gate()

    def test_tool_that_fails_without_a_finding(self) -> None:
        self.series({"mm/x.c": "int x2;\n"})
        (self.folder / "bin/spatch").write_text("#!/bin/sh\n[ \"$1\" = --version ] || exit 3\n")
        with self.refused(Status.NO_RESULT, "exited with 3"):
            self.gate()

    def test_lost_option(self) -> None:
        self.series({"mm/x.c": "int x2;\n"})
        (self.stock / "Makefile").write_text(MAKEFILE.replace("cp $(O)/fragment", "echo >"))
        with self.refused(Status.NOT_BUILT, "lost CONFIG_Y=y"):
            self.gate()


class Findings(Scratch):
    """What tools print."""

    def test_lines(self) -> None:
        for line, bare in (
            ("../mm/x.c:12:3: warning: unused variable ‘a’ [-Wunused-variable]", "mm/x.c: warning: unused variable ‘a’ [-Wunused-variable]"),
            ("Warning: mm/x.c:746 No description found for return value of 'f'", "Warning: mm/x.c No description found for return value of 'f'"),
            ("./mm/x.c:10:2-8: WARNING: NULL check is not needed", "./mm/x.c: WARNING: NULL check is not needed"),
            ("mm/x.o: warning: objtool: f+0x12: unreachable instruction", "mm/x.o: warning: objtool: f: unreachable instruction"),
            ("a.rst:3: (WARNING/2) Title underline too short.", "a.rst: (WARNING/2) Title underline too short."),
        ):
            with self.subTest(line=line):
                self.assertEqual([gate.text(found) for found in gate.findings(line)], [bare])

    def test_no_findings(self) -> None:
        for line in ("make[2]: *** [../scripts/Makefile.build:229: mm/x.o] Error 1", "  CC      mm/x.o", "+ make W=1 # warning: no",
                     'a.rst:4: (ERROR/3) Unknown directive type "kernel-doc".', "   12 | int a;", "mm/x.c: In function ‘f’:"):
            with self.subTest(line=line):
                self.assertEqual(gate.findings(line), [])

    def test_thinning_keeps_lines_and_what_changed(self) -> None:
        stock = "#define A \\\n\t1\nint a(void)\n{\n}\n\n#ifdef B\nint b(void)\n{\n}\n#endif\n"
        versions = gate.thin({(0, "x.c"): stock, (2, "x.c"): stock.replace("b(void)", "b(int)"), (2, "new.c"): stock})
        self.assertEqual(versions[0, "x.c"], "#define A \\\n\t1\n\n\n\n\n#ifdef B\nint b(void)\n{\n}\n#endif\n")
        self.assertIn("b(int)", versions[2, "x.c"])
        self.assertEqual(versions[2, "new.c"], stock)
