"""A real Prometheus that scrapes what a test names, once a second; it can be stopped and started again."""

from __future__ import annotations

import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from free_ports import free_port

DEADLINE_SECONDS = 60


@dataclass
class PrometheusProcess:
    """Keeps its data in `folder` from one life to the next."""

    program: Path
    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Returns when it answers."""
        with (self.folder / "prometheus.log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    str(self.program),
                    f"--config.file={self.folder / 'prometheus.yaml'}",
                    f"--storage.tsdb.path={self.folder / 'data'}",
                    f"--web.listen-address=127.0.0.1:{self.port}",
                ],
                stdout=log,
                stderr=log,
            )
        end = time.monotonic() + DEADLINE_SECONDS
        while not self._answers():
            assert time.monotonic() < end, (self.folder / "prometheus.log").read_text()
            time.sleep(0.1)

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(DEADLINE_SECONDS)
            self.process = None

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=1):
                return True
        except (urllib.error.URLError, OSError):
            return False


@contextmanager
def running_prometheus(program: Path, folder: Path, targets: Sequence[str]) -> Iterator[PrometheusProcess]:
    """Scrapes `targets` (HOST:PORT) while the context lasts: twice, as where annotations and a PodMonitor overlap."""
    jobs = [
        {"job_name": name, "honor_labels": True, "static_configs": [{"targets": list(targets)}]}
        for name in ("pods", "monitor")
    ]
    config = {"global": {"scrape_interval": "1s", "scrape_timeout": "1s"}, "scrape_configs": jobs}
    (folder / "prometheus.yaml").write_text(yaml.safe_dump(config))
    prometheus = PrometheusProcess(program, folder, free_port())
    prometheus.start()
    try:
        yield prometheus
    finally:
        prometheus.stop()
