# SPDX-License-Identifier: GPL-2.0-only
"""The configuration of a kernel; test_run.py builds kernels."""

from lab.kernel import build
from lab.tests.repository import Repository

CONFIG = "CONFIG_A=y\nCONFIG_N=4\n# CONFIG_OFF is not set\nCONFIG_AB=y\n"


class Config(Repository):
    """Fragments that set, check, and depend on the tree."""

    def test_fragments(self) -> None:
        """Of a `#WHERE#` line all files have to be there; a second line is another place."""
        for name in ("vm", "vm-1.0", "vm-2.0"):
            self.write(f"{name}.config", "CONFIG_A=y\n")
        self.write("more.config", "# c\n#WHERE# lib/one.c lib/two.c\n#WHERE# mm/a.c\nCONFIG_B=y\n")
        for name, version, found in (("1/lib/one.c", "1.0", ["vm", "vm-1.0"]),
                                     ("1/lib/two.c", "1.0", ["vm", "vm-1.0", "more"]),
                                     ("2/mm/a.c", "3.0", ["vm", "more"])):
            tree = self.write(name, "").parents[1]
            paths, few = (build.fragments(self.root, version, tree, one) for one in (False, True))
            self.assertEqual([[one.stem for one in paths], few], [found, [one for one in paths if one.stem != "more"]])

    def test_lost_options(self) -> None:
        for line in ("CONFIG_A=y", "CONFIG_N=4", "# CONFIG_OFF is not set", "CONFIG_UNKNOWN=n",
                     "# CONFIG_UNKNOWN is not set", "# a comment", "CONFIG_X=y\n#IF#CONFIG_X=y",
                     "#CHECK#CONFIG_X=y\n# CONFIG_X is not set"):
            self.assertEqual(build.lost_options(CONFIG, line), [], line)
        for line in ("CONFIG_A=m", "CONFIG_N=5", "CONFIG_OFF=y", "CONFIG_GONE=y",
                     "# CONFIG_A is not set", "CONFIG_AB=n"):
            for before in ("", "#CHECK#", f"#IF#{line}\n"):
                self.assertEqual(build.lost_options(CONFIG, f"{before}{line}\n"), [line])
