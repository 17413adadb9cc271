"""Services as processes: started side by side, waited for, asked, and ended with all their children."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from serving.client import Connection, Load, closed_loop
from serving.contest import TIED
from serving.services import Scores, Service

_READY_SECONDS = 300.0
_LOOK_SECONDS = 0.2
_FATE_SECONDS = 5.0
_GET = b"GET %s HTTP/1.1\r\nHost: bench\r\n\r\n"


class ServiceError(Exception):
    """A service did not come up or gave a wrong answer. The message has the end of its log."""


@dataclass(frozen=True)
class Running:
    service: Service
    port: int
    process: subprocess.Popen[bytes]
    log: Path
    shared: bool
    """Whether other work runs on this machine: then the processor's time is told in the place of the wall's."""

    def scores(self, text: str) -> Scores:
        """Raises ServiceError where the answer is none."""
        status, body = asyncio.run(_once(self.port, self.service.ask(text)))
        if status != 200:
            raise ServiceError(f"{self.service.name} answered {status}: {body[:300]!r}. {self.last_words()}")
        return self.service.scores(body)

    def load(self, texts: Sequence[str], at_once: int) -> Load:
        requests = [self.service.ask(text) for text in texts]
        before = self.cpu_seconds()
        load = asyncio.run(closed_loop(self.port, requests, at_once))
        load.cpu_seconds = self.cpu_seconds() - before
        if self.shared:
            load.seconds = load.cpu_seconds
        return load

    def cpu_seconds(self) -> float:
        """Processor time of the process and its children since they began."""
        times = [psutil.Process(member).cpu_times() for member in self._family()]
        return sum(each.user + each.system for each in times)

    def begin_peak(self) -> None:
        """Has the highest mark of its memory begin anew."""
        for member in self._family():
            with suppress(OSError):
                Path(f"/proc/{member}/clear_refs").write_text("5")

    def peak(self) -> int:
        """Bytes of the process and its children at the highest; what they share counts in each."""
        return sum(_highest_mark(member) for member in self._family())

    def last_words(self) -> str:
        return "Its log ends: " + " | ".join(self.log.read_text(errors="replace").splitlines()[-30:])

    def ended(self, *, soon: bool = False) -> str:
        """How; empty where it runs. `soon`: a connection broke, so it may be about to."""
        with suppress(subprocess.TimeoutExpired):
            code = self.process.wait(_FATE_SECONDS if soon else 0)
            return f"ended by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"
        return ""

    def is_ready(self) -> bool:
        try:
            status, _ = asyncio.run(_once(self.port, _GET % self.service.ready.encode()))
        except (OSError, asyncio.IncompleteReadError):
            return False
        return status == 200

    def _family(self) -> list[int]:
        process = psutil.Process(self.process.pid)
        return [process.pid, *(child.pid for child in process.children(recursive=True))]


@contextmanager
def running(service: Service, cores: Sequence[int] = (), *, shared: bool = False) -> Iterator[Running]:
    """One that is ready; it never outlives the block. On these `cores` alone, where any are named."""
    with tempfile.TemporaryDirectory(prefix="plimsoll-bench-") as folder, ExitStack() as stack:
        started = _started(service, Path(folder) / "log", cores, shared=shared)
        stack.callback(_end, started.process)
        _until_ready(started)
        yield started


@contextmanager
def all_running(services: Sequence[Service], *, shared: bool, tell: Callable[[str], None]) -> Iterator[list[Running]]:
    """Each has all cores in its turn; on a shared machine one, where threads would wait for each other.

    Who does not come up is told and left out, but for the first: raises ServiceError or OSError.
    """
    cores = sorted(os.sched_getaffinity(0))[:1] if shared else ()
    started: list[Running] = []
    with ExitStack() as stack:
        for service in services:
            try:
                started.append(stack.enter_context(running(service, cores, shared=shared)))
            except (ServiceError, OSError) as error:
                if not started:
                    raise
                tell(f"{service.name} is left out: {error}")
        yield started


def _started(service: Service, log: Path, cores: Sequence[int], *, shared: bool) -> Running:
    port, own = free_port(), os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores or own)  # a child has its parent's
    try:
        with log.open("wb") as output:
            process = subprocess.Popen(  # noqa: S603 - our own list
                [*TIED, *service.command(port)],
                env={**os.environ, "TQDM_DISABLE": "1", **service.variables(port)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                process_group=0,
            )
    finally:
        os.sched_setaffinity(0, own)
    # Where the machine's memory does not do, it is for the service to end and for nobody else.
    Path(f"/proc/{process.pid}/oom_score_adj").write_text("1000")
    return Running(service, port, process, log, shared)


def _until_ready(started: Running) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline:
        if started.is_ready():
            return
        if started.process.poll() is not None:
            break
        time.sleep(_LOOK_SECONDS)
    raise ServiceError(
        f"{started.service.name} is not ready within {_READY_SECONDS:.0f} s (exit status {started.process.poll()}). "
        f"{started.last_words()}"
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, 9)
    process.wait(30)


async def _once(port: int, request: bytes) -> tuple[int, bytes]:
    connection = Connection(port)
    try:
        return await connection.send(request)
    finally:
        await connection.close()


def _highest_mark(process: int) -> int:
    with suppress(OSError):
        for line in Path(f"/proc/{process}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
