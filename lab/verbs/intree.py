# SPDX-License-Identifier: GPL-2.0-only
"""The verb "intree": tests of the kernel tree, written once in intree/, made for each base.

unifdef resolves the features of the base in a master. A patch of the part that lists the test adds
the result; lint compares the two. See intree/README.md.
"""

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from lab.base.errors import LabError, Status
from lab.base.proc import ask
from lab.kernel import queue
from lab.kernel.bases import Base, Part, Series, Stack
from lab.kernel.source import Source
from lab.verbs.tree import Tree


def resolve(series: Series, base: Base, name: str) -> str:
    """Resolve the features of a base in a master; USAGE if a name is left that no base has."""
    master = series.root / "intree" / name
    known = sorted({feature for one in series.bases.values() for feature in one.features})
    options = [f"-{'D' if feature in base.features else 'U'}{feature}" for feature in known]
    text = ask(["unifdef", "-x2", "-B", *options, master], Status.USAGE)
    if left := re.search(r"\bBASE_[A-Z0-9_]+\b", text):
        raise LabError(Status.USAGE, f"{master}: {left[0]} is a feature of no base",
                       "correct the name, or add it to `features` in series/bases.toml")
    return text


def parts(series: Series) -> Iterator[tuple[Stack, Part, list[Path]]]:
    """Yield each part with its stack, and those of its listed patches that exist."""
    for stack in series.all_stacks():
        for part in stack.parts:
            folder = stack.folder(part)
            names = queue.listed(folder) if (folder / "series").exists() else []
            yield stack, part, [folder / name for name in names if (folder / name).exists()]


def mismatches(series: Series) -> list[str]:
    """Compare the in-tree tests with what each part adds; a finding ends with how to fix it."""
    found, stacked = [], dict[Stack, list[Path]]()
    for stack, _, patches in parts(series):
        stacked[stack] = [*stacked.get(stack, []), *patches]
    for stack, part, patches in parts(series):
        added, whole, chosen = queue.added(patches), queue.added(stacked[stack]), stack.command
        how = (f"make tree {chosen}; make intree {chosen}; "
               f"commit it in build/{stack.base.name}/tree{stack.suffix}; make refresh {chosen}")
        for name, master in part.tests.items():
            if name not in added:
                folder = stack.folder(part).relative_to(series.root)
                found.append(f"{folder} does not add {name}: {how}")
            elif carried(whole[name], name) != resolve(series, stack.base, master):
                patch = whole[name][-1].relative_to(series.root)
                found.append(f"{patch}: {name} differs from what intree/{master} makes: {how}")
    return found


def carried(patches: list[Path], name: str) -> str:
    """Give a file as the patches leave it; the first one adds it."""
    with tempfile.TemporaryDirectory() as folder:
        ask(["git", "-C", folder, "apply", f"--include={name}",
             *(patch.absolute() for patch in patches)], Status.NOT_APPLIED,
            queue.git_env(Path(folder)))
        return Path(folder, name).read_text(encoding="utf-8")


def copies(series: Series) -> list[str]:
    """Find new files of one name that several bases add, and that intree/ does not make."""
    kept: dict[str, dict[str, None]] = {}
    for stack, part, patches in parts(series):
        for name in queue.added(patches).keys() - part.tests.keys():
            kept.setdefault(Path(name).name, {})[stack.base.name] = None
    return [f"{name} is kept by hand in {' and '.join(bases)}: put it into intree/, and list it "
            "in `tests` of the parts in series/bases.toml"
            for name, bases in sorted(kept.items()) if len(bases) > 1]


def intree(series: Series, stack: Stack, source: Source) -> None:
    work = Tree(stack, source)
    work.need()
    for part in stack.parts:
        for name, master in part.tests.items():
            path = work.path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(resolve(series, stack.base, master), encoding="utf-8")
            print(f"  {path}")
