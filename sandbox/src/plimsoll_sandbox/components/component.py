"""One supervised program, as data."""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Component:
    """`is_ready` answers for this moment and never raises; `deadline_seconds` is how long the first start may take."""

    name: str
    command: tuple[str, ...]
    is_ready: Callable[[], Awaitable[bool]]
    deadline_seconds: float = 60.0
    on_our_death: signal.Signals = signal.SIGKILL
