# SPDX-License-Identifier: GPL-2.0-only
"""What each patch needs built: the sources it touches, and some users of its headers."""

import re
import shutil
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import ClassVar

from lab.base.data import CONFIGS
from lab.base.errors import LabError, Status
from lab.base.memory import key, write_atomic
from lab.base.proc import Shell, ask
from lab.gate.findings import VERSION, Found, Line, heard
from lab.gate.states import History, State
from lab.kernel import queue
from lab.kernel.build import environment, last_lines, lost_options

# The folders in which users of a public header are looked for.
USERS = ("mm", "lib", "kernel", "fs/proc", "drivers/gpu/drm/nouveau")
SELFTESTS = "tools/testing/selftests/"
ARM64 = "aarch64-linux-gnu-"
# 7.3 has a spelling of typeof that Debian's sparse does not know, and then leaves sparse out.
SPARSE = "CHECK=sparse -D__typeof_unqual__=__typeof__"


@dataclass(eq=False)
class Objects:
    """Builds the objects of each state with one compiler and one configuration."""

    SOURCE: ClassVar[str] = r"(?!(?:tools|scripts|Documentation|samples|usr)/)(.*)\.c$"
    PRODUCT: ClassVar[str] = r"\1.o"
    FOLDERS: ClassVar[tuple[str, ...]] = ()  # where all users of headers are looked for
    history: History
    title: str
    name: str
    compiler: str = "gcc"
    words: tuple[str, ...] = ()  # for make
    fragments: tuple[str, ...] = ()  # names in lab/configs
    users: int = 2  # at most this many users of a header are built
    modules: bool = True  # False: what the fragments have as a module is built in
    complete: bool = False  # has every option of the fragments, and every touched source
    configured: bool = False

    def __post_init__(self) -> None:
        """Prepare make's words; dtc of v5.3 defines a variable twice and needs -fcommon."""
        self.out = self.history.src / f"O-{self.name}"
        self.line = Line(self.title, self.refusal())
        text = "".join((CONFIGS / f"{name}.config").read_text("utf-8") for name in self.fragments)
        self.fragment = f"lab/configs/{self.fragments[-1]}.config" if self.fragments else ""
        self.options = text if self.modules else re.sub("=m$", "=y", text, flags=re.MULTILINE)
        ccache = "ccache " if shutil.which("ccache") else ""
        self.kernel = (f"O={self.out.name}", f"CC={ccache}{self.compiler}",
                       f"HOSTCC={ccache}gcc", "HOSTCFLAGS=-fcommon", *self.words)

    def refusal(self) -> str:
        """Say why this kernel cannot be built with the compiler, "" if it can."""
        script = self.history.pristine / "scripts/min-tool-version.sh"
        if "clang" not in self.compiler or not script.exists():
            return ""
        needed = ask(["sh", script, "llvm"], Status.NOT_BUILT, {"SRCARCH": "x86"}).strip()
        there = ask([self.compiler, "--version"], Status.TOOL_MISSING).partition("\n")[0]
        least, version = ([int(number) for number in re.findall(r"\d+", words)]
                          for words in (needed, there.rpartition("version ")[2]))
        return "" if version >= least else f"needs clang >= {needed}, there is {there}"

    def plan(self, state: State) -> list[str]:
        """Give what to build at a state; at stock, all that patches need and stock has."""
        names = self.sources(state)
        if not state.number:
            names = {name for later in self.history.states[1:] for name in self.sources(later)
                     if (self.history.pristine / name).exists()
                     or self.history.content(0, name) is not None}
        return sorted(re.sub(self.SOURCE, self.PRODUCT, name) for name in names
                      if re.match(self.SOURCE, name))

    @cache
    def sources(self, state: State) -> set[str]:
        """Give the sources that a patch touches, and users of headers whose code it changes."""
        found = set()
        for name in state.touched:
            before, now = (self.history.content(state.number - back, name) for back in (1, 0))
            if now is not None and name.endswith(".c"):
                found.add(name)
            elif now and name.endswith(".h") and queue.code(now) != queue.code(before or ""):
                found |= set(self.users_of(name)[:self.users])
        return found

    def users_of(self, header: str) -> list[str]:
        """Give the sources that include a header: touched ones first, then the smallest ones."""
        pristine, touched = self.history.pristine, queue.touched(self.history.stack.patches)
        public, path = re.sub(r"^include/(?:uapi/)?", "", header), Path(header)
        name, folders = (public, USERS) if public != header else (path.name, (str(path.parent),))
        pattern = re.compile(rf'#include [<"](?:\S*/)?{re.escape(name)}[>"]')
        sizes = {str(path.relative_to(pristine)): path.stat().st_size
                 for folder in self.FOLDERS or folders for path in (pristine / folder).rglob("*.c")
                 if pattern.search(path.read_text(encoding="utf-8", errors="replace"))}
        return sorted(sizes, key=lambda name: (name not in touched, sizes[name], name))

    def key(self, state: State, names: list[str]) -> str:
        """Give what the result of a build depends on."""
        tools = [ask([tool, "--version"], Status.TOOL_MISSING) for tool in (self.compiler, "sparse")]
        return key(VERSION, self.title, str(self.words), self.options, *tools, state.key, *names)

    def make(self, shell: Shell, *words: str | Path) -> None:
        """Run make in the tree."""
        shell.run(["make", "-s", "-C", self.history.src.absolute(), *words], Status.NOT_BUILT,
                  env=environment(self.history.cache))

    def configure(self, shell: Shell) -> None:
        """Write .config anew; NOT_BUILT names lost options."""
        lines = last_lines(self.options)
        fragment = "".join(f"{line.removeprefix('#IF#')}\n" for line in lines)
        write_atomic(self.out / "fragment", fragment)
        self.make(shell, *self.kernel, "KCONFIG_ALLCONFIG=fragment", "allnoconfig")
        needed = [line for line in lines if self.complete or line.startswith("#CHECK#")]
        config = (self.out / ".config").read_text(encoding="utf-8")
        if lost := ", ".join(lost_options(config, "\n".join(needed))):
            raise LabError(Status.NOT_BUILT, f"{self.title}: this kernel's configuration lost "
                           f"{lost}", f"add what selects them to {self.fragment}, or drop them")

    def enabled(self, name: str) -> bool:
        """Say whether a Makefile lists an object and the configuration enables it.

        make would build it in any case. A part of a module is enabled if the module is. An object
        in a list of another name is enabled if the Makefile uses the list.
        """
        config = "y=y\nm=y\nobjs=y\n" + (self.out / ".config").read_text(encoding="utf-8")
        for folder in Path(name).parents[:2]:
            files = (self.history.src / folder / file for file in ("Makefile", "Kbuild"))
            text = "\n".join(path.read_text(encoding="utf-8") for path in files if path.exists())
            text = text.replace("\\\n", " ")
            part = re.escape(str(Path(name).relative_to(folder)))
            item = rf"^([\w-]+)-(\w+|\$\(CONFIG_\w+\))\s*[:+]?=(?:.*\s)?{part}(?=\s|$)"
            for whole, symbol in re.findall(item, text, re.MULTILINE):
                module = str(folder / f"{whole}.o")
                if (re.search(rf"^{symbol.strip('$()')}=[ym]$", config, re.MULTILINE)
                        and (whole in ("obj", "lib") or f"$({whole}-y)" in text
                             or module != name and self.enabled(module))):
                    return True
        return not self.fragments

    def compile(self, shell: Shell, names: list[str]) -> None:
        """Build objects; one that fails does not stop the others."""
        if names:
            self.make(shell, *self.kernel, "-k", *names)

    def build(self, state: State, names: list[str]) -> Found:
        """Build objects of the state that the tree is in; NOT_BUILT if stock fails."""
        log = self.history.logs / f"{self.name}-{state.patch or 'stock'}.log"
        if not self.configured:
            self.out.mkdir(exist_ok=True)
            self.configure(Shell(log))
            self.configured = True
        wanted = [name for name in names if self.enabled(name)]
        for name in wanted:
            (self.out / name).unlink(missing_ok=True)
        found, error = heard(log, lambda shell: self.compile(shell, wanted), Status.NOT_BUILT)
        failed = [name for name in wanted if not (self.out / name).exists()]
        failed = failed or ["make"] * bool(error)
        if failed and not state.number:
            raise LabError(Status.NOT_BUILT, f"{self.title}: stock {', '.join(failed)} does not "
                           f"build", f"see {log}", "\n".join(found[:15]))
        found += [f"error: {name} does not build" for name in failed]
        found += [f"error: {name} is in no configuration: add it to {self.fragment}"
                  for name in names if self.complete and name not in wanted
                  and f"{name[:-2]}.c" in state.touched]
        return {"findings": found, "checked": wanted, "failed": failed}


class Programs(Objects):
    """Builds the selftest programs of each state, by the Makefile of their folder."""

    SOURCE = rf"({SELFTESTS}.*)\.c$"
    PRODUCT = r"\1"
    FOLDERS = (f"{SELFTESTS}mm", f"{SELFTESTS}vm")

    def configure(self, shell: Shell) -> None:
        """Install the kernel's headers."""
        self.make(shell, *self.kernel, "headers")

    def compile(self, shell: Shell, names: list[str]) -> None:
        """Build programs."""
        headers = f"KHDR_INCLUDES=-isystem {self.out.absolute()}/usr/include"
        for folder in sorted({Path(name).parent for name in names}):
            out = self.out.absolute() / folder
            out.mkdir(parents=True, exist_ok=True)
            targets = [out / Path(name).name for name in names if Path(name).parent == folder]
            self.make(shell, "-k", "-C", folder, f"OUTPUT={out}", headers, *targets)


def builds(history: History) -> list[Objects]:
    """Give all builds. Drivers are modules with gcc, and built in with clang."""
    own = {name: f"{name}-{history.stack.base.name}" for name in ("gate", "gate-off")}
    on, off = ((name, own[name])[:1 + (CONFIGS / f"{own[name]}.config").exists()] for name in own)
    newest = (f"clang-{number}" for number in range(30, 10, -1))
    clang = next(filter(shutil.which, newest), "clang")
    arm64 = ("W=1", "ARCH=arm64", f"CROSS_COMPILE={ARM64}")
    return [
        Objects(history, "gcc W=1, sparse", "gcc", "gcc", ("W=1", "C=1", SPARSE), on, 6,
                complete=True),
        Objects(history, "MMU_NOTIFIER off", "off", "gcc", ("W=1",), off),
        Objects(history, "clang W=1", "clang", clang, ("W=1",), on, modules=False),
        Objects(history, "arm64 gcc W=1", "arm64", f"{ARM64}gcc", arm64, on),
        Programs(history, "selftests gcc -Wall", "programs"),
    ]
