# SPDX-License-Identifier: GPL-2.0-only
"""A made-up repository, kernel tree and QEMU, in which the whole lab runs in seconds.

The image of the fake kernel is the text of its sources. The fake QEMU reads in it which fixes the
kernel has, and writes the logs of such a guest.
"""

import atexit
import compileall
import difflib
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from functools import cache
from pathlib import Path

from lab.base.data import ROOT
from lab.base.proc import environment
from lab.tests.repository import Repository, base, part

GUARD = 300.0  # seconds after which a wait has failed
GOLDEN = Path(__file__).with_name("golden")
SELFTESTS = "tools/testing/selftests/mm"
# A test_hmm.sh whose exit status says what ran.
SCRIPT = """\
#!/bin/bash
[ "$(id -u)" = 0 ] || exit 4
modinfo test_hmm || exit 4
run()
{
	trap "modprobe -r test_hmm" EXIT
	case $# in
	1) modprobe test_hmm || exit 1 ;;
	3) modprobe test_hmm spm_addr_dev0=$2 spm_addr_dev1=$3 || exit 1 ;;
	*) exit 1 ;;
	esac
	./hmm-tests
}
if [ $# = 0 ]; then
	exit 0
elif [ "$1" = "smoke" ]; then
	run "$@"
else
	exit 1
fi
"""
MAKEFILE = """\
ifdef M
KERNELRELEASE = fake
include $(M)/Makefile
modules:
	for name in $(obj-m:.o=); do cp $(M)/$$name.c $(M)/$$name.ko || exit; done
else
tinyconfig:
	mkdir -p $(O)
	echo CONFIG_TINY=y > $(O)/.config
olddefconfig:
	sed -i /CONFIG_GONE/d $(O)/.config
usr/ arch/x86/realmode/:
	mkdir -p $(O)/$@
	cp -r $@. $(O)/$@
modules_prepare:
	cp Makefile $(O)/
vmlinux: $(patsubst %.c,$(O)/%.o,$(wildcard mm/*.c))
	cat $^ $(O)/.config > $(O)/$@
$(O)/%.o: %.c
	@mkdir -p $(@D)
	@echo "  CC      $*.o"
	@! grep '^#error' $<
	@cp $< $@
bzImage: vmlinux
	mkdir -p $(O)/arch/x86/boot
	cp $(O)/vmlinux $(O)/arch/x86/boot/bzImage
endif
.PHONY: usr/ arch/x86/realmode/
"""
INITRD = """\
#!/bin/sh
while read -r kind name file _; do
	echo "$kind $name"
	[ "$kind" != file ] || cat "$file"
done < "$1"
"""
MERGE = '#!/bin/sh\nshift 3\nout=$1\nshift\nsed "s/^#CHECK#//" "$@" >> "$out"\n'
FIXED = {name: f"int {name} = 0;\n" for name in ("tree", "pairs", "code")}
TREE = {
    "Makefile": MAKEFILE, "usr/gen_init_cpio": INITRD, "scripts/kconfig/merge_config.sh": MERGE,
    "arch/x86/realmode/rm.S": "", "mm/x.c": "/* nothing */\n", "lib/test_hmm.c": "",
    f"{SELFTESTS}/hmm-tests.c": "int main(void) { return 0; }\n",
    **{f"mm/{name}.c": text for name, text in FIXED.items()},
}
KIT = """\
ifneq ($(KERNELRELEASE),)
obj-m := mn_kit.o
else
module:
	$(MAKE) -C $(KDIR) M=$(CURDIR) modules
program: mn-kit.c
	cp mn-kit.c mn-kit
endif
"""
# `has` looks for a fix in the image. A test may set `version`, `before` and `after` in bin/mood.
NEW = "version=2\n"  # everything boots again
QEMU = """\
#!/bin/sh
here=$(dirname "$0")
version=1
before() { :; }
after() { :; }
[ ! -e "$here/mood" ] || . "$here/mood"
if [ "$1" = --version ]; then echo "QEMU emulator version $version"; exit; fi
case "$*" in *" -initrd "*) ;; *) exit ;; esac # only tries KVM
echo "$(basename "$(dirname "$PWD")") ${PWD##*/}" >> "$here/booted"
before
has() { grep -q "$1 = 1" image; }
bad() { has "$1" || printf 'not '; }
log=hmm-tests
case "$*" in *lab.run=* | *kunit.enable=1*) ;; *)
	log=patched
	grep -q ' = 1;' image || log=stock ;;
esac
for name in console results; do cp "$here/golden/$log.$name" $name.log; done
case "$*" in
*lab.run=*/hmm_reap_test*)
	printf '1..1\\n%sok 1 reap\\nlab: hmm_reap_test exited 0\\n' "$(bad tree)" > results.log ;;
*kunit.enable=1*)
	printf '1..1\\n    # Subtest: mmu_notifier\\n    1..2\\n    ok 1 any\\n' >> console.log
	printf '    %sok 2 tree\\nok 1 mmu_notifier\\n' "$(bad tree)" >> console.log ;;
esac
[ $log != patched ] || for fix in 2:pairs 4:code 6:tree; do
	has "${fix#*:}" || sed -i "s/^ok ${fix%:*} /not &/" results.log
done
grep told image >> console.log
after
exit 0
"""
MUTANTS = "".join(f"== {name} mm/{path}.c{more}\n-int {path} = 1;\n+int {path} = {new};\n\n"
                  for name, path, new, more in (
                      ("kit-sees", "pairs", 2, ""), ("kunit-sees", "tree", 2, ""),
                      ("not-seen", "code", "1; /* */", ""),
                      ("said", "tree", "2; /* told */", r" reports=tree.*told")))
FILES = {
    "kit/Makefile": KIT, "kit/mn_kit.c": "", "kit/mn-kit.c": "",
    "lab/configs/vm.config": "CONFIG_A=y\n", "proof/mutants/6.12": MUTANTS,
    "lab/configs/kunit.config": "#WHERE# mm/tests/tree.c\nCONFIG_KUNIT=y\n",
    "lab/configs/selftests": "hmm-tests stock mm -\nhmm_reap_test series mm end-interval-tree\n"
                             "in_no_tree stock mm -\n",
    "intree/reports": "",
    "series/bases.toml":
        base("6.12", part("core"), part("more")).replace(
            'package = "linux"\n', "") + base("5.3", part("mirror"), more="kit = false"),
}
# By slug what a patch changes: path, old and new text.
CORE = {
    "end-interval-tree": ("mm/tree.c", FIXED["tree"], "int tree = 1;\n"),
    "exact-pairs": ("mm/pairs.c", FIXED["pairs"], "int pairs = 1;\n"),
    "callback-errors": ("mm/code.c", FIXED["code"], "int code = 1;\n"),
    "kunit": ("mm/Kconfig", "", "config MMU_NOTIFIER_KUNIT_TEST\n"),
    "reap-test": (f"{SELFTESTS}/hmm_reap_test.c", "", "int main(void) { return 0; }\n"),
    "words": ("Documentation/x.rst", "", "Words.\n"),
}
MORE = {"more": ("mm/x.c", TREE["mm/x.c"], "/* nothing */\nint more = 1;\n")}


def mail(title: str, name: str, old: str, new: str) -> str:
    """Give a patch as a mail."""
    lines = difflib.unified_diff(old.splitlines(True), new.splitlines(True),
                                 f"a/{name}" if old else "/dev/null", f"b/{name}")
    mode = "" if old else "new file mode 100644\n"
    head = (f"From {'0' * 40} Mon Sep 17 00:00:00 2001\nFrom: a <a@example.org>\n"
            f"Subject: [PATCH] {title}\n\nText.\n---\n")
    return f"{head}diff --git a/{name} b/{name}\n{mode}{''.join(lines)}-- \n1\n"


def numbered(patches: dict[str, tuple[str, str, str]]) -> list[tuple[str, str]]:
    """Give names and texts of the patches of a queue."""
    return [(f"{number:04}-{slug}", mail(slug, *change))
            for number, (slug, change) in enumerate(patches.items(), 1)]


def processes(root: Path) -> list[int]:
    """Give the processes that have the folder in their environment; zombies have none."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if f"{root}/bin".encode() in place.joinpath("environ").read_bytes():
                found.append(int(place.name))
        except OSError:
            continue
    return found


def wait_for_end(root: Path) -> None:
    """Wait for the lab and its children in a folder: a killed child may still write there."""
    end = time.monotonic() + GUARD
    while left := processes(root):
        if time.monotonic() > end:
            for pid in left:
                os.kill(pid, signal.SIGKILL)
            raise AssertionError(f"processes outlive the lab: {left}")
        time.sleep(0.01)


class FakeLab(Repository):
    """A copy of the repository for each test: `run` was done in it."""

    def setUp(self) -> None:
        super().setUp()
        self.addCleanup(wait_for_end, self.root)  # before the folder is removed
        done, _ = ready()
        subprocess.run(["cp", "-a", f"{done}/.", self.root], check=True)
        self.place = self.root / "build/6.12"
        self.tree = done / "linux"

    def populate(self) -> None:
        """Lay the repository out."""
        self.tree = self.root / "linux"
        shutil.copytree(ROOT / "lab", self.root / "lab",
                        ignore=shutil.ignore_patterns("tests", "configs", "__pycache__"))
        needed = self.root / "lab/base/memory.py"
        assert "\nNEEDED = 4 << 30 " in needed.read_text()
        needed.write_text(needed.read_text().replace("NEEDED = 4 << 30", "NEEDED = 0"))
        compileall.compile_dir(self.root / "lab", quiet=1)
        for folder, files in (("linux/", TREE), ("", FILES), ("", {
                "bin/qemu-system-x86_64": QEMU, "kit/cases": (GOLDEN / "cases").read_text()})):
            for name, text in files.items():
                self.write(f"{folder}{name}", text).chmod(0o755 if text[:2] == "#!" else 0o644)
        (self.root / "bin/golden").symlink_to(GOLDEN)
        self.queue("6.12/core", *numbered(CORE))
        self.queue("6.12/more", *numbered(MORE))
        self.queue("5.3/mirror", *numbered(MORE))

    def start(self, *argv: str, into: int = subprocess.PIPE) -> "subprocess.Popen[str]":
        """Start the lab."""
        env = environment({"PATH": f"{self.root}/bin:{os.environ['PATH']}"})
        process = subprocess.Popen([sys.executable, "-B", "-m", "lab", *argv], cwd=self.root,
                                   env=env, stdin=subprocess.DEVNULL, stdout=into,
                                   stderr=subprocess.STDOUT, text=True)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def end(self, process: "subprocess.Popen[str]") -> tuple[int, list[str]]:
        """Wait for the lab; give its status and its lines."""
        output = process.communicate(timeout=GUARD)[0]
        return process.returncode, output.splitlines()

    def lab(self, verb: str, *words: str, status: int = 0, last: str = "") -> str:
        """Run the lab on the fake tree; expect its status and its last line, give all lines."""
        tree = [] if verb == "judge" or any("TREE=" in one for one in words) else [
            f"TREE={self.tree}"]
        found, lines = self.end(self.start(verb, *tree, *words))
        text = "\n".join(lines)
        self.assertEqual(found, status, text)
        self.assertRegex(lines[-1], last or ("^lab: " if status else "^lab: everything as"))
        self.assertNotIn("Traceback", text)
        return text

    def mood(self, text: str) -> None:
        """Change the fake QEMU by shell functions."""
        self.write("bin/mood", text)

    def booted(self) -> list[str]:
        """Give what was booted since the last call: kernel and suite."""
        path = self.root / "bin/booted"
        found = sorted(path.read_text().splitlines()) if path.exists() else []
        path.unlink(missing_ok=True)
        return found

    def hang(self, *argv: str) -> "subprocess.Popen[str]":
        """Start a lab, and wait until it has started a guest, which does not end."""
        fifo = self.root / "bin/hangs"
        fifo.unlink(missing_ok=True)
        os.mkfifo(fifo)
        self.mood('version=3\nbefore() { echo > "$here/hangs"; exec sleep 10000; }\n')
        process = self.start(*argv)
        guest, lab = os.open(fifo, os.O_RDWR), os.pidfd_open(process.pid)
        for file in (guest, lab):
            self.addCleanup(os.close, file)
        if guest not in select.select([guest, lab], [], [], GUARD)[0]:
            raise AssertionError(f"no guest was started: {self.end(process)}")
        return process


@cache
def ready() -> tuple[Path, str]:
    """Make the repository and do `run`, once for all tests; give its folder and the output."""
    maker = FakeLab()
    maker.root = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, maker.root)
    maker.populate()
    output = maker.lab("run")
    return maker.root, output
