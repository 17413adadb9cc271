"""What the server says of itself on its metrics port, looked at while it works."""

from __future__ import annotations

import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from prometheus_client.parser import text_string_to_metric_families

_LOOK_SECONDS = 0.5
"""As often as the server writes them."""


def read(metrics_port: int, name: str) -> float:
    """The sum over all series of `name`; 0 where there is none. Raises OSError."""
    with urllib.request.urlopen(f"http://127.0.0.1:{metrics_port}/metrics", timeout=30) as response:
        text = response.read().decode()
    return sum(
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name
    )


@dataclass
class Watched:
    values: list[float] = field(default_factory=list)


@contextmanager
def watching(metrics_port: int, name: str) -> Iterator[Watched]:
    """Looks at one gauge for as long as the block lasts."""
    watched, over = Watched(), threading.Event()

    def look() -> None:
        while not over.wait(_LOOK_SECONDS):
            watched.values.append(read(metrics_port, name))

    thread = threading.Thread(target=look, name="gauges")
    thread.start()
    try:
        yield watched
    finally:
        over.set()
        thread.join()
