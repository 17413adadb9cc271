"""A batch that others may run within: at each border between two layers, whether one may now, and whether to go on."""

from __future__ import annotations

import time
from collections.abc import Callable

from plimsoll_server.audience import Audience
from plimsoll_server.engine.guests import Guests

_CAUTION = 1.25
"""Layers differ: of each three of ModernBERT's one attends to all tokens."""
_GUEST_SHARE = 8
"""A guest may have so large a part of the tokens, and so of the time, of the whole batch."""


class AbandonedError(Exception):
    """Nobody waits for the batch any more."""


class Host:
    """One forward pass through `layers` layers, of each sequence by itself where they are not packed.

    It has guests for as long as it will be done in time with them, by what its layers took so far without. Whoever
    cannot be done in time even alone does not keep others waiting for nothing.
    """

    def __init__(
        self, guests: Guests, audience: Audience, layers: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._guests = guests
        self._audience = audience
        self._layers = layers
        self._clock = clock
        self._began = clock()
        self._passed = 0
        self._with_guests = 0.0
        """Seconds, and the most of one guest."""
        self._longest_guest = 0.0

    def border(self) -> None:
        """Before each layer but the first. Raises AbandonedError."""
        if self._audience.gone:
            raise AbandonedError
        self._passed += 1
        began = self._clock()
        if self._needs_all(began):
            return
        self._guests.serve_one_within()
        took = self._clock() - began
        self._with_guests += took
        self._longest_guest = max(self._longest_guest, took)

    def _needs_all(self, now: float) -> bool:
        """Whether it will be done in time, but not with another guest."""
        layer = (now - self._began - self._with_guests) / self._passed
        needed = layer * (self._layers - self._passed)
        guest = max(self._longest_guest, layer * self._layers / _GUEST_SHARE)
        return needed <= self._audience.until - now < needed * _CAUTION + guest
