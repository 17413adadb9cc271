"""`plimsoll-server serve` as a process of its own, and what the kernel tells of it."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plimsoll_server.trial.errors import TrialError

READY_SECONDS = 600.0
"""Of a machine that is busy with other work."""
_END_SECONDS = 120.0
_MOST_LOG_LINES = 5


@dataclass(frozen=True, slots=True)
class Running:
    process: subprocess.Popen[bytes]
    port: int
    metrics_port: int
    log: Path
    ready_seconds: float

    def resident_bytes(self) -> int:
        """Of the server and the processes that it started."""
        return sum(_status(pid, "VmRSS:") for pid in self._family())

    def peak_bytes(self) -> int:
        return sum(_status(pid, "VmHWM:") for pid in self._family())

    def cpu_seconds(self) -> float:
        return sum(map(_cpu_seconds, self._family()))

    def end(self) -> int:
        """Tells it to end and returns its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(_END_SECONDS)

    def _family(self) -> list[int]:
        return [self.process.pid, *_descendants(self.process.pid)]


@contextmanager
def serving(config: Mapping[str, Any], variables: Mapping[str, str] | None = None) -> Iterator[Running]:
    """A server of `config`, the document of PLIMSOLL_CONFIG. It is ready, and never outlives the block. Raises
    TrialError when it does not get ready."""
    port, metrics_port = _free_ports(2)
    told = {
        "PLIMSOLL_CONFIG": json.dumps(config),
        "PLIMSOLL_BIND_ADDRESS": "127.0.0.1",
        "PLIMSOLL_HTTP_PORT": str(port),
        "PLIMSOLL_METRICS_PORT": str(metrics_port),
        # Every answer is computed: what is measured is the model, not the memory of an earlier answer.
        "PLIMSOLL_CACHE_BYTES": "0",
        "PLIMSOLL_DRAIN_LINGER_SECONDS": "0",
        **(variables or {}),
    }
    own = {name: value for name, value in os.environ.items() if not name.startswith("PLIMSOLL_")}
    with tempfile.TemporaryDirectory(prefix="plimsoll-trial-") as folder:
        log = Path(folder) / "server.log"
        with log.open("wb") as written:
            began = time.monotonic()
            process = subprocess.Popen(  # noqa: S603  our own program
                [Path(sys.executable).parent / "plimsoll-server", "serve"],
                env={**own, **told},
                stdout=written,
                stderr=written,
            )
        try:
            _until_ready(process, port, log, began)
            yield Running(process, port, metrics_port, log, time.monotonic() - began)
        finally:
            process.kill()
            process.wait(_END_SECONDS)


def _until_ready(process: subprocess.Popen[bytes], port: int, log: Path, began: float) -> None:
    while process.poll() is None and time.monotonic() - began < READY_SECONDS:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        try:
            connection.request("GET", "/readyz")
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass
        finally:
            connection.close()
        time.sleep(0.1)
    last = "\n".join(log.read_text(errors="replace").splitlines()[-_MOST_LOG_LINES:])
    raise TrialError(
        f"expected the server to get ready within {READY_SECONDS:.0f} s, but it ended or did not (exit code "
        f"{process.poll()}); the end of its log:\n{last}"
    )


def _free_ports(count: int) -> list[int]:
    """Held all at once, so that they differ."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()


def _status(pid: int, field: str) -> int:
    """Bytes; 0 of a process that has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(field)), 0)


def _cpu_seconds(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _descendants(pid: int) -> list[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [found for child in map(int, children) for found in (child, *_descendants(child))]
