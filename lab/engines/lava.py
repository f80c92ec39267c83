# SPDX-License-Identifier: GPL-2.0-only
"""The engine "lava": each boot is a job of LAVA, run by `lava-run` on this machine.

LAVA finds a job successful whatever its test cases say. What counts here is what came back: the
guest's lines in the job's log are results.log, and QEMU writes console.log.
"""

import json
import os
import re
import shlex
from functools import cache
from math import ceil
from pathlib import Path
from typing import Any

from lab.base import packages
from lab.base.errors import LabError, Status
from lab.base.memory import key, step, write_atomic, write_json
from lab.base.proc import Progress, Shell, ask
from lab.engines import qemu
from lab.engines.boot import CONSOLE, IMAGE, INITRD, RESULTS, Boot, Folder

SCRIPT = Path(__file__).with_name("lava-chroot.sh")
PACKAGES = ("lava-dispatcher", "qemu-system-x86")
NEEDS = {"debootstrap": "debootstrap", "setpriv": "util-linux", "unshare": "util-linux"}
MARGIN = 300  # seconds for a job beside its boot
# Our guests have no shell, and some write no line at all: QEMU itself reports begin and end.
TRACE = "runstate_set"
BEGIN, END = (rf"{TRACE} .*new_state \d+ \({word}\)" for word in ("running", "shutdown"))
CASE = r"(?P<result>(not )?ok) \d+ (- )?(?P<test_case_id>[^\r\n#]+)[^\r\n]*\r\n"
LINE = re.compile(r'^(?:- )?\{"dt": "[^"]*", "lvl": "(\w+)", "msg": (.*)\}$')
ESCAPE = re.compile(r"\\(x..|u.{4}|U.{8}|.)")
PLAIN = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "a": "\a", "b": "\b", "e": "\x1b", "f": "\f",
         "v": "\v", "N": "\x85", "_": "\xa0", "L": "\u2028", "P": "\u2029"}
JOB = re.compile(r'^\{"case": "job", "definition": "lava",.*"result": "(\w+)"')
MESSAGE = re.compile(r'"error_msg": (?:"((?:[^"\\]|\\.)*)"|!!null)')


def options(boot: Boot, accelerator: str, console: str) -> list[str]:
    """Give QEMU's options of a boot, as the engine "qemu" has them: ttyS1 is LAVA's connection."""
    there = {f"file:{CONSOLE}": console, f"file,id=results,path={RESULTS}": "stdio,id=results"}
    words = [there.get(word, word) for word in qemu.command(boot, accelerator)[1:]]
    for name in ("-kernel", "-initrd", "-append"):
        at = words.index(name)
        del words[at:at + 2]
    return [*(shlex.quote(word) for word in words), "-trace", TRACE]


def definition(boot: Boot, place: str, accelerator: str, console: str) -> dict[str, Any]:
    """Give the job of a boot, for a device of LAVA's type "qemu"; `place` is a URL."""
    limit, more = {"seconds": ceil(boot.seconds)}, {"seconds": MARGIN}
    monitor = {"name": boot.suite, "start": BEGIN, "end": END, "pattern": CASE,
               "fixupdict": {"ok": "pass", "not ok": "fail"}}
    append = f"-kernel {{kernel}} -append {shlex.quote(boot.machine.append)}"
    images = {"kernel": {"url": f"{place}/{IMAGE}", "sha256sum": boot.image, "image_arg": append},
              "ramdisk": {"url": f"{place}/{INITRD}", "sha256sum": boot.initrd,
                          "image_arg": "-initrd {ramdisk}"}}
    return {
        "job_name": f"{boot.stack} {boot.suite} on {boot.kernel}", "device_type": "qemu",
        "visibility": "public",
        "timeouts": {"job": {"seconds": ceil(boot.seconds) + MARGIN}, "action": more,
                     "connection": more},
        "context": {"arch": boot.arch, "memory": boot.machine.memory, "no_kvm": "yes",
                    "extra_options": options(boot, accelerator, console)},
        "actions": [{"deploy": {"to": "tmpfs", "timeout": more, "images": images}},
                    {"boot": {"method": "qemu", "media": "tmpfs", "timeout": more}},
                    {"test": {"monitors": [monitor], "timeout": limit}}]}


def device(boot: Boot, job: dict[str, Any]) -> dict[str, Any]:
    """Give the device that LAVA's template of type "qemu" would make for a job, without network."""
    parameters = {"command": qemu.command(boot, "tcg")[0], "options": [],
                  "extra": job["context"]["extra_options"]}
    return {"available_architectures": [boot.arch],
            "constants": {"failure_retry": 1, "boot_retry": 1},
            "actions": {"deploy": {"methods": {"image": {}}},
                        "boot": {"connections": {"serial": {}},
                                 "methods": {"qemu": {"parameters": parameters}}}}}


def unescape(text: str) -> str:
    """Read a double-quoted string of YAML, without its quotes."""
    return ESCAPE.sub(lambda found: PLAIN.get(found[1], found[1]) if len(found[1]) == 1
                      else chr(int(found[1][1:], 16)), text)


def read(log: str, name: str) -> tuple[str, bool]:
    """Give what the guest wrote, and whether it ended; NO_RESULT if LAVA did not run it so far."""
    target: list[str] = []
    began, runs, result, message = False, False, "", "its log is cut"
    for found in filter(None, map(LINE.match, log.splitlines())):
        if found[1] == "target":
            # LAVA's own escape of quotes comes first.
            line = unescape(found[2][1:-1]).replace('\\"', '"')
            if re.search(BEGIN, line):
                began = runs = True
            elif re.search(END, line):
                runs = False
            elif runs:
                target.append(line)
        elif found[1] == "input":  # LAVA ends the guest
            runs = False
        elif found[1] == "results" and (job := JOB.match(found[2])):
            error = MESSAGE.search(found[2])
            result, message = job[1], unescape(error[1] or "") if error else ""
    if not result or (result != "pass" and not (began and "timed out" in message)):
        raise LabError(Status.NO_RESULT, f"LAVA did not run {name} to its end: {message}",
                       "read the boot's lava.log; run the same command again")
    return "".join(f"{line}\n" for line in target), result == "pass"


def keep(folder: Folder, log: str, engine: str) -> None:
    """Keep the results that are in a job's log; the console is there already."""
    results, ended = read(log, folder.title)
    write_atomic(folder.place / RESULTS, results)
    (folder.place / CONSOLE).touch()
    folder.done(engine, ended)


class Lava(qemu.Qemu):
    """`lava-run`: the one that is installed, or of a root file system that this makes."""

    def __init__(self, build: Path, arch: str) -> None:
        super().__init__(build, arch)
        self.root = "" if packages.present("lava-run") else str(chroot(build))

    def inside(self, place: Path) -> list[str | Path]:
        return ["sh", SCRIPT, "enter", self.root, place.absolute()] if self.root else []

    @cache
    def version(self) -> str:
        words = [*self.inside(SCRIPT.parent), "qemu-system-x86_64", "--version"]
        return f"LAVA, {ask(words, Status.TOOL_MISSING)}".partition("\n")[0]

    def boot(self, folder: Folder) -> None:
        boot, place = folder.read(), folder.place.absolute()
        folder.begin()
        shell = Shell(place / "lava.log")
        shell.log.unlink(missing_ok=True)
        job = definition(boot, place.as_uri(), self.accelerator(folder, boot),
                         f"file:{place / CONSOLE}")
        files = {"job": job, "device": device(boot, job),
                 "dispatcher": {"dispatcher_ip": "127.0.0.1"}}
        for name, data in files.items():
            write_json(place / f"{name}.yaml", data)  # JSON is YAML
        name = re.sub(r"\W", "-", f"{boot.stack}-{boot.kernel}-{boot.suite}-{os.getpid()}")
        words = [*self.inside(place), "lava-run", "--job-id", name, "--output-dir", place / "lava",
                 "--device", place / "device.yaml", "--dispatcher", place / "dispatcher.yaml",
                 place / "job.yaml"]
        try:
            shell.run(words, Status.NO_RESULT, timeout=boot.seconds + 2 * MARGIN,
                      progress=Progress(folder.title, lambda: f"{results(shell.log)} results,"))
        except LabError as error:  # the log says what a failed job means
            if error.status != Status.NO_RESULT:
                raise
        finally:
            write_atomic(place / "commands.txt", f"{shell.commands[-1]}\n")
        keep(folder, shell.log.read_text(encoding="utf-8", errors="replace"), self.version())


def chroot(build: Path) -> Path:
    """Give LAVA_CHROOT, or make build/lava/chroot; TOOL_MISSING where neither can be."""
    if given := os.environ.get("LAVA_CHROOT"):
        if not (Path(given) / "usr/bin/lava-run").exists():
            raise LabError(Status.TOOL_MISSING, f"LAVA_CHROOT={given} has no lava-run")
        return Path(given).absolute()
    if os.geteuid():
        raise LabError(Status.TOOL_MISSING, "lava-run is not installed",
                       "as root, the lab installs it in a root file system of its own")
    packages.need(NEEDS, build / "packages.log")
    place = build / "lava"
    place.mkdir(parents=True, exist_ok=True)
    root = (place / "chroot").absolute()

    def work(shell: Shell) -> None:
        shell.run(["sh", SCRIPT, "make", root, *PACKAGES], Status.TOOL_MISSING,
                  progress=Progress("make a root file system with LAVA"))

    step(place, "chroot", key(*PACKAGES, SCRIPT.read_bytes()), root, work)
    return root


def results(log: Path) -> int:
    return len(re.findall(rb'"lvl": "target", "msg": "(?:not )?ok ', log.read_bytes()))
