# SPDX-License-Identifier: GPL-2.0-only
"""The kernels that `field` chooses, and the archive that it appends to the Debian system."""

from unittest import mock

from lab.base.data import ROOT
from lab.base.errors import Status
from lab.kernel import bases, debian
from lab.kernel.debian import SUITES
from lab.kernel.source import Apt
from lab.suites.field import newc
from lab.tests.repository import Repository
from lab.verbs import field
from lab.verbs.context import Context

NAMES = ("linux-headers-6.12.9+deb13-amd64", "linux-headers-6.12.10+deb13-amd64",
         "linux-headers-6.12.10+deb13-rt-amd64", "linux-headers-6.12.10+deb13-cloud-amd64",
         "linux-headers-6.12.10+deb13-common", "linux-headers-amd64")


class Offered(Repository):
    def offered(self, word: str = "") -> list[str]:
        context = Context(bases.read(ROOT), self.root / "build", {"KERNEL": word})
        stack = context.series.all_stacks()[0]
        with mock.patch.multiple(Apt, names=lambda *_: [*NAMES], candidate=lambda *_: "1-2",
                                 isolated=lambda *_: []):
            return [one.name for one in field.kernels(context, stack, context.source(stack))]

    def test_newest_of_each_flavour(self) -> None:
        found = ["6.12.10+deb13-amd64", "6.12.10+deb13-rt-amd64"]
        self.assertEqual(sorted(self.offered()), sorted([*found * len(SUITES), "7.3-series"]))
        self.assertEqual(self.offered("7.3"), ["7.3-series"])
        self.refused(Status.USAGE, "no kernel '9.9'\n.*6.12.10.deb13-amd64", self.offered, "9.9")

    def test_nothing_is_offered(self) -> None:
        """The lists are fetched once; a suite without headers is an error."""
        context = Context(bases.read(ROOT), self.root / "build")
        source = field.folder(context, context.series.all_stacks()[0])
        with (mock.patch.multiple(Apt, names=lambda *_: [], isolated=lambda *_: []),
              mock.patch.object(Apt, "update") as update):
            self.refused(Status.NO_SOURCE, "suite bookworm .*no kernel headers", debian.offered,
                         source)
            update.assert_called_once()
            with mock.patch("os.geteuid", return_value=1):
                self.refused(Status.USAGE, "needs root", debian.system, source)

    def test_archive(self) -> None:
        """A name and a file each end at a multiple of 4."""
        made, at, found = newc({"init": b"/x", "a/b/c": b"text"}), 0, {}
        while at < len(made):
            size, name_size = (int(made[at + where:at + where + 8], 16) for where in (54, 94))
            name = made[at + 110:at + 110 + name_size - 1].decode()
            at += (110 + name_size + 3) & ~3
            found[name] = made[at:at + size]
            at += (size + 3) & ~3
        self.assertEqual(found, {"a": b"", "a/b": b"", "init": b"/x", "a/b/c": b"text",
                                 "TRAILER!!!": b""})
