# SPDX-License-Identifier: GPL-2.0-only
"""Lint of the whole repository: each check gives its findings, none means passed."""

import os
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

from lab import docs, intree, series
from lab.data import Base, read_cases, read_selftests, read_series, read_unproven, slug
from lab.kbuild import NO_GIT

# checkpatch types that do not count, each with its reason. A sign-off is the sender's (git am -s).
PATCH_IGNORED = {
    "UNKNOWN_COMMIT_ID": "a source package has no history to look a commit up in",
    "FILE_PATH_CHANGES": "asked of any new file; all are below mm/ or selftests/{mm,vm}/, which MAINTAINERS has",
}
# The same for one base: what today's checkpatch.pl asks for and that kernel does not have.
BASE_IGNORED = {
    "5.3": {
        "ALLOC_WITH_SIZEOF": "kmalloc_obj() came later",
    },
}
FILE_IGNORED = {
    "LINUX_VERSION_CODE": "the kit is one source for many kernels, out of tree",
    "ALLOC_WITH_SIZEOF": "kmalloc_obj() is not in the older kernels",
    "BIT_MACRO": "user space has no BIT()",
    "PREFER_DEFINED_ATTRIBUTE_MACRO": "user space has no __printf()",
    "PREFER_KERNEL_TYPES": "user space has no u32",
    "EMBEDDED_FUNCTION_NAME": "a word of a message that happens to name a function",
    "COMPLEX_MACRO": "a table of cases is made of initializers",
    "MACRO_ARG_REUSE": "the arguments of test macros are literals",
    "ENOSYS": "asking whether a system call is there",
    "VOLATILE": "memory another process changes, in user space",
}
# Hosts a file may point at: public, lasting, and not of one machine or one package registry.
HOSTS = re.compile(r"(\w+\.)*(kernel\.org|debian\.org|gnu\.org|github\.com|qemu\.org|python\.org|gitlab\.com|w3\.org|testanything\.org)$")
URL = re.compile(r"\b(?:https?|git|ssh|ftp)://(?:[^\s/@]*@)?([\w.-]+)")
MACHINE = re.compile(r"(?<![\w.}*$])/(home|root|work|mnt|Users)/\w")

Check = tuple[str, Callable[[], list[str]]]


def command(root: Path, *argv: str | Path) -> list[str]:
    """Run a checker in the root; its output lines are the findings, as is a bare failure."""
    env = {**os.environ, "LC_ALL": "C", "GIT_DIR": NO_GIT, "MYPY_CACHE_DIR": str(root / "build/cache/mypy")}
    words = [str(word) for word in argv]
    done = subprocess.run(words, cwd=root, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    output = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    if done.returncode and not output:
        return [f"{words[0]} exited with {done.returncode}"]
    return output if done.returncode else []


def files(root: Path) -> Iterator[Path]:
    """Yield the repository's files: what git has or would take; where there is no git all but build/ and caches."""
    listed = subprocess.run(["git", "-C", root, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if (root / ".git").exists() and not listed.returncode:
        yield from (root / name for name in sorted(listed.stdout.split("\0")) if name and (root / name).is_file())
        return
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(set(folders) - {".git", "build", "__pycache__", ".mypy_cache"})
        yield from (Path(folder, name) for name in sorted(names))


def scripts(root: Path) -> list[Path]:
    """Give the shell scripts, known by their first line."""
    return [path for path in files(root) if re.match(rb"#!.*\b(ba|da)?sh\b", path.read_bytes())]


def strangers(root: Path) -> list[str]:
    """Find URLs of hosts nobody vouched for, and paths that exist on one machine only."""
    found = []
    for path in files(root):
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
            odd = [host for host in URL.findall(line) if not HOSTS.match(host)]
            where = f"{path.relative_to(root)}:{number}"
            found += [f"{where}: host {host} is not in HOSTS of lab/lint.py" for host in odd]
            if MACHINE.search(line) or str(root) in line:
                found.append(f"{where}: a path of one machine: {line.strip()[:80]}")
    return found


def sign_offs(root: Path) -> list[str]:
    """Find sign-offs in the series: whoever sends it certifies it."""
    return [f"{path.relative_to(root)} has a Signed-off-by: remove it, the sender adds his with git am -s"
            for path in sorted(root.glob("series/*/*.patch"))
            if re.search(r"^Signed-off-by:", path.read_text(encoding="utf-8"), re.MULTILINE)]


def unproven(root: Path, bases: dict[str, Base]) -> list[str]:
    """Compare the slugs in kit/cases, series/*/cases, configs/selftests and series/unproven with the patches, both ways."""
    queues = [root / "series" / base for base in bases]
    patches = {slug(name) for folder in queues for name in read_series(folder) if not series.only_tests(folder / name)}
    lists = [root / "kit/cases", *(folder / "cases" for folder in queues if (folder / "cases").exists())]
    cures = {cure for path in lists for case in read_cases(path).values() for cure in case.cures}
    cures |= {cure for test in read_selftests(root / "configs/selftests") for cure in test.cures}
    excused = set(read_unproven(root / "series/unproven"))
    return [f"kit/cases, configs/selftests or series/unproven: {name} is no patch of any base"
            for name in sorted((cures | excused) - patches)] + [
        f"series/unproven: {name} has its case" for name in sorted(cures & excused)] + [
        f"kit/cases: no case needs the patch {name}" for name in sorted(patches - cures - excused)]


def unwired(root: Path, bases: dict[str, Base]) -> list[str]:
    """Find selftests that a series adds and does not build, or that no script of the tree runs."""
    found = []
    for base in bases:
        for name, patches in intree.added(root / "series" / base).items():
            text = "\n".join(patch.read_text(encoding="utf-8") for patch in patches)
            stem = Path(name).stem
            if not name.startswith("tools/testing/selftests/") or not name.endswith(".c"):
                continue
            if not re.search(rf"^\+TEST_GEN_\w+ \+= {stem}$", text, re.MULTILINE):
                found.append(f"series/{base}: {name} is not in its Makefile")
            if not re.search(rf'^\+(?!\+\+).*(?:\./|\)"?/){stem}\b', text, re.MULTILINE):
                found.append(f"series/{base}: no script runs {name}")
    return found


def checks(root: Path, bases: dict[str, Base], kernel: Path) -> list[Check]:
    """Give all checks by name; `kernel` is the tree whose checkpatch.pl judges."""
    checkpatch: list[str | Path] = ["perl", kernel / "scripts/checkpatch.pl", f"--root={kernel}", "--strict",
                                    "--no-summary", "--terse", "--show-types", "--no-signoff"]

    def ignore(types: dict[str, str]) -> str:
        return f"--ignore={','.join(types)}"

    def patch_check(path: Path) -> Check:
        types = {**PATCH_IGNORED, **BASE_IGNORED.get(path.parent.name, {})}
        return f"checkpatch {path.relative_to(root)}", lambda: command(root, *checkpatch, ignore(types), path)

    def file_check(path: Path) -> Check:
        return f"checkpatch {path.relative_to(root)}", lambda: command(root, *checkpatch, ignore(FILE_IGNORED), "-f", path)

    def folder_check(base: str) -> Check:
        return f"series/{base} matches its folder", lambda: series.mismatches(root / "series" / base)

    def intree_check(base: str) -> Check:
        return f"in-tree tests of {base} match intree/", lambda: list(intree.mismatches(root, base))

    sources = [path for path in files(root) if path.parent.name in ("kit", "bench", "soak", "lab") and path.suffix in (".c", ".h")]
    patches = [root / "series" / base / name for base in bases for name in read_series(root / "series" / base)]
    return [
        *(folder_check(base) for base in bases),
        *(intree_check(base) for base in bases),
        ("no in-tree test is kept by hand", lambda: intree.copies(root, list(bases))),
        ("no sign-off in the series", lambda: sign_offs(root)),
        ("every selftest is built and run by its folder", lambda: unwired(root, bases)),
        ("every patch has its case", lambda: unproven(root, bases)),
        *(patch_check(path) for path in patches),
        *(file_check(path) for path in sources),
        ("shellcheck", lambda: command(root, "shellcheck", *scripts(root))),
        ("codespell", lambda: command(root, "codespell", "--ignore-words-list=damon,filp,registerd", "--skip=.git,build,__pycache__,.mypy_cache", ".")),
        ("mypy --strict", lambda: command(root, "mypy", "--strict", "lab", "tests")),
        ("hosts and paths", lambda: strangers(root)),
        ("generated tables", lambda: docs.stale(root)),
    ]
