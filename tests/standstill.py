"""How long the interpreter's other threads stand still while something is done, in processor time of this process:
what other processes take of the machine is nobody's standstill."""

from __future__ import annotations

import gc
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
    """Has another thread look at the clock all the time within the block.

    As the server does, it first puts aside all that there is, or the garbage collector would stop everybody for what
    the tests before have left.
    """
    found = Standstill()
    over = threading.Event()

    def look() -> None:
        before = time.process_time()
        while not over.is_set():
            time.sleep(0.001)
            now = time.process_time()
            found.longest, before = max(found.longest, now - before), now

    other = threading.Thread(target=look)
    gc.collect()
    gc.freeze()
    other.start()
    began = time.process_time()
    try:
        yield found
    finally:
        found.whole = time.process_time() - began
        over.set()
        other.join()
        gc.unfreeze()
