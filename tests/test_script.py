# SPDX-License-Identifier: GPL-2.0-only
"""Scripts in, verdicts out: what test_hmm.sh has to do with what became of its tests."""

import tempfile
import unittest
from pathlib import Path

from lab import script
from lab.errors import Status
from lab.results import Verdict

GOOD = """#!/bin/bash
[ "$(id -u)" = 0 ] || exit 4
modinfo test_hmm || exit 4
run()
{
	trap "modprobe -r test_hmm" EXIT
	case $# in
	1) modprobe test_hmm || exit 1 ;;
	3) modprobe test_hmm spm_addr_dev0=$2 spm_addr_dev1=$3 || exit 1 ;;
	*) exit 1 ;;
	esac
	./hmm-tests
}
if [ $# = 0 ]; then
	exit 0
elif [ "$1" = "smoke" ]; then
	run "$@"
else
	exit 1
fi
"""


class Script(unittest.TestCase):
    """What counts as passed."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.src = Path(folder.name)

    def run_script(self, text: str, *, stock: bool = False) -> Verdict:
        """Judge a script in a tree."""
        path = self.src / "tools/testing/selftests/mm" / script.NAME
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        verdict = script.run(self.src, stock=stock)
        assert verdict
        return verdict

    def test_good(self) -> None:
        verdict = self.run_script(GOOD)
        self.assertEqual((verdict.status, verdict.problems, set(verdict.outcomes.values())), (Status.OK, [], {"pass"}))

    def test_good_on_stock_proves_nothing(self) -> None:
        self.assertEqual(self.run_script(GOOD, stock=True).status, Status.TEST_FAILED)
        self.assertEqual(self.run_script(GOOD + "exit 0\n", stock=True).status, Status.OK)

    def test_each_fault_is_noticed(self) -> None:
        for old, new, failing in (
            ("./hmm-tests", "./hmm-tests; true", ["smoke_fails", "smoke_is_skipped"]),
            ("./hmm-tests", "true", ["smoke_passes", "smoke_fails", "smoke_is_skipped", "smoke_with_addresses_passes"]),
            ("test_hmm || exit 1", "test_hmm", ["smoke_cannot_load"]),
            ("$3 || exit 1", "$3", ["smoke_with_addresses_cannot_load"]),
            ("*) exit 1", "*) exit 0", ["smoke_with_one_address"]),
            ("else\n\texit 1", "else\n\texit 0", ["unknown_mode"]),
            ("exit 0\nelif", "exit 1\nelif", ["help"]),
            ("modinfo test_hmm || exit 4", ":", ["no_module"]),
            ('[ "$(id -u)" = 0 ] || exit 4', ":", ["not_root"]),
            ('trap "modprobe -r test_hmm" EXIT', ":", ["smoke_passes", "smoke_fails", "smoke_is_skipped", "smoke_cannot_load",
                                                      "smoke_with_addresses_passes", "smoke_with_addresses_cannot_load", "smoke_with_one_address"]),
        ):
            self.assertEqual(GOOD.count(old), 1, old)
            self.assertEqual(self.run_script(GOOD.replace(old, new)).unexpected, failing, new)

    def test_a_mode_of_its_own(self) -> None:
        more = GOOD.replace("else\n", 'elif [ "$1" = "reap" ]; then\n\tmodprobe test_hmm || exit 1\n\t./hmm_reap_test\nelse\n')
        self.assertEqual(self.run_script(more).unexpected, ["reap_passes", "reap_fails", "reap_is_skipped", "reap_cannot_load"])

    def test_no_script(self) -> None:
        self.assertIsNone(script.run(self.src))
