"""What kubectl saw of some objects while something else was done, each event with its time."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO

from cluster_kit import Kit, eventually


@dataclass
class Recording:
    """Grows until its block ends. Each entry: when it was seen, and the columns that were asked for."""

    events: list[tuple[float, tuple[str, ...]]] = field(default_factory=list)

    def read(self, lines: IO[str]) -> None:
        for line in lines:
            self.events.append((time.monotonic(), tuple(line.split())))


@contextmanager
def recording(kit: Kit, *objects: str, columns: str) -> Iterator[Recording]:
    """Watch objects from before the block begins until it ends; at least one must be there."""
    recorded = Recording()
    watch = ("get", *objects, "--watch", "--output-watch-events", "--no-headers", "-o", f"custom-columns={columns}")
    with kit.kubectl_running(*watch) as lines:
        reader = threading.Thread(target=recorded.read, args=(lines,))
        reader.start()
        eventually(lambda: bool(recorded.events), deadline=30)
        yield recorded
    reader.join(timeout=10)
