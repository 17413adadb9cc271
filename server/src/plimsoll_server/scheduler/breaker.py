"""The circuit breaker: an engine that fails at everything is left in peace, and its callers are told at once."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable

from plimsoll_server.scheduler.errors import NotServingError

log = logging.getLogger(__name__)

_FAULTS = 5
"""In a row, and the circuit opens."""
_FIRST_PAUSE_SECONDS = 5.0
_LONGEST_PAUSE_SECONDS = 60.0


class Trial:
    """A turn at an open circuit."""


class Breaker:
    """Closed while batches run, or fail for a reason of their own: a text that gives no finite number, or does not fit
    into memory. Open after five batches in a row that the engine could not run, nor an ordinary text after them. After
    a pause one request is let through: if its batch runs, the circuit closes; if not, or if nothing is heard of it, the
    next pause begins. One that ends before any batch ran, since it is too long or its caller left, hands its turn
    on."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._faults = 0
        self._pause = _FIRST_PAUSE_SECONDS
        self._next_try = -math.inf
        self._on_trial = False
        self._trial: Trial | None = None
        """The one that has a turn of which nothing is heard yet."""

    @property
    def open(self) -> bool:
        return self._faults >= _FAULTS

    @property
    def about_to_open(self) -> bool:
        """Or to stay open: by one fault more."""
        return self._faults + 1 >= _FAULTS

    def check(self) -> Trial | None:
        """Raises NotServingError when there is no use in trying. Whoever passes an open circuit is its trial."""
        if not self.open:
            return None
        left = self._next_try - self._clock()
        if left > 0:
            raise NotServingError(
                f"the model failed at {self._faults} batches in a row, the server's log says why; the next trial is in "
                f"{math.ceil(left)} s",
                retry_after=math.ceil(left),
            )
        self._on_trial = True
        self._next_try = self._clock() + self._pause
        self._trial = Trial()
        return self._trial

    def batch_begins(self) -> None:
        """What is heard of it is the trial's verdict, whoever's it is."""
        self._trial = None

    def ended(self, trial: Trial | None) -> None:
        """The request that was the trial has ended, in one way or another."""
        if trial is not None and trial is self._trial:
            self._trial = None
            self._hand_on()

    def batch_not_tried(self) -> None:
        """Nothing of it was given to a device, so nothing is heard: the trial hands its turn on."""
        if self._on_trial:
            self._hand_on()

    def _hand_on(self) -> None:
        """Whoever asks next is the trial."""
        self._on_trial = False
        self._next_try = self._clock()

    def batch_done(self, *, faulty: bool) -> None:
        if not faulty:
            if self.open:
                log.info("the model works again: the circuit is closed")
            self._faults, self._pause, self._on_trial = 0, _FIRST_PAUSE_SECONDS, False
            return
        self._faults += 1
        if self._faults == _FAULTS:
            log.error("%d batches failed in a row: the circuit is open", self._faults)
        if self._on_trial:
            self._pause = min(2 * self._pause, _LONGEST_PAUSE_SECONDS)
        self._on_trial = False
        self._next_try = self._clock() + self._pause
