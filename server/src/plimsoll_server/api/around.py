"""What stands around every request, as the process was set up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from plimsoll_server.api.key_ring import KeyRing
from plimsoll_server.api.rate_limit import Rates

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer


@dataclass(frozen=True)
class Around:
    """Nothing of it is there unless it is asked for. `keys` gives the newest API keys."""

    keys: Callable[[], KeyRing] | None = None
    rates: Rates | None = None
    access_log: bool = False
    tracer: Tracer | None = None


NOTHING = Around()
