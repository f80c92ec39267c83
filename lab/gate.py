# SPDX-License-Identifier: GPL-2.0-only
"""The gate: every patch of a queue, one after the other, builds everywhere and brings no new finding.

One tree of hard links is walked from the stock sources to the last patch. At each patch only
the objects of what it touches are built, by several compilers and configurations; the files
themselves go through the checkers that need no build. A finding counts where stock, or an
earlier patch, did not have it, line numbers aside. What was found is kept by the content of
all it depends on, so a warm gate runs no compiler at all.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache, cached_property, partial
from pathlib import Path

from lab import host, proc, series, station
from lab.errors import LabError, Status
from lab.job import ROOT, Job
from lab.kbuild import environment, last_lines, lost_options
from lab.proc import Shell, ask, parallel

Found = dict[str, list[str]]
# A compiler, sparse, objtool, kernel-doc, kconfig and spatch all say one of these; the lines around a
# finding do not count.
FINDING = re.compile(r"\b(?:warning|error)\b ?:|\((?:WARNING|ERROR|SEVERE)/\d\)|^\S+:\d+:\d+-\d+:", re.IGNORECASE)
# Nor do make's own errors, what Sphinx knows and docutils does not, and MODULE_LICENSE() of 7.3, which
# Debian's sparse cannot read (what is no constant does not build).
NOISE = re.compile(r"^make\b|: \*\*\*|Unknown directive type|Unknown interpreted text role|No (?:role|directive) entry"
                   r"|error: bad constant expression")
VERSION = station.key("1", FINDING.pattern, NOISE.pattern)  # of what is stored
KCONFIG = re.compile(r"(?:^|/)(?:Kconfig[^/]*|Makefile|Kbuild)$")
UAPI = re.compile(r"/uapi/")
# Where the objects that stand for all users of a public header are looked for.
USERS = ("mm", "lib", "kernel", "fs/proc", "drivers/gpu/drm/nouveau")
ARM64 = "aarch64-linux-gnu-"
PROGRAMS = "programs"  # the variant that builds selftests
SELFTESTS = "tools/testing/selftests/"
# Debian's sparse does not know the C23 spelling that 7.3 uses, and the kernel then leaves sparse out.
SPARSE = "CHECK=sparse -D__typeof_unqual__=__typeof__"


@dataclass(frozen=True)
class Variant:
    """One way to build objects."""

    name: str
    title: str
    fragments: tuple[str, ...]
    compiler: str = "gcc"
    words: tuple[str, ...] = ()
    includers: int = 2  # so many objects stand for the users of a header
    then: tuple[str, ...] = ()  # more make targets for the configuration
    strict: bool = False  # has every line of its fragments, and every object

    @property
    def out(self) -> str:
        """Give the output directory inside the tree."""
        return f"O-{self.name}"


@dataclass
class State:
    """The tree after a patch (or none of them)."""

    patch: str
    commit: str
    touched: list[str]
    key: str


@dataclass
class Line:
    """One line of the gate's report: a kind of check on all patches."""

    title: str
    not_run: str = ""
    seen: Counter[str] = field(default_factory=Counter)
    new: list[str] = field(default_factory=list)
    patches: set[str] = field(default_factory=set)
    subjects: int = 0

    def add(self, patch: str, found: list[str], subjects: int) -> None:
        """Take what one state gave; stock (no patch) only says what is old."""
        count = Counter(text(line) for line in found)
        if patch:
            shown = {text(line): line for line in found}
            self.new += [f"{patch}: {shown[line]}" for line in count if count[line] > self.seen[line]]
            self.patches |= {patch} if subjects else set()
            self.subjects += subjects
        self.seen |= count

    def __str__(self) -> str:
        """Give the line."""
        if self.not_run:
            return f"{self.title}: not run: {self.not_run}"
        outcome = f"{len(self.new)} NEW" if self.new else "nothing new"
        return f"{self.title}: {len(self.patches)} patches, {self.subjects} checked, {outcome}"


def source(name: str) -> str:
    """Give the source of an object or a program."""
    return f"{name.removesuffix('.o')}.c"


def text(finding: str) -> str:
    """Give a finding without what changes when lines move."""
    bare = re.sub(r":\d+(?::\d+)?(?:-\d+)?(?=[:\s])", "", finding)
    return re.sub(r"\b(lines?) \d+|\+0x[0-9a-f]+(?:/0x[0-9a-f]+)?", r"\1", bare)


def findings(output: str) -> list[str]:
    """Give the findings in what a tool printed, with paths as the tree has them."""
    lines = (re.sub(r"^(?:\.\./)+", "", line.strip()) for line in output.splitlines())
    return [line for line in lines if not line.startswith("+ ") and FINDING.search(line) and not NOISE.search(line)]


def newest_clang() -> str:
    """Give the newest clang that is installed, "" for none."""
    names = [f"clang-{version}" for version in range(30, 10, -1)] + ["clang"]
    return next((name for name in names if shutil.which(name)), "")


def version(words: str) -> tuple[int, ...]:
    """Give the first dotted number in some words."""
    match = re.search(r"\d+(?:\.\d+)+", words)
    return tuple(int(part) for part in match[0].split(".")) if match else ()


class Store:
    """What was found, by content."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.used: set[str] = set()

    def get(self, key: str) -> Found | None:
        """Give what is stored, None for nothing."""
        self.used.add(key)
        path = self.folder / f"{key}.json"
        if not path.exists():
            return None
        found: Found = json.loads(path.read_text(encoding="utf-8"))
        return found

    def put(self, key: str, found: Found) -> None:
        """Store what was found."""
        self.folder.mkdir(parents=True, exist_ok=True)
        station.write_atomic(self.folder / f"{key}.json", json.dumps(found, indent=1))

    def sweep(self) -> None:
        """Remove what nobody asked for."""
        for path in self.folder.glob("*.json"):
            if path.stem not in self.used:
                path.unlink()


class Gate:
    """The gate of one base."""

    def __init__(self, job: Job, identity: str) -> None:
        self.job = job
        self.place = job.place / "gate"
        self.src = self.place / "src"
        self.store = Store(self.place / "store")
        self.identity = identity
        self.lines: list[Line] = []
        self.ready: set[str] = set()

    # The tree and its states

    def tree(self) -> None:
        """Make the tree with branches stock and series; output directories of an earlier series stay."""
        whole = self.place / "whole"  # the source of a tree that was copied to the end

        def work(shell: Shell) -> None:
            if (self.src / ".git").exists() and whole.exists() and whole.read_text(encoding="utf-8") == self.identity:
                shell.run([*series.GIT, "checkout", "-qf", "--detach", self.git("rev-list", "--max-parents=0", "stock").strip()], Status.NOT_APPLIED,
                          cwd=self.src, env=series.git_env(self.src))
                shutil.rmtree(self.src / ".git")
            else:
                whole.unlink(missing_ok=True)
                series.copy_tree(shell, self.job.pristine, self.src, objects=False)
                station.write_atomic(whole, self.identity)
            series.apply(shell, self.src, self.job.queue, len(self.job.queue) - len(self.job.patches))

        station.station(self.place, "series", station.key(self.identity, self.job.series_key), self.src / ".git", work)

    def git(self, *words: str) -> str:
        """Ask git about the tree."""
        return ask([*series.GIT, "-C", self.src, *words], Status.NOT_APPLIED, series.git_env(self.src))

    @cached_property
    def states(self) -> list[State]:
        """Give stock and then the tree after each patch."""
        commits = self.git("rev-list", "--reverse", "stock..series").split()
        below = self.job.queue[:len(self.job.queue) - len(self.job.patches)]
        key = station.key(self.identity, *(path.read_bytes() for path in below))
        states = [State("", self.git("rev-parse", "stock").strip(), [], key)]
        for patch, commit in zip(self.job.patches, commits, strict=True):
            key = station.key(key, patch.read_bytes())
            names = self.git("show", "--format=", "--name-only", commit).split()
            states.append(State(patch.name, commit, names, key))
        return states

    def content(self, number: int, name: str) -> str | None:
        """Give a touched file as it is in a state, None where it is not there."""
        try:
            return self.git("show", f"{self.states[number].commit}:{name}")
        except LabError:
            return None

    def checkout(self, number: int) -> None:
        """Bring the tree to a state."""
        commit = self.states[number].commit
        names = self.git("diff", "--name-only", "HEAD", commit).split()
        with series.comments_rebuild_nothing(self.src, names):
            self.git("checkout", "-qf", "--detach", commit)
        if any(KCONFIG.search(name) or UAPI.search(name) for name in names):
            self.ready.clear()

    # Objects

    def objects(self, variant: Variant, number: int) -> list[str]:
        """Give the objects, or the programs, that stand for what a patch touches."""
        programs = variant.name == PROGRAMS
        found = set()
        for name in self.states[number].touched:
            now = self.content(number, name)
            if now is None:
                continue
            if name.endswith(".h") and series.code(now) != series.code(self.content(number - 1, name) or ""):
                found |= set(self.users(name, programs)[:variant.includers])
            elif name.endswith(".c"):
                found.add(name)
        kernel = {name for name in found if not re.match(r"(?:tools|scripts|Documentation|samples|usr)/", name)}
        return sorted(name[:-2] for name in found if name.startswith(SELFTESTS)) if programs else sorted(f"{name[:-2]}.o" for name in kernel)

    @cache
    def users(self, header: str, programs: bool) -> list[str]:
        """Give the sources that include a header, those the series touches first, then the smallest."""
        stock = self.job.pristine
        public = re.sub(r"^include/(?:uapi/)?", "", header)
        if programs:
            folders = [f"{SELFTESTS}mm", f"{SELFTESTS}vm"]
        else:
            folders = list(USERS) if public != header else [str(Path(header).parent)]
        pattern = re.compile(rf'#include [<"](?:\S*/)?{re.escape(public if public != header else Path(header).name)}[>"]')
        touched = series.touched(self.job.patches)
        paths = [path for name in folders for path in (stock / name).rglob("*.c")
                 if pattern.search(path.read_text(encoding="utf-8", errors="replace"))]
        found = {str(path.relative_to(stock)): path.stat().st_size for path in paths}
        return sorted(found, key=lambda name: (name not in touched, found[name], name))

    def compiler(self, variant: Variant) -> str:
        """Give the compiler's own words about itself."""
        return ask([variant.compiler, "--version"], Status.TOOL_MISSING).partition("\n")[0]

    def make(self, variant: Variant, *words: str) -> list[str | Path]:
        """Give a make command of a variant; dtc of v5.3 defines a variable twice and wants -fcommon."""
        ccache = "ccache " if shutil.which("ccache") else ""
        return ["make", "-s", "-C", self.src.absolute(), f"O={variant.out}", f"CC={ccache}{variant.compiler}",
                f"HOSTCC={ccache}gcc", "HOSTCFLAGS=-fcommon", *variant.words, *words]

    def configure(self, variant: Variant, shell: Shell) -> str:
        """Write the variant's .config anew; give what kconfig says."""
        out = self.src / variant.out
        out.mkdir(exist_ok=True)
        if variant.name == PROGRAMS:
            shell.run(self.make(variant, "headers"), Status.NOT_BUILT, env=environment(self.job.cache))
            return ""
        lines = last_lines("".join((ROOT / name).read_text(encoding="utf-8") for name in variant.fragments))
        then = [name for name in variant.then if name in (self.src / "scripts/kconfig/Makefile").read_text(encoding="utf-8")]
        if len(then) < len(variant.then):  # v5.3 has no mod2yesconfig
            lines = [re.sub("=m$", "=y", line) for line in lines]
        station.write_atomic(out / "fragment", "".join(f"{line.removeprefix('#IF#')}\n" for line in lines))
        begin = size(shell.log)
        for words in (["KCONFIG_ALLCONFIG=fragment", "allnoconfig"], *([target] for target in then)):
            shell.run(self.make(variant, *words), Status.NOT_BUILT, env=environment(self.job.cache))
        asked = [line for line in lines if variant.strict or line.startswith("#CHECK#")]
        lost = lost_options((out / ".config").read_text(encoding="utf-8"), "\n".join(asked))
        if lost:
            raise LabError(Status.NOT_BUILT, f"{variant.title}: this kernel's configuration lost {', '.join(lost)}",
                           f"add what selects them to {variant.fragments[-1]}, or drop them")
        return since(shell.log, begin)

    def build(self, variant: Variant, number: int, objects: list[str]) -> Found:
        """Build objects in the state the tree is in; give the findings, and what is not configured or fails."""
        shell = Shell(self.place / f"{variant.name}.log")
        begin = size(shell.log)
        if variant.name not in self.ready:
            self.configure(variant, shell)
            self.ready.add(variant.name)
        out = self.src / variant.out
        absent = [name for name in objects if not self.configured(variant, name)]
        wanted = [name for name in objects if name not in absent]
        for name in wanted:
            (out / name).unlink(missing_ok=True)
        ended = True
        for command in self.commands(variant, wanted) if wanted else []:
            try:
                shell.run(command, Status.NOT_BUILT, env=environment(self.job.cache))
            except LabError as error:
                if error.status != Status.NOT_BUILT:
                    raise
                ended = False
        output = since(shell.log, begin)
        failed = [name for name in wanted if not (out / name).exists()]
        return {"findings": findings(output), "absent": absent, "failed": failed or ([] if ended else ["make"])}

    def configured(self, variant: Variant, name: str) -> bool:
        """Say whether a Makefile has an object and the configuration wants it; make would build it in any case.

        A part of a module is wanted if the module is; what stands in a list is wanted if the Makefile takes the list.
        """
        if variant.name == PROGRAMS:
            return True
        config = (self.src / variant.out / ".config").read_text(encoding="utf-8")
        path = Path(name)
        for folder in (path.parent, path.parent.parent):
            item = rf"^([\w-]+)-(\w+|\$\(CONFIG_\w+\))\s*[:+]?=(?:.*\s)?{re.escape(str(path.relative_to(folder)))}(?=\s|$)"
            for makefile in (self.src / folder / "Makefile", self.src / folder / "Kbuild"):
                words = makefile.read_text(encoding="utf-8").replace("\\\n", " ") if makefile.exists() else ""
                for match in re.finditer(item, words, re.MULTILINE):
                    target, symbol = match[1], match[2].strip("$()")
                    on = symbol in ("y", "m", "objs") or re.search(rf"^{symbol}=[ym]$", config, re.MULTILINE)
                    whole = str(folder / f"{target}.o")
                    if on and (target in ("obj", "lib") or f"$({target}-y)" in words
                               or whole != name and self.configured(variant, whole)):
                        return True
        return False

    def commands(self, variant: Variant, objects: list[str]) -> list[list[str | Path]]:
        """Give the make commands that build objects or programs."""
        if variant.name != PROGRAMS:
            return [self.make(variant, "-k", *objects)]
        out = (self.src / variant.out).absolute()
        commands: list[list[str | Path]] = []
        for folder in sorted({str(Path(name).parent) for name in objects}):
            (out / folder).mkdir(parents=True, exist_ok=True)
            targets = [out / name for name in objects if str(Path(name).parent) == folder]
            commands.append(["make", "-s", "-k", "-C", (self.src / folder).absolute(), f"OUTPUT={out / folder}",
                             f"KHDR_INCLUDES=-isystem {out}/usr/include", *targets])
        return commands

    def refusal(self, variant: Variant) -> str:
        """Say why a variant cannot be run on this base, "" if it can."""
        if "clang" not in variant.compiler:
            return ""
        minimum = self.src / "scripts/min-tool-version.sh"
        if not minimum.exists():
            return ""
        needed = ask(["sh", minimum, "llvm"], Status.NOT_BUILT, {"SRCARCH": "x86"}).strip()
        return "" if version(self.compiler(variant)) >= version(needed) else f"needs clang >= {needed}, there is {self.compiler(variant)}"

    def walk(self, variants: list[Variant]) -> None:
        """Build what each patch touches, in every variant."""
        lines = {variant: Line(variant.title, self.refusal(variant)) for variant in variants}
        self.lines += lines.values()
        absent: dict[str, set[str]] = {variant.name: set() for variant in variants}
        for number, state in enumerate(self.states):
            if any(KCONFIG.search(name) for name in state.touched):
                absent = {variant.name: set() for variant in variants}
            plans: dict[Variant, list[str]] = {}
            results: dict[Variant, Found] = {}
            for variant in (one for one in variants if not lines[one].not_run):
                plan = [name for name in self.plan(variant, number) if variant.strict or name not in absent[variant.name]]
                if plan:
                    plans[variant] = plan
                    stored = self.store.get(self.key(variant, number, plan))
                    results |= {variant: stored} if stored else {}
            todo = [variant for variant in plans if variant not in results]
            if todo:
                self.checkout(number)
                print(f"  {state.patch or 'stock'}: {', '.join(f'{one.name} {len(plans[one])}' for one in todo)}", flush=True)
                results |= parallel({variant: partial(self.build, variant, number, plans[variant]) for variant in todo})
            for variant, found in results.items():
                if variant in todo and not found["failed"]:
                    self.store.put(self.key(variant, number, plans[variant]), found)
                if found["failed"] and not number:
                    raise LabError(Status.NOT_BUILT, f"{variant.title}: stock {', '.join(found['failed'])} does not build",
                                   f"see {self.place / variant.name}.log", "\n".join(found["findings"][:15]))
                absent[variant.name] |= set(found["absent"])
                broken = [f"error: {name} does not build" for name in found["failed"]]
                if variant.strict:  # the one configuration that has to have everything
                    broken += [f"error: {name} is in no configuration: add it to {variant.fragments[-1]}"
                               for name in found["absent"] if number and source(name) in state.touched]
                lines[variant].add(state.patch, found["findings"] + broken, len(plans[variant]) - len(found["absent"]))

    @cache
    def known(self, variant: Variant) -> str:
        """Give the key of a variant: its configuration, its words, and the tools it runs."""
        fragments = [(ROOT / name).read_bytes() for name in variant.fragments]
        tools = [self.compiler(variant)] + ([ask(["sparse", "--version"], Status.TOOL_MISSING)] if SPARSE in variant.words else [])
        return station.key(VERSION, str(variant), *tools, *fragments)

    def key(self, variant: Variant, number: int, objects: list[str]) -> str:
        """Give the key of what building objects in a state gives."""
        return station.key(self.known(variant), self.states[number].key, *objects)

    def plan(self, variant: Variant, number: int) -> list[str]:
        """Give the objects of a state; of stock, all that a patch will want and stock has."""
        if number:
            return self.objects(variant, number)
        later = {name for other in range(1, len(self.states)) for name in self.objects(variant, other)}
        stock = self.job.pristine
        return sorted(name for name in later if (stock / source(name)).exists())

    # Files

    def check(self, check: "Files") -> None:
        """Run a checker on every version of every file it suits."""
        line = Line(check.title)
        self.lines.append(line)
        versions: dict[tuple[int, str], str] = {}
        for number, state in enumerate(self.states):
            for name in (name for name in state.touched if re.search(check.suits, name)):
                for at in (0, number):
                    if (now := self.content(at, name)) is not None:
                        versions[at, name] = now
        if not versions:
            return
        if check.thin:
            versions = thin(versions)
        tool = ask(check.tool, Status.TOOL_MISSING) if check.tool else ""
        keys = {(at, name): station.key(VERSION, check.title, tool, self.identity, name, now) for (at, name), now in versions.items()}
        results = {which: self.store.get(key) for which, key in keys.items()}
        missing = [which for which, found in results.items() if found is None]
        if missing:
            folder = self.place / "files"
            shutil.rmtree(folder, ignore_errors=True)
            for at, name in missing:
                path = folder / str(at) / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(versions[at, name], encoding="utf-8")
            print(f"  {check.title}: {len(missing)} files", flush=True)
            output = findings(check.run(self.src, folder))
            for at, name in missing:
                where = re.compile(rf"(?<![\w/])(?:\./)?{at}/{re.escape(name)}(?=[:\s])")
                results[at, name] = {"findings": [where.sub(name, line) for line in output if where.search(line)]}
                self.store.put(keys[at, name], results[at, name] or {})
        for number, state in enumerate(self.states):
            found = [found for (at, _), found in results.items() if at == number and found]
            line.add(state.patch, [words for one in found for words in one["findings"]], len(found))


def size(log: Path) -> int:
    """Give the size of a log that may not be there yet."""
    return log.stat().st_size if log.exists() else 0


def since(log: Path, begin: int) -> str:
    """Give what a log got since it had `begin` bytes."""
    return log.read_bytes()[begin:].decode(errors="replace")


# Files that are checked as they are


@dataclass(frozen=True)
class Files:
    """A checker of files that needs no build: run in a folder, it prints on all files there."""

    title: str
    suits: str
    run: Callable[[Path, Path], str]
    tool: tuple[str, ...] = ()
    thin: bool = False  # functions that no patch changes are left out


def thin(versions: dict[tuple[int, str], str]) -> dict[tuple[int, str], str]:
    """Blank what is the same in all versions of a file: top-level parts that end with a brace, but no directives.

    A semantic patch takes seconds on mm/memory.c, and a hundredth of that on the functions a series changes.
    """
    parts = {which: re.findall(r".*?^}[^\n]*\n|.+\Z", words, re.DOTALL | re.MULTILINE) for which, words in versions.items()}
    same: dict[str, set[str]] = {}
    for (_, name), chunks in parts.items():
        same[name] = same[name] & set(chunks) if name in same else set(chunks)
    alone = Counter(name for _, name in versions)

    def blank(chunk: str) -> str:
        return re.sub(r"^(?!#)(?<!\\\n).*$", "", chunk, flags=re.MULTILINE)

    return {which: "".join(blank(chunk) if chunk in same[which[1]] and alone[which[1]] > 1 else chunk for chunk in chunks)
            for which, chunks in parts.items()}


def kernel_doc(src: Path, folder: Path) -> str:
    """Run the tree's kernel-doc."""
    script = (src / "scripts/kernel-doc").absolute()
    wall = ["-Wall"] if "Wall" in script.read_text(encoding="utf-8") else []
    return printed([script, "-none", *wall, *below(folder)], folder)


def coccicheck(src: Path, folder: Path) -> str:
    """Run the tree's semantic patches as scripts/coccicheck does, each on all files, each file by itself."""
    scripts = [path.absolute() for path in semantic_patches(src)]
    return "\n".join(parallel({script: partial(semantic_patch, script, folder) for script in scripts}).values())


def semantic_patch(script: Path, folder: Path) -> str:
    """Run one semantic patch."""
    options = re.findall(r"^// Options:(.*)$", script.read_text(encoding="utf-8"), re.MULTILINE)
    words = " ".join(options).split()
    return printed(["spatch", "-D", "report", "--very-quiet", "--no-show-diff", "--cocci-file", script, *words, "--dir", "."], folder)


def semantic_patches(src: Path) -> list[Path]:
    """Give the semantic patches that can report; those in OCaml need its compiler, and are for other folders."""
    texts = {path: path.read_text(encoding="utf-8") for path in sorted((src / "scripts/coccinelle").rglob("*.cocci"))}
    return [path for path, words in texts.items() if re.search(r"^virtual\s.*\breport\b", words, re.MULTILINE) and not re.search(r"\bocaml\b", words)]


def rst(_src: Path, folder: Path) -> str:
    """Run docutils; what only Sphinx knows is left out."""
    return "\n".join(printed(["rst2html", "--report=2", "--halt=5", path, "/dev/null"], folder) for path in below(folder))


def shellcheck(_src: Path, folder: Path) -> str:
    """Run shellcheck."""
    return printed(["shellcheck", "-f", "gcc", "-S", "warning", *below(folder)], folder)


def below(folder: Path) -> list[Path]:
    """Give the files below a folder, as seen from it."""
    return sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())


def printed(argv: list[str | Path], folder: Path) -> str:
    """Give all that a checker prints. It must print a finding to be allowed to fail."""
    try:
        done = subprocess.run([str(word) for word in argv], cwd=folder, env=proc.environment({"PYTHONDONTWRITEBYTECODE": "1"}),
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False)
    except FileNotFoundError:
        raise proc.missing(str(argv[0])) from None
    output = done.stdout + done.stderr
    if done.returncode and not findings(output):
        raise LabError(Status.NO_RESULT, f"{shlex.join(str(word) for word in argv)} exited with {done.returncode}",
                       f"run it by hand in {folder}", output[-2000:])
    return output


FILES = (
    Files("kernel-doc", r"^(?!tools/|samples/).*\.[ch]$", kernel_doc),
    Files("coccicheck", r"^(?!tools/|samples/).*\.c$", coccicheck, ("spatch", "--version"), thin=True),
    Files("docutils", r"\.rst$", rst, ("rst2html", "--version")),
    Files("shellcheck", r"(?:\.sh|/run_vmtests)$", shellcheck, ("shellcheck", "--version")),
)


def fragments(name: str, bases: list[str]) -> tuple[str, ...]:
    """Give configs/NAME.config, and configs/NAME-BASE.config where there is one."""
    return (f"configs/{name}.config", *(own for base in bases if (ROOT / (own := f"configs/{name}-{base}.config")).exists()))


def variants(bases: list[str]) -> list[Variant]:
    """Give all ways to build; what is tristate is a module in the first and built in with clang."""
    on, off = fragments("gate", bases), fragments("gate-off", bases)
    return [
        Variant("gcc", "gcc W=1, sparse", on, "gcc", ("W=1", "C=1", SPARSE), includers=6, strict=True),
        Variant("off", "MMU_NOTIFIER off", off, "gcc", ("W=1",)),
        Variant("clang", "clang W=1", on, newest_clang() or "clang", ("W=1",), then=("mod2yesconfig",)),
        Variant("arm64", "arm64 gcc W=1", on, f"{ARM64}gcc", ("W=1", "ARCH=arm64", f"CROSS_COMPILE={ARM64}")),
        Variant(PROGRAMS, "selftests gcc -Wall", (), "gcc", strict=True),
    ]


def gate(job: Job) -> None:
    """Bring every patch of a base through the gate."""
    name = job.base.name
    if job.base.package == "-" and not job.tree:
        print(f"{name}: gate: not run: needs TREE")
        job.tally.skipped += 1
        return
    host.need({**host.BUILD, **host.GATE}, job.build / "host.log")
    with station.lock(job.place):
        work = Gate(job, job.source())
        work.tree()
        work.walk(variants(job.names))
        for check in FILES:
            work.check(check)
        work.store.sweep()
    print(f"{name}: git am: {len(job.patches)} patches apply, one after the other")
    job.tally.passed += 1
    for line in work.lines:
        print(f"{name}: {line}")
        for finding in line.new:
            print(f"    {finding}")
        if line.new:
            job.tally.fail(Status.TEST_FAILED, "\n".join([f"{name}: {line}", *(f"  {finding}" for finding in line.new[:3])]))
        elif line.not_run:
            job.tally.skipped += 1
        else:
            job.tally.passed += 1
