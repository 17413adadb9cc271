"""How long the interpreter's other threads stand still while something is done."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass
class Standstill:
    """In seconds; known once the block is left."""

    longest: float = 0.0
    whole: float = 0.0


@contextmanager
def standstill() -> Iterator[Standstill]:
    """Has another thread look at the clock all the time within the block."""
    found = Standstill()
    over = threading.Event()

    def look() -> None:
        before = time.monotonic()
        while not over.is_set():
            time.sleep(0.001)
            now = time.monotonic()
            found.longest, before = max(found.longest, now - before), now

    other = threading.Thread(target=look)
    other.start()
    began = time.monotonic()
    try:
        yield found
    finally:
        found.whole = time.monotonic() - began
        over.set()
        other.join()
