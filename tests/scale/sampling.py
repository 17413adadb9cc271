"""What one process uses, looked at once in a while from beside it."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

PERIOD_SECONDS = 2.0
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Sample:
    """`at` in seconds since the epoch, `cpu_seconds` since the process began."""

    at: float
    resident_mib: float
    cpu_seconds: float
    queue_age_seconds: float
    load_average: float


@dataclass
class Samples:
    """All samples of a measurement, whichever process was looked at; an operator that restarts is another process."""

    taken: list[Sample] = field(default_factory=list)

    def between(self, began: float, ended: float) -> list[Sample]:
        return [sample for sample in self.taken if began <= sample.at <= ended]

    def since(self, began: float) -> list[tuple[float, float]]:
        """Resident MiB by minutes since then."""
        return [((sample.at - began) / 60, sample.resident_mib) for sample in self.taken if sample.at >= began]


def look_at(pid: int, queue_age_seconds: float) -> Sample | None:
    """None where there is no such process any more."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
        # The command's name may hold spaces and brackets; the fields after it do not.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    if "VmRSS:" not in status:  # ended, and not yet collected
        return None
    resident = int(status.partition("VmRSS:")[2].split()[0]) / 1024
    return Sample(
        time.time(), resident, (int(fields[11]) + int(fields[12])) / _TICKS, queue_age_seconds, os.getloadavg()[0]
    )


@contextmanager
def sampling(look: Callable[[], Sample | None], also: Callable[[], None]) -> Iterator[Samples]:
    """Take a sample every two seconds while the block runs, and do `also` each time."""
    samples, ended = Samples(), threading.Event()

    def turn() -> None:
        while not ended.wait(PERIOD_SECONDS):
            sample = look()
            if sample is not None:
                samples.taken.append(sample)
            also()

    thread = threading.Thread(target=turn, name="sampling")
    thread.start()
    try:
        yield samples
    finally:
        ended.set()
        thread.join()
