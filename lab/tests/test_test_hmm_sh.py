# SPDX-License-Identifier: GPL-2.0-only
"""test_hmm.sh with one fault at a time: which case of the suite notices it."""

from lab.base.errors import Status
from lab.judge.verdict import Verdict
from lab.suites import test_hmm_sh
from lab.tests.fake import SELFTESTS
from lab.tests.repository import Repository

SCRIPT = """\
[ "$(id -u)" = 0 ] || exit 4
modinfo test_hmm || exit 4
run() {
	trap "modprobe -r test_hmm" EXIT
	case $# in 1) modprobe test_hmm || exit 1 ;; 2) exit 1 ;;
	3) modprobe test_hmm spm_addr_dev0=$2 spm_addr_dev1=$3 || exit 1 ;; esac
	./hmm-tests
}
if [ $# = 0 ]; then exit 0
elif [ "$1" = "smoke" ]; then run "$@"
else exit 1
fi
"""
SMOKE, NO_LOAD = ["smoke_passes", "smoke_fails", "smoke_is_skipped"], "smoke_cannot_load"
AT = "smoke_with_addresses_"
MODE = 'elif [ "$1" = "{}" ]; then modprobe test_hmm || exit 1; ./hmm_reap_test\nelse '


class Script(Repository):
    def judge(self, text: str, stock: bool = False) -> Verdict | None:
        self.write(f"{SELFTESTS}/{test_hmm_sh.NAME}", text)
        return test_hmm_sh.run(self.root, stock=stock)

    def test_a_good_script(self) -> None:
        self.assertIsNone(test_hmm_sh.run(self.root))
        for text, stock, status in ((SCRIPT, False, Status.OK), (SCRIPT, True, Status.TEST_FAILED),
                                    (f"{SCRIPT}exit 0\n", True, Status.OK)):
            self.assertEqual(getattr(self.judge(text, stock), "status"), status)

    def test_each_fault_is_noticed(self) -> None:
        for old, new, failing in (
                ("./hmm-tests", "./hmm-tests; true", SMOKE[1:]),
                ("./hmm-tests", "true", [*SMOKE, f"{AT}passes"]),
                ("test_hmm || exit 1", "test_hmm", [NO_LOAD]),
                ("$3 || exit 1", "$3", [f"{AT}cannot_load"]),
                ("2) exit 1", "2) exit 0", ["smoke_with_one_address"]),
                ("else exit 1", "else exit 0", ["unknown_mode"]),
                ("exit 0\nelif", "exit 1\nelif", ["help"]),
                ("modinfo test_hmm || exit 4", ":", ["no_module"]),
                ('[ "$(id -u)" = 0 ] || exit 4', ":", ["not_root"]),
                ("else ", MODE.format("reap"), [
                    one.replace("smoke", "reap") for one in (*SMOKE, NO_LOAD)]),
                ('trap "modprobe -r test_hmm" EXIT', ":", [
                    *SMOKE, NO_LOAD, f"{AT}passes", f"{AT}cannot_load",
                    "smoke_with_one_address"])):
            self.assertEqual(SCRIPT.count(old), 1, old)
            verdict = self.judge(SCRIPT.replace(old, new))
            self.assertEqual(getattr(verdict, "unexpected"), failing, new)
        self.refused(Status.USAGE, "mode new without a test\nname it in MODES", self.judge,
                     SCRIPT.replace("else ", MODE.format("new")))
