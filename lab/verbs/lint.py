# SPDX-License-Identifier: GPL-2.0-only
"""The verb "lint": checks of the whole repository. Each gives its findings, none means passed."""

import ast
import re
import subprocess
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from lab.base import memory
from lab.base.data import slug
from lab.base.errors import Status
from lab.base.proc import ask, environment
from lab.kernel import bases, queue
from lab.kernel.bases import Series
from lab.kernel.build import NO_GIT
from lab.kernel.source import Source
from lab.suites import selftests
from lab.suites.kit import read_cases
from lab.verbs import docs, intree
from lab.verbs.context import Tally
from lab.verbs.tree import prose, subject

# checkpatch types that do not count, each with its reason. The sender signs off (git am -s).
PATCH_IGNORED = {
    "UNKNOWN_COMMIT_ID": "a source package has no history to look a commit up in",
    "FILE_PATH_CHANGES": "asked for any new file; MAINTAINERS covers the folders of all of them"}
FILE_IGNORED = {
    "LINUX_VERSION_CODE": "the kit is one source for many kernels, out of tree",
    "ALLOC_WITH_SIZEOF": "kmalloc_obj() is not in the older kernels",
    "BIT_MACRO": "user space has no BIT()",
    "PREFER_DEFINED_ATTRIBUTE_MACRO": "user space has no __printf()",
    "PREFER_KERNEL_TYPES": "user space has no u32",
    "EMBEDDED_FUNCTION_NAME": "a word of a message that happens to name a function",
    "COMPLEX_MACRO": "a table of cases is made of initializers",
    "MACRO_ARG_REUSE": "the arguments of test macros are literals",
    "ENOSYS": "the program asks whether a system call is there",
    "VOLATILE": "memory that another process changes, in user space"}
CHECKPATCH = ("--strict", "--no-summary", "--terse", "--show-types", "--no-signoff")
# C files in kernel style
SOURCES = ("docs/example", "kit", "proof/bench", "proof/soak", "lab/suites")
CODESPELL = ("--ignore-words-list=damon,filp,registerd",
             "--skip=.git,build,__pycache__,.mypy_cache")
# Hosts a file may point at: loopback, and public ones that last, not of one machine or registry.
HOSTS = re.compile(r"(\w+\.)*(kernel\.org|debian\.org|gnu\.org|github\.com|qemu\.org|python\.org"
                   r"|gitlab\.com|127\.0\.0\.1|linux-mm\.org|w3\.org|testanything\.org)$")
URL = re.compile(r"\b(?:https?|git|ssh|ftp)://(?:[^\s/@]*@)?([\w.-]+)")
MACHINE = re.compile(r"(?<![\w.}*$])/(home|root|work|mnt|Users)/\w")
COLUMNS, FILE, FUNCTION = 100, 350, 50
SUBJECT, BODY, COVER = 72, 35, 60  # of a mail: columns, and lines of a patch and of a cover letter
# The goal for the lab is 4,000 lines: a bound rises with a new verb only.
TOTALS = {"README.md": 90, "lab without tests": 7610, "lab/tests": 3555}

Check = tuple[str, Callable[[], list[str]]]


def lint(series: Series, build: Path, tally: Tally) -> None:
    """Run every check; print the findings of those that fail."""
    source = Source(next(iter(series.bases.values())), build)
    with memory.lock(source.place):
        source.fetch()
    for name, check in checks(series, source.src.absolute()):
        found = check()
        print(f"  {'not ok' if found else 'ok'} {name}", *(f"    {line}" for line in found),
              sep="\n", flush=True)
        if found:
            tally.fail(Status.TEST_FAILED, f"{name}: {found[0]}")
        else:
            tally.passed += 1


def checks(series: Series, kernel: Path) -> list[Check]:
    """Give all checks by name; `kernel` is the tree that checkpatch.pl is taken from."""
    root, run = series.root, partial(command, series.root)
    parts = [(stack, stack.folder(part), paths) for stack, part, paths in intree.parts(series)]

    def checkpatch(path: Path, ignored: Iterable[str], *options: str) -> Check:
        words = ("perl", kernel / "scripts/checkpatch.pl", f"--root={kernel}", *CHECKPATCH,
                 f"--ignore={','.join(ignored)}", *options, path)
        return f"checkpatch {path.relative_to(root)}", partial(run, *words)

    return [
        ("parts match series/", partial(bases.mismatches, series)),
        *((f"{folder.relative_to(root)} matches its folder", partial(queue.mismatches, folder))
          for _, folder, paths in parts if paths),
        ("in-tree tests match intree/", partial(intree.mismatches, series)),
        ("no in-tree test is kept by hand", partial(intree.copies, series)),
        ("no sign-off in the series", partial(sign_offs, root)),
        ("the mails are short", partial(wordy, series)),
        ("every selftest is built and run by its folder", partial(unwired, series)),
        ("every patch has its case", partial(unproven, series)),
        *(checkpatch(path, [*PATCH_IGNORED, *stack.base.checkpatch])
          for stack, _, paths in parts for path in paths),
        *(checkpatch(path, FILE_IGNORED, "-f") for path in files(root)
          if path.suffix in (".c", ".h") and f"{path.parent.relative_to(root)}" in SOURCES),
        ("shellcheck", partial(run, "shellcheck", *scripts(root))),
        ("codespell", partial(run, "codespell", *CODESPELL, ".")),
        ("mypy --strict", partial(run, "mypy", "--strict", "lab")),
        ("size", partial(sizes, root)),
        ("hosts and paths", partial(strangers, root)),
        ("generated pages", partial(docs.stale, series))]


def command(root: Path, *argv: str | Path) -> list[str]:
    """Run a checker in the root; its output lines are the findings, as is a bare failure."""
    env = environment({"GIT_DIR": NO_GIT, "MYPY_CACHE_DIR": f"{root / 'build/cache/mypy'}"})
    done = subprocess.run(argv, cwd=root, env=env, stdin=subprocess.DEVNULL, text=True,
                          capture_output=True, check=False)
    output = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    return (output or [f"{argv[0]} exited with {done.returncode}"]) if done.returncode else []


def files(root: Path) -> list[Path]:
    # With --git-dir git does not ask whose repository it is.
    names = ask(["git", "-C", root, f"--git-dir={root / '.git'}", f"--work-tree={root}", "ls-files",
                 "-z", "--cached", "--others", "--exclude-standard"], Status.USAGE).split("\0")
    return [root / name for name in sorted(filter(None, names)) if (root / name).is_file()]


def scripts(root: Path) -> list[Path]:
    return [path for path in files(root) if re.match(rb"#!.*\b(ba|da)?sh\b", path.read_bytes())]


def strangers(root: Path) -> list[str]:
    """Find URLs of hosts that are not in HOSTS, and paths that exist on one machine only."""
    found = []
    for path in files(root):
        text = path.read_text(encoding="utf-8", errors="replace")
        for number, line in enumerate(text.splitlines(), 1):
            where = f"{path.relative_to(root)}:{number}"
            found += [f"{where}: host {host} is not in HOSTS of lab/verbs/lint.py"
                      for host in URL.findall(line) if not HOSTS.match(host)]
            if MACHINE.search(line) or str(root) in line:
                found.append(f"{where}: a path of one machine: {line.strip()[:80]}")
    return found


def sign_offs(root: Path) -> list[str]:
    return [f"{path.relative_to(root)} has a Signed-off-by: remove it, the sender adds one with "
            "git am -s" for path in sorted(root.glob("series/*/*/*.patch"))
            if re.search(r"^Signed-off-by:", path.read_text(encoding="utf-8"), re.MULTILINE)]


def wordy(series: Series) -> list[str]:
    """Find subjects and texts of parts for upstream that are too long for a mail."""
    found = []
    for stack, part, paths in intree.parts(series):
        for path in (stack.folder(part) / queue.COVER, *paths) if part.upstream else ():
            name, most = path.relative_to(series.root), COVER if path.name == queue.COVER else BODY
            title = subject(path) if path.exists() else ""
            if len(title) > SUBJECT:
                found.append(f"{name}: its subject has {len(title)} columns, not at most {SUBJECT}")
            if (lines := len(prose(path).splitlines())) > most:
                found.append(f"{name}: its text has {lines} lines, not at most {most}")
    return found


def unproven(series: Series) -> list[str]:
    """Compare the slugs of the listed cases, the selftests and `unproven` with the patches."""
    root, excused = series.root, set(series.unproven)
    patches = {slug(path.name) for *_, paths in intree.parts(series)
               for path in paths if not queue.only_tests(path)}
    cures = {cure for path in (root / "kit/cases", *root.glob("series/*/cases"))
             for case in read_cases(path).values() for cure in case.cures}
    cures |= {cure for test in selftests.read(root / "lab/configs/selftests")
              for cure in test.cures}
    found = {"a case, lab/configs/selftests or `unproven` in series/bases.toml: {} is no patch of "
             "any base": (cures | excused) - patches,
             "`unproven` in series/bases.toml: {} has its case": cures & excused,
             "kit/cases: no case needs the patch {}": patches - cures - excused}
    return [words.format(name) for words, names in found.items() for name in sorted(names)]


def unwired(series: Series) -> list[str]:
    """Find selftests that a part adds and does not build, or that no script of the tree runs."""
    found = []
    for stack, part, paths in intree.parts(series):
        for name, patches in queue.added(paths).items():
            if name.startswith("tools/testing/selftests/") and name.endswith(".c"):
                text = "\n".join(patch.read_text(encoding="utf-8") for patch in patches)
                where, stem = stack.folder(part).relative_to(series.root), Path(name).stem
                if not re.search(rf"^\+TEST_GEN_\w+ \+= {stem}$", text, re.MULTILINE):
                    found.append(f"{where}: {name} is not in its Makefile")
                if not re.search(rf'^\+(?!\+\+).*(?:\./|\)"?/){stem}\b', text, re.MULTILINE):
                    found.append(f"{where}: no script runs {name}")
    return found


def sizes(root: Path) -> list[str]:
    """Find what is too long: lines and functions of Python, files of lab/, and the whole."""
    found: list[str] = []
    totals = dict.fromkeys(TOTALS, 0)

    def limit(name: str, lines: int, most: int) -> None:
        if lines > most:
            found.append(f"{name} has {lines} lines, not at most {most}")

    for path in files(root):
        name = f"{path.relative_to(root)}"
        if name not in TOTALS and not name.startswith("lab/"):
            continue
        text = path.read_text(encoding="utf-8")
        lines = text.splitlines()
        limit(name, len(lines), FILE)
        if name in TOTALS:
            totals[name] = len(lines)
        if path.suffix == ".py":
            totals["lab/tests" if "/tests/" in name else "lab without tests"] += len(lines)
            found += [f"{name}:{number}: {len(line)} columns, not at most {COLUMNS}"
                      for number, line in enumerate(lines, 1) if len(line) > COLUMNS]
            for node in ast.walk(ast.parse(text)):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    limit(f"{name}:{node.lineno}: {node.name}()",
                          (node.end_lineno or 0) - node.lineno + 1, FUNCTION)
    for name, total in totals.items():
        limit(name, total, TOTALS[name])
    return found
