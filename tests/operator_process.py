"""The operator as its users run it: a process with an environment, a log, two ports and an exit code."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from free_ports import free_port

COMMAND = (str(Path(sys.executable).with_name("plimsoll-operator")), "run")


@dataclass
class OperatorProcess:
    """A running operator; `log_path` gets its output."""

    kubeconfig: Path
    log_path: Path
    settings: Mapping[str, str] = field(default_factory=dict)
    command: tuple[str, ...] = COMMAND
    metrics_port: int = field(default_factory=free_port)
    health_port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        environment = {
            "PATH": os.environ["PATH"],
            "KUBECONFIG": str(self.kubeconfig),
            "POD_NAMESPACE": "plimsoll-system",
            "PLIMSOLL_SERVER_IMAGE": "plimsoll/server:test",
            "PLIMSOLL_BIND_ADDRESS": "127.0.0.1",
            "PLIMSOLL_METRICS_PORT": str(self.metrics_port),
            "PLIMSOLL_HEALTH_PORT": str(self.health_port),
        }
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(self.command, env={**environment, **self.settings}, stdout=log, stderr=log)

    def stop(self, patience: float = 30) -> int:
        """SIGTERM, and the exit code. Raises TimeoutExpired for one that takes longer. It promises ten seconds."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(patience)

    def wait(self, patience: float) -> int:
        assert self.process is not None
        return self.process.wait(patience)

    def kill(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)

    def log(self) -> list[dict[str, Any]]:
        """The log so far, without a line that is still being written. One that is no JSON is a failure."""
        complete = self.log_path.read_text().rpartition("\n")[0]
        return [json.loads(line) for line in complete.splitlines()]

    def said(self, words: str) -> bool:
        return any(words in line["message"] for line in self.log())

    def health(self) -> int:
        """Status of /healthz; 0 while nobody listens."""
        return fetch(self.health_port, "/healthz")[0]

    def metric(self, sample: str) -> float:
        """Value of one sample by its full name, such as `x_total{reason="Forbidden"}`; 0 where there is none."""
        for line in fetch(self.metrics_port, "/metrics")[1].splitlines():
            if line.startswith(f"{sample} "):
                return float(line.rsplit(" ", 1)[1])
        return 0.0

    def resident_mib(self) -> float:
        assert self.process is not None
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def fetch(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as response:
            return int(response.status), response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
    except OSError:
        return 0, ""


@contextmanager
def running_operator(kubeconfig: Path, log_path: Path, **settings: str) -> Iterator[OperatorProcess]:
    """An operator that listens; gone at the end, whatever happened."""
    with running(OperatorProcess(kubeconfig, log_path, settings)) as operator:
        yield operator


@contextmanager
def running(operator: OperatorProcess) -> Iterator[OperatorProcess]:
    """The same for one that is made by the caller."""
    try:
        operator.start()
        deadline = time.monotonic() + 90
        while operator.health() == 0:
            assert time.monotonic() < deadline, operator.log_path.read_text()
            assert operator.process is not None
            assert operator.process.poll() is None, operator.log_path.read_text()
            time.sleep(0.1)
        yield operator
    finally:
        operator.kill()
