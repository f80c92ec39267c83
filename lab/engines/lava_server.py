# SPDX-License-Identifier: GPL-2.0-only
"""The engine "lava" with LAVA_SERVER=URL: the jobs go to a LAVA server, and so to its workers.

The workers fetch kernel and initrd from here by HTTP. QEMU sends ttyS0 to a port here, for a
worker's files do not come back.
"""

import os
import socket
import threading
import time
import xmlrpc.client
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from lab.base.errors import LabError, Status
from lab.base.memory import write_atomic, write_json
from lab.base.proc import Progress
from lab.engines.boot import CONSOLE, Engine, Folder
from lab.engines.lava import MARGIN, Lava, definition, keep

TRIES = 2  # a worker may die
# A worker that dies may still be given a job, until the server notices.
ON_DEVICE = ("Scheduled", "Running")
POLL = 2.0  # seconds
CLOSES = 10.0  # seconds for the last of a console


class Files(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # pylint: disable=redefined-builtin
        """Write nothing."""


class Listener(threading.Thread):
    """Writes what one connection sends to a file."""

    def __init__(self, here: str, path: Path) -> None:
        super().__init__(daemon=True)
        self.socket, self.path = socket.create_server((here, 0)), path
        self.sender: socket.socket | None = None
        self.start()

    def run(self) -> None:
        try:
            self.sender = self.socket.accept()[0]
            with self.sender, self.path.open("wb") as file:
                while data := self.sender.recv(1 << 16):
                    file.write(data)
                    file.flush()
        except OSError:  # closed, or the worker died: the log is cut
            pass

    def close(self, seconds: float = 0.0) -> None:
        """Wait for the last of it; a connection that stays open may not write any more.

        The connection of a short boot may not have been accepted yet.
        """
        if seconds:
            self.join(seconds)
        for one in (self.socket, self.sender):
            try:
                if one:
                    one.shutdown(socket.SHUT_RDWR)
                    one.close()
            except OSError:
                pass
        self.socket.close()
        self.join()


@dataclass
class Job:
    """A boot and the job that runs it at the moment."""

    folder: Folder
    number: str = ""
    tries: int = 0
    state: str = ""
    began: float = 0.0  # when it was first seen on a device
    listener: Listener | None = None
    lost: list[str] = field(default_factory=list)


class Server:
    """A LAVA server, as an engine."""

    def __init__(self, url: str) -> None:
        self.url, self.here = url, os.environ.get("LAVA_HERE", "127.0.0.1")
        self.host = urlsplit(url).hostname or url
        self.calls: Any = xmlrpc.client.ServerProxy(url, allow_none=True).scheduler
        self.files = ""

    def version(self) -> str:
        return f"LAVA at {self.host}"

    def run(self, folders: Sequence[Folder]) -> None:
        jobs = [Job(folder) for folder in folders if not folder.is_done(self.version())]
        if not jobs:
            return
        top = Path(os.path.commonpath([job.folder.place.absolute() for job in jobs]))
        files = ThreadingHTTPServer((self.here, 0), partial(Files, directory=str(top)))
        threading.Thread(target=files.serve_forever, daemon=True).start()
        self.files = f"http://{self.here}:{files.server_port}"
        progress = Progress(f"{len(jobs)} jobs at {self.host}", lambda: count(jobs))
        try:
            for job in jobs:
                self.submit(job, top)
            while not all(job.state == "Finished" for job in jobs):
                for job in jobs:
                    if job.state != "Finished":
                        self.look(job, top)
                progress.tick()
                time.sleep(POLL)
        except (OSError, xmlrpc.client.Error) as error:
            raise LabError(Status.NO_RESULT, f"{self.host} does not answer: {error}",
                           "run the same command again; finished boots are kept") from None
        finally:
            self.cancel(jobs)
            files.shutdown()
            files.server_close()
        progress.done()
        if lost := [f"{job.folder.title}: {job.lost[-1]}" for job in jobs if not job.folder.ran()]:
            raise LabError(Status.NO_RESULT, f"{len(lost)} boots have no result: {lost[0]}",
                           "run the same command again; finished boots are kept", "\n".join(lost))

    def submit(self, job: Job, top: Path) -> None:
        if job.listener:
            job.listener.close()
        job.folder.begin()
        boot, place = job.folder.read(), job.folder.place.absolute()
        job.listener = Listener(self.here, place / CONSOLE)
        console = f"tcp:{self.here}:{job.listener.socket.getsockname()[1]}"
        accelerator = "tcg" if boot.machine.options else os.environ.get("ACCEL", "tcg")
        data = definition(boot, f"{self.files}/{quote(str(place.relative_to(top)))}", accelerator,
                          console)
        write_json(place / "job.yaml", data)
        try:
            job.number = str(self.calls.jobs.submit((place / "job.yaml").read_text()))
        except xmlrpc.client.Fault as fault:
            raise LabError(Status.USAGE, f"{self.host} refuses a job: {fault.faultString}",
                           f"the job is {place / 'job.yaml'}") from None
        except xmlrpc.client.ProtocolError as error:
            raise LabError(Status.USAGE, f"{self.host}: {error.errmsg}",
                           "correct LAVA_SERVER; docs/ci.md has an example") from None
        job.tries, job.state, job.began = job.tries + 1, "Submitted", 0.0

    def look(self, job: Job, top: Path) -> None:
        """See how far a job is; one that its worker lost is submitted again, for another worker."""
        found = self.calls.jobs.show(job.number)
        job.state, lost = found["state"], ""
        if job.state == "Finished":
            lost = self.fetch(job)
        elif job.state in ON_DEVICE:
            job.began = job.began or time.monotonic()
            limit = job.folder.read().seconds + 2 * MARGIN
            worker = self.calls.devices.show(found["device"])["worker"]
            if self.calls.workers.show(worker)["state"] == "Offline":
                lost = f"its worker {worker} is offline"
            elif time.monotonic() - job.began > limit:
                lost = f"LAVA did not end it in {limit:.0f} s"
            if lost:
                self.cancel([job])
        if lost:
            job.lost.append(f"job {job.number}: {lost}")
            print(f"  {job.folder.title}: {job.lost[-1]}", flush=True)
            job.state = "Finished"
            if job.tries < TRIES:
                self.submit(job, top)

    def fetch(self, job: Job) -> str:
        """Keep what came back; give why nothing did."""
        assert job.listener
        job.listener.close(CLOSES)
        log = self.calls.jobs.logs(job.number)[1].data.decode(errors="replace")
        write_atomic(job.folder.place / "lava.log", log)
        try:
            keep(job.folder, log, self.version())
        except LabError as error:
            return error.message
        return ""

    def cancel(self, jobs: Sequence[Job]) -> None:
        for job in jobs:
            if job.listener:
                job.listener.close()
            if job.number and job.state != "Finished":
                try:
                    self.calls.jobs.cancel(job.number)
                except (OSError, xmlrpc.client.Error):
                    pass


def count(jobs: Sequence[Job]) -> str:
    states = [job.state for job in jobs]
    return ", ".join(f"{states.count(one)} {one.lower()}" for one in dict.fromkeys(states)) + ","


def engine(build: Path, arch: str) -> Engine:
    if arch != "x86_64":
        raise LabError(Status.USAGE, f"the engine lava boots no {arch}", "ENGINE=qemu does")
    if url := os.environ.get("LAVA_SERVER"):
        return Server(url)
    return Lava(build, arch)
