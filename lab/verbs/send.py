# SPDX-License-Identifier: GPL-2.0-only
"""The verb "send": a part as numbered mails for git send-email, with their recipients.

The mails are those of git format-patch, of the part's commits in a small repository. To and Cc are
what the tree's own get_maintainer.pl gives. The cover letter ends as with --base.
"""

import re
from pathlib import Path

from lab.base import memory
from lab.base.data import ROOT
from lab.base.errors import LabError, Status
from lab.base.proc import ask
from lab.kernel import queue
from lab.kernel.bases import Part, Stack
from lab.kernel.queue import COVER
from lab.kernel.source import Source, git_dir
from lab.verbs.context import Context
from lab.verbs.tree import MAIL, NAME, Tree

PLACE = "send"
# A line of get_maintainer.pl: whom, why.
PERSON = re.compile(r"^(\S+@\S+|.*?>) \((.+)\)$", re.MULTILINE)
PATCH_IDS = 'cat "$@" | git patch-id --stable'
Recipients = dict[str, dict[str, None]]  # by header


def chosen(context: Context, stack: Stack) -> Part:
    part = next((one for one in stack.base.parts if one.name == context.word("PART")), None)
    upstream = " ".join(one.name for one in stack.base.parts if one.upstream)
    if not part or not part.upstream:
        what = f"{part.name} is not for upstream" if part else "PART= is needed"
        raise LabError(Status.USAGE, f"{what} (base {stack.base.name})",
                       f"PART is one of: {upstream}" if upstream else "choose another base")
    if not (cover := stack.folder(part) / COVER).exists():
        raise LabError(Status.USAGE, f"{cover} does not exist", "write the cover letter")
    return part


def recipients(src: Path, patch: Path) -> Recipients:
    """Give the recipients of a patch: To the maintainers, Cc the reviewers and lists."""
    found: Recipients = {"To": {}, "Cc": {}}
    script = ["perl", "scripts/get_maintainer.pl", "--no-git", "--no-git-fallback"]
    people = PERSON.findall(ask(["env", "-C", src, *script, patch.absolute()], Status.NO_SOURCE))
    for whom, why in people:
        found["To" if re.match("maintainer|supporter", why) else "Cc"][whom] = None
    return found if found["To"] else {"To": found["Cc"], "Cc": {}}


def address(mail: Path, whom: Recipients) -> None:
    head, blank, body = mail.read_text(encoding="utf-8").partition("\n\n")
    lists = {"To": [*whom["To"]], "Cc": [one for one in whom["Cc"] if one not in whom["To"]]}
    lines = [f"{name}: " + ",\n    ".join(people) for name, people in lists.items() if people]
    memory.write_atomic(mail, "\n".join([head, *lines]) + blank + body)


def based_on(stack: Stack, part: Part, source: Source) -> list[str]:
    """Give the last lines of a cover letter: the commit of TREE=, and the patches on it."""
    lower = stack.base.parts[:stack.base.parts.index(part)]
    paths = [path for one in lower if one.upstream for path in queue.check(stack.folder(one))]
    ids = ask(["sh", "-c", PATCH_IDS, "sh", *paths], Status.NOT_APPLIED) if paths else ""
    found = [f"prerequisite-patch-id: {line.split()[0]}" for line in ids.splitlines()]
    if source.tree and git_dir(source.tree):
        return [f"base-commit: {source.identity.split()[-1]}", *found]
    print(f"  note: no base-commit: {source.tree or source.base.package} is no git repository")
    return found


def setting(name: str) -> str:
    return ask(["git", "-C", ROOT, "config", "--default", "", "--get", name], Status.USAGE).strip()


def sender() -> tuple[str, str]:
    name, mail = setting("user.name"), setting("user.email")
    if name and mail:
        return name, mail
    print(f"  note: the author is {NAME}: set user.name and user.email with git config, and repeat")
    return NAME, MAIL


def send(context: Context, stack: Stack) -> None:
    part, source = chosen(context, stack), context.source(stack)
    at = stack.base.parts.index(part)
    below = [path for one in stack.base.parts[:at] for path in queue.check(stack.folder(one))]
    own = queue.check(stack.folder(part))
    with memory.lock(source.place):
        source.fetch()
        work = Tree(stack, source, f"{PLACE}/.tree", sender())
        queue.try_on(work.shell, source.src, work.path, [*below, *own], len(below))
        signed = setting("format.signOff").lower() in ("true", "yes", "on", "1")
        if not signed:
            print("  note: no Signed-off-by: git config format.signOff true, and repeat")
        cover, *mails = work.write(part, "stock", "series", PLACE, "-n", *["-s"] * signed)
        every: Recipients = {"To": {}, "Cc": {}}
        for mail, patch in zip(mails, own, strict=True):
            whom = recipients(source.src, patch)
            address(mail, whom)
            for name, people in whom.items():
                every[name] |= people
        address(cover, every)
        lines = [cover.read_text(encoding="utf-8").rstrip(), "", *based_on(stack, part, source), ""]
        memory.write_atomic(cover, "\n".join(lines))
    print(f"  {cover.parent}: {len(mails)} patches and the cover letter\n"
          f"  read them, then: git send-email {cover.parent}/*.patch")
