"""The clock by which a Lease is reckoned."""

from __future__ import annotations

import time


def unsleeping() -> float:
    """Seconds by a clock that goes on while the machine is suspended, where the platform has one (Linux)."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
