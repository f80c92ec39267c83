# SPDX-License-Identifier: GPL-2.0-only
"""Parts as mails: what is in them, and that git send-email and b4 take them."""

import re
import subprocess
import unittest
from unittest import mock

from lab.base import memory, packages
from lab.base.errors import Status
from lab.base.proc import environment
from lab.kernel import bases
from lab.kernel.queue import COVER
from lab.kernel.source import PROOF
from lab.tests.fake import mail
from lab.tests.repository import Repository, base, part
from lab.verbs import send
from lab.verbs.context import Context

A, B = "one\ntwo\n", "ONE\ntwo\n"
LETTER = "Date: Sun, 22 Nov 2026 00:00:00 +0000\nSubject: [PATCH] mm: why {}\n\nBecause.\n"
PARTS = (part("fixes", checked="false"), part("core"),
         part("own").replace("upstream = true", "upstream = false"))
MAINTAINERS = '''die "not in the tree" unless -e "scripts/get_maintainer.pl";
my $patch = do { local (@ARGV, $/) = ($ARGV[-1]); <> };
print "\\"A. One\\" <one\\@example.org> (maintainer:MM (core))\\n";
print "Two <two\\@example.org> (", $patch =~ /b\\.c/ ? "maintainer" : "reviewer", ":MM)\\n";
print "list\\@example.org (open list)\\n";
'''
USER = {"user.name": "Señor O'Me", "user.email": "me@example.org", "format.signOff": "true"}
# What git send-email runs instead of sendmail: it keeps mails for b4, with a line between them.
SENDMAIL = "#!/bin/sh\n{ echo 'From x Thu Jan  1 00:00:00 1970'; cat; echo; } >> %s\n"
LACKS = packages.missing(packages.SEND)


@mock.patch.object(memory, "NEEDED", 0)
@mock.patch.object(send, "setting", lambda name: USER.get(name, ""))
class Send(Repository):
    """Base 1.0: a fix, two patches on top of it, and a part that is not for upstream."""

    def setUp(self) -> None:
        super().setUp()
        self.list_bases(base("1.0", *PARTS))
        long = "mm: change the letters of two in a way that takes more than a line to tell"
        self.queue("1.0/fixes", ("0001-fix", mail("mm: fix", ("a.c", A, B))))
        self.queue("1.0/core", ("0001-x", mail(long, ("a.c", B, B.replace("two", "TWO")))),
                   ("0002-new", mail("mm: add b", ("b.c", "", "b\n"))))
        self.queue("1.0/own", ("0001-own", mail("x", ("c.c", "", "c\n"))))
        for name in ("fixes", "core"):
            self.write(f"series/1.0/{name}/{COVER}", LETTER.format(name))
        for name, text in (("a.c", A), (PROOF, ""), ("scripts/get_maintainer.pl", MAINTAINERS)):
            self.write(f"linux/{name}", text)
        self.tree = self.root / "linux"

    def send(self, name: str = "core") -> str:
        series = bases.read(self.root)
        context = Context(series, self.root / "build", {"PART": name, "TREE": f"{self.tree}"})
        return self.quietly(send.send, context, series.stack("1.0", name))

    def mails(self, name: str = "core") -> list[str]:
        return [path.read_text() for path in sorted(self.root.glob(f"build/*/send/{name}/*"))]

    def test_mails(self) -> None:
        self.assertIn(f"note: no base-commit: {self.tree} is no git repository\n", self.send())
        cover, one, two = self.mails()
        to = '\nTo: "A. One" <one@example.org>'
        for text, words in (
                (cover, f"{to},\n    Two <two@example.org>\nCc: list@example.org\n\nBecause.\n"),
                (cover, "\nSubject: [PATCH 0/2] mm: why core\n"),
                (one, f"{to}\nCc: Two <two@example.org>,\n    list@example.org\n"),
                (one, "\nSubject: [PATCH 1/2] mm: change the letters of two in a way that takes"),
                (two, f"{to},\n    Two <two@example.org>\nCc: list@example.org\n"),
                (one, "From: =?UTF-8?q?Se=C3=B1or=20O=27Me?= <me@example.org>\n"),
                (cover, "From: Señor O'Me <me@example.org>\n"),
                (two, "\nSigned-off-by: Señor O'Me <me@example.org>\n")):
            self.assertIn(words, text)
        (work,) = self.root.glob("build/*/send/.tree")
        text = self.git_in(work, "format-patch", "--stdout", "--base=stock~1", "stock..series")
        (wanted,) = re.findall("^prerequisite-patch-id: .*\n", text, re.MULTILINE)
        self.assertRegex(cover, f"insertions.*\n(.*\n)*\n{wanted}$")
        self.send("fixes")
        self.assertNotRegex(self.mails("fixes")[0], "base-commit|prerequisite")

    def test_the_commit_of_a_tree_is_the_base(self) -> None:
        for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "x"]):
            self.git_in(self.tree, *words)
        self.assertNotIn("base-commit", self.send("fixes"))
        head = self.git_in(self.tree, "rev-parse", "HEAD").strip()
        self.assertRegex(self.mails("fixes")[0], f"\n\nbase-commit: {head}\n$")

    def test_what_cannot_be_sent(self) -> None:
        with mock.patch.dict(USER, clear=True):
            self.assertRegex(self.send(), "author is mmu_notifier .*\n.*no Signed-off-by")
        self.assertNotIn("\nSigned-off-by", "".join(self.mails()))
        for name, words in (("", "PART= is needed.*\nPART is one of: fixes core$"),
                            ("own", "own is not for upstream"), ("x", "no part 'x'")):
            self.refused(Status.USAGE, words, self.send, name)
        (self.root / f"series/1.0/fixes/{COVER}").unlink()
        self.refused(Status.USAGE, "write the cover letter", self.send, "fixes")

    @unittest.skipIf(LACKS, f"not installed: {' '.join(LACKS)}")
    def test_git_send_email_and_b4(self) -> None:
        self.send()
        box, (work,) = self.root / "box", self.root.glob("build/*/send/.tree")
        self.write("sendmail", SENDMAIL % box).chmod(0o755)
        self.write(".gitconfig", "[user]\nname = a\nemail = a@b\n")
        (self.root / "out").mkdir()
        mails = map(str, sorted(self.root.glob("build/*/send/core/*")))
        for words in (["git", "send-email", "--confirm=never", "--from=a@b",
                       f"--smtp-server={self.root}/sendmail", *mails],
                      ["b4", "am", "-m", f"{box}", "-o", f"{self.root}/out"],
                      ["git", "checkout", "-q", "stock"]):
            done = subprocess.run(words, cwd=work, env=environment({"HOME": f"{self.root}"}),
                                  stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                  check=False)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.git_in(work, "am", "-q", *self.root.glob("out/*.mbx"))
        self.assertEqual(self.git_in(work, "diff", "HEAD", "series"), "")
