# SPDX-License-Identifier: GPL-2.0-only
"""A lab without kernels: `python3 -m tests.fake_lab ROOT ARGS...` runs the command line in a made-up repository.

QEMU is a script that copies golden logs, or sleeps for ever when ROOT/hang exists; when ROOT/lose
does, hmm-tests does worse on the patched kernel.
"""

import os
import sys
from pathlib import Path

from lab import cli, host, job, vm

GOLDEN = Path(__file__).parent / "golden"
PATCH = "0001-exact-pairs.patch"
QEMU = """\
#!/bin/sh
if [ "$1" = --version ]; then echo "QEMU emulator version 0"; exit; fi
echo $$ > {root}/pid.tmp && mv {root}/pid.tmp {root}/pid
[ ! -e {root}/hang ] || exec sleep 1000
flavour=$(basename "$PWD")
case "$*" in *file:hmm-tests-*)
	for log in results console; do cp {golden}/hmm-tests.$log hmm-tests-$log.log; done
	[ ! -e {root}/lose ] || [ "$flavour" = stock ] || sed -i 's/^ok 2/not ok 2/' hmm-tests-results.log
	exit ;;
esac
cp {golden}/$flavour.results results.log
[ ! -e {root}/cut ] || [ "$flavour" = stock ] || sed -i '$d' results.log
cp {golden}/$flavour.console console.log
"""


def make_root(root: Path) -> None:
    """Lay out a repository with one base, one patch, the golden cases and a fake QEMU."""
    for folder in ("series/6.12", "kit", "bin", "configs"):
        (root / folder).mkdir(parents=True)
    (root / "series/bases").write_text("6.12 linux-source-6.12 6.12.117-1 - a kernel\n")
    (root / "series/6.12/series").write_text(f"{PATCH}\n")
    (root / "series/6.12" / PATCH).write_text("--- a/mm/x.c\n+++ b/mm/x.c\n@@ -0,0 +1 @@\n+int x;\n")
    (root / "kit/cases").write_text((GOLDEN / "cases").read_text())
    (root / "configs/selftests").touch()
    (root / "series/unproven").touch()
    qemu = root / "bin/qemu-system-x86_64"
    qemu.write_text(QEMU.format(root=root, golden=GOLDEN))
    qemu.chmod(0o755)


def patched(one: job.Job) -> str:
    """Leave what QEMU would be given."""
    for name in ("src/O/arch/x86/boot/bzImage", "initrd.cpio"):
        for path in (one.place / flavour / name for flavour in ("stock", "patched")):
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.exists():
                path.touch()
    return "a kernel"


def main(root: Path, argv: list[str]) -> int:
    """Run the command line with the stations before the guest left out."""
    os.environ["PATH"] = f"{root / 'bin'}:{os.environ['PATH']}"
    job.ROOT = root
    setattr(vm, "accelerator", lambda place, kernel: "tcg")
    setattr(host, "need", lambda tools, log: None)
    setattr(job.Job, "patched", patched)
    return cli.main(["--build", str(root / "build"), *argv])


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
