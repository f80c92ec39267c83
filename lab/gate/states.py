# SPDX-License-Identifier: GPL-2.0-only
"""The states of a tree: stock, and what each patch leaves."""

import re
import shutil
from dataclasses import dataclass
from functools import cache, cached_property, partial

from lab.base.memory import key, step
from lab.base.proc import Shell
from lab.kernel import queue, tree
from lab.kernel.bases import Stack
from lab.kernel.source import Source


@dataclass(frozen=True)
class State:
    """The tree after a patch. Stock is number 0 and has no patch."""

    number: int
    patch: str
    commit: str
    touched: tuple[str, ...]
    key: str


class History:
    """One tree that is brought to each state of a stack. Its stock has the lower patches."""

    def __init__(self, stack: Stack, source: Source) -> None:
        self.stack = stack
        self.pristine, self.identity, self.cache = source.src, source.identity, source.cache
        self.lower = stack.lower.queue if stack.lower else []
        self.place = source.place / (f"gate-{stack.parts[-1].name}" if stack.lower else "gate")
        self.src, self.logs = self.place / "src", self.place / "logs"
        self.git = partial(tree.git, self.src)
        self.menus = 1

    def prepare(self) -> None:
        """Copy the source and apply the patches. Objects of earlier patches stay."""
        def apply(shell: Shell) -> None:
            if (self.src / ".git").exists():
                if root := self.git("rev-list", "--max-parents=0", "--all").split():
                    self.git("checkout", "-qf", "--detach", *root)
                shutil.rmtree(self.src / ".git")
            queue.apply(shell, self.src, self.stack.queue, len(self.lower))

        shutil.rmtree(self.logs, ignore_errors=True)
        step(self.place, "tree", self.identity, self.src,
             lambda shell: tree.copy(shell, self.pristine, self.src, objects=False))
        step(self.place, "series", self.states[-1].key, self.src / ".git", apply)

    @cached_property
    def states(self) -> list[State]:
        lower = key(self.identity, *(path.read_bytes() for path in self.lower))
        states = [State(0, "", "stock", (), lower)]
        for left, patch in zip(reversed(range(len(self.stack.patches))), self.stack.patches):
            names = tuple(sorted(queue.touched([patch])))
            wanted = key(states[-1].key, patch.read_bytes())
            states.append(State(len(states), patch.name, f"series~{left}", names, wanted))
        return states

    @cache
    def content(self, number: int, name: str) -> str | None:
        """Give a touched file as it is in a state, None if it does not exist there."""
        commit = self.states[number].commit
        there = self.git("ls-tree", "--name-only", commit, name)
        return self.git("show", f"{commit}:{name}") if there else None

    def checkout(self, state: State) -> None:
        """Bring the tree to a state; count the menus, as configurations depend on them."""
        names = self.git("diff", "--name-only", "HEAD", state.commit).split()
        with queue.comments_rebuild_nothing(self.src, names):
            self.git("checkout", "-qf", "--detach", state.commit)
        pattern = r"(?:^|/)(?:Kconfig[^/]*|Makefile|Kbuild)$|/uapi/"
        self.menus += any(re.search(pattern, name) for name in names)
