# SPDX-License-Identifier: GPL-2.0-only
"""What each patch needs built: the sources it touches, and some users of its headers."""

import re
import shutil
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from lab.base.data import CONFIGS
from lab.base.errors import LabError, Status
from lab.base.memory import key, write_atomic
from lab.base.proc import Shell, ask
from lab.gate.findings import VERSION, Found, Line, Words, heard
from lab.gate.states import History, State
from lab.kernel import queue
from lab.kernel.build import environment, last_lines, lost_options

SELFTESTS = ("tools/testing/selftests/mm", "tools/testing/selftests/vm")
# The folders in which users of a public header are looked for.
USERS = ("mm", "lib", "kernel", "fs/proc", "drivers/gpu/drm/nouveau", *SELFTESTS)
# 7.3 has a spelling of typeof that Debian's sparse does not know, and then leaves sparse out.
SPARSE = "CHECK=sparse -D__typeof_unqual__=__typeof__"


@dataclass(eq=False)
class Objects:
    """Builds the objects of each state with one compiler and one configuration."""

    SOURCE = r"(?!(?:tools|scripts|Documentation|samples|usr)/)(.*)\.c$"
    PRODUCT = r"\1.o"
    CONFIGURE = "KCONFIG_ALLCONFIG=fragment allnoconfig"
    history: History
    title: str
    name: str
    words: tuple[str, ...] = ()  # for make
    fragments: tuple[Path, ...] = ()
    compiler: str = "gcc"
    users: int = 2  # at most this many users of a header are built
    modules: bool = True  # False: what the fragments have as a module is built in
    complete: bool = False  # has every option of the fragments, and every touched source
    configured: int = 0  # the menus for which there is a .config

    def __post_init__(self) -> None:
        """Prepare the make commands. dtc of v5.3 defines a variable twice: it needs -fcommon."""
        self.out = self.history.src / f"O-{self.name}"
        self.line = Line(self.title, self.refusal())
        text = "".join(path.read_text(encoding="utf-8") for path in self.fragments)
        self.last = f"lab/configs/{self.fragments[-1].name}" if self.fragments else ""
        self.options = text if self.modules else re.sub("=m$", "=y", text, flags=re.MULTILINE)
        self.env = environment(self.history.cache)
        ccache = "ccache " if shutil.which("ccache") else ""
        self.make: Words = ["make", "-s", "-C", self.history.src.absolute()]
        self.make_kernel: Words = [
            *self.make, f"O={self.out.name}", f"CC={ccache}{self.compiler}",
            f"HOSTCC={ccache}gcc", "HOSTCFLAGS=-fcommon", *self.words]

    def refusal(self) -> str:
        """Say why this kernel cannot be built with the compiler, "" if it can."""
        script = self.history.pristine / "scripts/min-tool-version.sh"
        asked = "clang" in self.compiler and script.exists()
        needed = ask(["sh", script, "llvm"], Status.NOT_BUILT, {"SRCARCH": "x86"}) if asked else "0"
        there = ask([self.compiler, "--version"], Status.TOOL_MISSING).partition("\n")[0]
        least, version = ([int(number) for number in re.findall(r"\d+", words)]
                          for words in (needed, there.rpartition("version ")[2]))
        return "" if version >= least else f"needs clang >= {needed.strip()}, there is {there}"

    def plan(self, state: State) -> list[str]:
        """Give what to build for touched sources and headers; at stock, those of all patches."""
        found = set()
        for one in [state] if state.number else self.history.states[1:]:
            found |= {name for name in one.touched if re.match(self.SOURCE, name)}
            for name in (name for name in one.touched if name.endswith(".h")):
                before, now = (self.history.content(one.number - back, name) for back in (1, 0))
                if now is not None and queue.code(now) != queue.code(before or ""):
                    users = [user for user in self.users_of(name) if re.match(self.SOURCE, user)]
                    found |= set(users[:self.users])
        return sorted(re.sub(self.SOURCE, self.PRODUCT, name) for name in found)

    @cache
    def users_of(self, header: str) -> list[str]:
        """Give the sources that include a header: touched ones first, then the smallest ones."""
        pristine, touched = self.history.pristine, queue.touched(self.history.stack.patches)
        name = re.sub("^include/(?:uapi/)?|^.*/", "", header)
        own = (str(Path(header).parent), *SELFTESTS)
        places = USERS if re.match("include/|tools/", header) else own
        pattern = re.compile(rf'#include [<"](?:\S*/)?{re.escape(name)}[>"]')
        sizes = {str(path.relative_to(pristine)): path.stat().st_size
                 for folder in places for path in (pristine / folder).rglob("*.c")
                 if pattern.search(path.read_text(encoding="utf-8", errors="replace"))}
        return sorted(sizes, key=lambda name: (name not in touched, sizes[name], name))

    def key(self, state: State, names: list[str]) -> str:
        tools = [ask([one, "--version"], Status.TOOL_MISSING) for one in (self.compiler, "sparse")]
        return key(VERSION, self.title, str(self.words), self.options, *tools, state.key, *names)

    def configure(self, shell: Shell) -> None:
        """Write .config anew; NOT_BUILT names lost options."""
        lines = last_lines(self.options)
        self.out.mkdir(exist_ok=True)
        write_atomic(self.out / "fragment",
                     "".join(f"{line.removeprefix('#IF#')}\n" for line in lines))
        shell.run([*self.make_kernel, *self.CONFIGURE.split()], Status.NOT_BUILT, env=self.env)
        needed = [line for line in lines if self.complete or line.startswith("#CHECK#")]
        config = (self.out / ".config").read_text(encoding="utf-8") if needed else ""
        if lost := ", ".join(lost_options(config, "\n".join(needed))):
            raise LabError(Status.NOT_BUILT, f"{self.title}: this kernel's configuration lost "
                           f"{lost}", f"add what selects them to {self.last}, or drop them")

    def enabled(self, name: str) -> bool:
        """Say whether a Makefile lists an object (or its module or list) and .config has it."""
        # make would build it in any case. A symbol may also be y, m or objs itself.
        config = "y=y\nm=y\nobjs=y\n" + (self.out / ".config").read_text(encoding="utf-8")
        for folder in Path(name).parents[:2]:
            files = (self.history.src / folder / file for file in ("Makefile", "Kbuild"))
            text = "\n".join(path.read_text(encoding="utf-8") for path in files if path.exists())
            text = text.replace("\\\n", " ")
            part = re.escape(str(Path(name).relative_to(folder)))
            item = rf"^([\w-]+)-(\w+|\$\(CONFIG_\w+\))\s*[:+]?=(?:.*\s)?{part}(?=\s|$)"
            # amdkfd: a list for another Makefile, under a condition
            listed = rf"^ifneq \(\$\((\w+)\),\)\n\w+ \+= \$\(\w+\)/{part}(?=\s|$)"
            if any(re.search(rf"^{symbol}=[ym]$", config, re.MULTILINE)
                   for symbol in re.findall(listed, text, re.MULTILINE)):
                return True
            for whole, symbol in re.findall(item, text, re.MULTILINE):
                module = str(folder / f"{whole}.o")
                if (re.search(rf"^{symbol.strip('$()')}=[ym]$", config, re.MULTILINE)
                        and (whole in ("obj", "lib") or f"$({whole}-y)" in text
                             or module != name and self.enabled(module))):
                    return True
        return False

    def commands(self, names: list[str]) -> list[Words]:
        # amdgpu's Makefile lists what amdkfd's folder has
        names = [name.replace("/amdkfd/", "/amdgpu/../amdkfd/") for name in names]
        return [[*self.make_kernel, "-k", *names]] if names else []

    def build(self, state: State, names: list[str]) -> Found:
        """Build objects of the state that the tree is in; NOT_BUILT if stock fails."""
        log = self.history.logs / f"{self.name}-{state.patch or 'stock'}.log"
        if self.configured != self.history.menus:
            self.configure(Shell(log))
            self.configured = self.history.menus
        present = [one for one in names if (self.history.src / one).with_suffix(".c").exists()]
        wanted = [name for name in present if not self.fragments or self.enabled(name)]
        for name in wanted:
            (self.out / name).parent.mkdir(parents=True, exist_ok=True)
            (self.out / name).unlink(missing_ok=True)
        found, error = heard(log, self.commands(wanted), Status.NOT_BUILT, env=self.env)
        failed = [one for one in wanted if not (self.out / one).exists()] or ["make"] * bool(error)
        if failed and not state.number:
            raise LabError(Status.NOT_BUILT, f"{self.title}: stock {', '.join(failed)} does not "
                           f"build", f"see {log}", "\n".join(found[:15]))
        found += [f"error: {name} does not build" for name in failed]
        found += [f"error: {one} is in no configuration: add it to {self.last}" for one in present
                  if self.complete and one not in wanted and f"{one[:-2]}.c" in state.touched]
        return {"findings": found, "checked": wanted, "failed": failed}


class Programs(Objects):
    """Builds the selftest programs of each state, by the Makefile of their folder."""

    SOURCE = r"(tools/testing/selftests/.*)\.c$"
    PRODUCT = r"\1"
    CONFIGURE = "headers"

    def commands(self, names: list[str]) -> list[Words]:
        out = self.out.absolute()
        return [[*self.make, "-k", "-C", folder, f"OUTPUT={out / folder}",
                 f"KHDR_INCLUDES=-isystem {out}/usr/include",
                 *(out / name for name in names if Path(name).parent == folder)]
                for folder in sorted({Path(name).parent for name in names})]


def builds(history: History) -> list[Objects]:
    """Give all builds. Drivers are modules with gcc, and built in with clang."""
    owners = ("", f"-{history.stack.base.name}", *(f"-{one.name}" for one in history.stack.parts))
    on, off = (tuple(filter(Path.exists, (CONFIGS / f"{name}{owner}.config" for owner in owners)))
               for name in ("gate", "gate-off"))
    clang = next(filter(shutil.which, (f"clang-{number}" for number in range(30, 10, -1))), "clang")
    arm64 = ("W=1", "ARCH=arm64", "CROSS_COMPILE=aarch64-linux-gnu-")
    return [
        Objects(history, "gcc W=1, sparse", "gcc", ("W=1", "C=1", SPARSE), on, users=6,
                complete=True),
        Objects(history, "MMU_NOTIFIER off", "off", ("W=1",), off),
        Objects(history, "clang W=1", "clang", ("W=1",), on, clang, modules=False),
        Objects(history, "arm64 gcc W=1", "arm64", arm64, on, "aarch64-linux-gnu-gcc"),
        Programs(history, "selftests gcc -Wall", "programs")]
