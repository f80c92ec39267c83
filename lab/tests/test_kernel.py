# SPDX-License-Identifier: GPL-2.0-only
"""The configuration of a kernel; test_run.py builds kernels."""

from lab.kernel import build
from lab.tests.repository import Repository

CONFIG = "CONFIG_A=y\nCONFIG_N=4\n# CONFIG_OFF is not set\nCONFIG_AB=y\n"


class Config(Repository):
    """Fragments: of a `#WHERE#` line all files have to be there; a second is another place."""

    def test_fragments(self) -> None:
        for name in ("vm", "vm-1.0", "vm-2.0"):
            self.write(f"{name}.config", "CONFIG_A=y\n")
        self.write("more.config", "# c\n#WHERE# lib/one.c lib/two.c\n#WHERE# mm/a.c\nCONFIG_B=y\n")
        for name, version, found in (("1/lib/one.c", "1.0", ["vm", "vm-1.0"]),
                                     ("1/lib/two.c", "1.0", ["vm", "vm-1.0", "more"]),
                                     ("2/mm/a.c", "3.0", ["vm", "more"])):
            tree = self.write(name, "").parents[1]
            every, few = (build.fragments(self.root, version, tree, one) for one in (False, True))
            self.assertEqual([one.stem for one in every], found)
            self.assertEqual(few, [one for one in every if one.stem != "more"])

    def test_lost_options(self) -> None:
        for line in ("CONFIG_A=y", "CONFIG_N=4", "# CONFIG_OFF is not set", "CONFIG_UNKNOWN=n",
                     "# CONFIG_UNKNOWN is not set", "# a comment", "CONFIG_X=y\n#IF#CONFIG_X=y",
                     "#CHECK#CONFIG_X=y\n# CONFIG_X is not set"):
            self.assertEqual(build.lost_options(CONFIG, line), [], line)
        for line in ("CONFIG_A=m", "CONFIG_N=5", "CONFIG_OFF=y", "CONFIG_GONE=y",
                     "# CONFIG_A is not set", "CONFIG_AB=n"):
            for before in ("", "#CHECK#", f"#IF#{line}\n"):
                self.assertEqual(build.lost_options(CONFIG, f"{before}{line}\n"), [line])
