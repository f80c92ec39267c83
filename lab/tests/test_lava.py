# SPDX-License-Identifier: GPL-2.0-only
"""The engine lava: its jobs, and what it makes of a job's log."""

import hashlib
import json
import os
import socket
import threading
import xmlrpc.client
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module, util
from typing import Any
from unittest import mock
from urllib.request import urlopen
from xmlrpc.server import SimpleXMLRPCServer

from lab.base.errors import Status
from lab.engines import lava, lava_server
from lab.engines.boot import Boot, Folder, Machine
from lab.suites import selftests
from lab.suites.selftests import Program
from lab.suites.suite import Expect
from lab.tests.fake import GOLDEN, GUARD, NEW, FakeLab, ready
from lab.tests.repository import Repository

LOG = (GOLDEN / "lava.log").read_text()
JOB = '"case": "job", "definition": "lava", "result": "pass"'
FAILED = JOB.replace("pass", "fail").replace('"result"', '"error_msg": "{}", "result"')
END = '"runstate_set current_run_state 9 (running) new_state 11 (shutdown)"'
MACHINE = Machine(append="""kit.args=--x "a b" 'c'""", options=("-icount", "a b"))
BOOT = Boot("hmm_reap_test", "patched", "7.3", "x86_64", MACHINE, 0.5, "", "")


def shape(job: dict[str, Any]) -> None:
    """Check what LAVA's schema would, where it is not installed."""
    deploy, boot, test = (action[name] for action, name in
                          zip(job["actions"], ("deploy", "boot", "test"), strict=True))
    assert set(job) == {"job_name", "device_type", "visibility", "timeouts", "context", "actions"}
    assert set(job["context"]) == {"arch", "memory", "no_kvm", "extra_options"}
    assert all(isinstance(one, str) for one in job["context"]["extra_options"])
    assert (deploy["to"], boot["method"], boot["media"]) == ("tmpfs", "qemu", "tmpfs")
    for image in deploy["images"].values():
        assert set(image) == {"url", "sha256sum", "image_arg"}
    assert set(test["monitors"][0]) == {"name", "start", "end", "pattern", "fixupdict"}
    limits = [job["timeouts"]["action"], *(one["timeout"] for one in (deploy, boot, test))]
    assert all(1 <= one["seconds"] <= job["timeouts"]["job"]["seconds"] for one in limits)


class Jobs(Repository):
    def test_jobs(self) -> None:
        places = sorted(path.parent for path in ready()[0].glob("build/6.12/boots/*/*/boot.json"))
        boots = [Folder(place).read() for place in places]
        self.assertEqual(len(boots), 6)
        for boot in [BOOT, *boots]:
            job = json.loads(json.dumps(lava.definition(boot, "file:///x", "tcg", "file:/x")))
            shape(job)
            if util.find_spec("lava_common"):
                import_module("lava_common.schemas").validate(job)
        options = lava.options(BOOT, "tcg", "tcp:a:1")
        self.assertIn("-serial tcp:a:1 -chardev stdio,id=results -serial chardev:results -trace",
                      " ".join(options))
        self.assertIn("'a b'", options)

    def test_log(self) -> None:
        """A golden log goes through; one that is cut, or whose boot did not run, has no result."""
        folder = Folder(self.root / "boot")
        folder.write(BOOT, {})
        for name in ("image", "initrd.cpio", "console.log"):
            self.write(f"boot/{name}", "[    0.0] Linux\n")
        test = next(one for one in selftests.read() if one.name == BOOT.suite)
        for log, status, ended in (
                (LOG, Status.OK, True),
                (LOG.replace('"msg": "ok 7', '"msg": "not ok 7'), Status.TEST_FAILED, True),
                (LOG.replace('"lab: hmm_reap_test exited 0"', '""'), Status.NO_RESULT, True),
                (LOG.replace(JOB, FAILED.format("wait timed out after 9 s")).replace(END, '""'),
                 Status.GUEST, False)):
            lava.keep(folder, log, "x")
            self.assertEqual(folder.ran()["ended"], ended)
            verdict = Program(test, None, {}).judge(folder.logs(), Expect())
            self.assertEqual(verdict.status, status, verdict.problems)
        quoted = LOG.replace('"TAP version 13"', r'"a \\\"b\\\" \xE9\t\\"')
        self.assertEqual(lava.read(quoted, "x")[0].splitlines()[0], 'a "b" \xe9\t\\')
        for log, words in (
                (LOG[:LOG.index("ok 7")], "its log is cut"), ("", "its log is cut"),
                (LOG.replace(JOB, FAILED.format("Connection closed")), "Connection cl"),
                (LOG.replace("(running)", "").replace(JOB, FAILED.format("timed out")), "timed")):
            self.refused(Status.NO_RESULT, words, lava.read, log, "x")

    def test_no_chroot(self) -> None:
        for user, given, words in ((1000, "", "as root, the lab"), (0, "/x", "no lava-run")):
            with mock.patch("os.geteuid", return_value=user), mock.patch.dict(
                    os.environ, {"LAVA_CHROOT": given}):
                self.refused(Status.TOOL_MISSING, words, lava.chroot, self.root)


class Alone(FakeLab):
    def test_run(self) -> None:
        """The verdicts are those of the engine qemu, and a job that does not run is no pass."""
        before = json.loads((self.place / "report.json").read_text())
        self.booted()
        self.lab("run", "ENGINE=lava")
        self.assertEqual(len(self.booted()), 6)
        after = json.loads((self.place / "report.json").read_text())
        self.assertEqual(before, after)
        self.assertEqual(self.lab("run", "ENGINE=lava").count("results, cached"), 6)
        self.write("bin/mood", NEW + "before() { : > results.log; exit 1; }\n")
        self.assertIn("LAVA did not run", self.lab("run", "ENGINE=lava", status=Status.NO_RESULT))


class Instance:
    """A LAVA server whose worker fetches, sends a console, and replays the golden log."""

    def __init__(self) -> None:
        self.states: list[str] = []  # of the workers, by job
        self.dies = 0  # workers that go offline
        self.cancelled: list[str] = []

    def submit(self, text: str) -> int:
        job = json.loads(text)
        if not job["actions"]:
            raise xmlrpc.client.Fault(400, "no actions")
        image = job["actions"][0]["deploy"]["images"]["kernel"]
        with urlopen(image["url"]) as file:
            assert hashlib.sha256(file.read()).hexdigest() == image["sha256sum"]
        options = job["context"]["extra_options"]
        host, port = options[options.index("-serial") + 1].removeprefix("tcp:").split(":")
        with socket.create_connection((host, int(port)), GUARD) as console:
            console.sendall(b"[    0.0] Linux\n")
        self.states.append("Offline" if len(self.states) < self.dies else "Online")
        return len(self.states)

    def show(self, name: str) -> dict[str, str]:
        if name.isdigit():
            lost = self.states[int(name) - 1] == "Offline"
            state = "Finished" if not lost else "Scheduled" if name == "1" else "Running"
            return {"state": state, "device": f"qemu-{name}"}
        return {"worker": f"lava.{name}", "state": "Offline"}

    def logs(self, _number: str) -> tuple[bool, bytes]:
        return True, "".join(f"- {line}\n" for line in LOG.splitlines()).encode()


class Distributed(Repository):
    @contextmanager
    def instance(self, instance: Instance) -> Any:
        with SimpleXMLRPCServer(("127.0.0.1", 0), logRequests=False) as server:
            calls: dict[str, Callable[..., Any]] = {
                "jobs.submit": instance.submit, "jobs.logs": instance.logs,
                "jobs.cancel": instance.cancelled.append, **{
                    f"{one}.show": instance.show for one in ("jobs", "devices", "workers")}}
            for name, call in calls.items():
                server.register_function(call, f"scheduler.{name}")
            threading.Thread(target=server.serve_forever, daemon=True).start()
            yield lava_server.Server(f"http://127.0.0.1:{server.server_address[1]}/RPC2")
            server.shutdown()

    def test_server(self) -> None:
        """A boot whose worker dies runs again; if that one dies too, it has no result."""
        for dies, cancelled in ((0, []), (1, ["1"]), (2, ["1", "2"])):
            folder = Folder(self.root / f"{dies}/a boot")
            image = self.write(f"{dies}/a boot/image", "a kernel")
            self.write(f"{dies}/a boot/initrd.cpio", "")
            digest = hashlib.sha256(image.read_bytes()).hexdigest()
            folder.write(replace(BOOT, image=digest), {})
            one = Instance()
            one.dies = dies
            with mock.patch.object(lava_server, "POLL", 0.01), self.instance(one) as engine:
                if dies == 2:
                    self.refused(Status.NO_RESULT, "1 boots have no result: .*lava.qemu-2 is",
                                 engine.run, [folder])
                else:
                    self.quietly(engine.run, [folder])
                    self.assertEqual(folder.logs().console, "[    0.0] Linux\n")
                    self.assertTrue(folder.is_done(engine.version()))
            self.assertEqual(one.cancelled, cancelled)
        self.assertFalse(folder.ran())

    def test_a_server_that_refuses_or_is_not_there(self) -> None:
        folder = Folder(self.root / "boot")
        folder.write(BOOT, {})
        self.write("boot/image", "")
        with self.instance(Instance()) as engine:
            with mock.patch.object(lava_server, "definition", return_value={"actions": []}):
                self.refused(Status.USAGE, "refuses a job: .*no actions\n", engine.run, [folder])
        self.refused(Status.NO_RESULT, "does not answer", engine.run, [folder])
