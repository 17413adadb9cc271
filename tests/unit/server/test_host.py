"""When a batch has a guest between two of its layers, and when it is ended there."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest

from plimsoll_server.audience import Audience
from plimsoll_server.engine.guests import Guests
from plimsoll_server.engine.host import AbandonedError, Host
from plimsoll_server.types import BatchReport, LabelLogits, Tokens

LAYERS = 20


class Pass:
    """Layers of a second each, and at each border a guest that takes as long as it is given."""

    def __init__(self, patience: float, guest_seconds: float = 1.0) -> None:
        self.now = 0.0
        self.guests: list[int] = []
        self._layer = 0
        self._guest_seconds = guest_seconds
        self._waiting = Guests(self._run_guest)
        self._audience = Audience()
        self._audience.until = patience
        self._host = Host(self._waiting, self._audience, LAYERS, lambda: self.now)

    def go(self) -> Pass:
        for self._layer in range(1, LAYERS + 1):
            self.now += 1
            if self._layer < LAYERS:
                self._waiting.add([[1]])
                self._host.border()
        return self

    def _run_guest(self, batch: Sequence[Tokens]) -> BatchReport:
        self.now += self._guest_seconds
        self.guests.append(self._layer)
        return BatchReport((LabelLogits((0.0,)),))


@pytest.mark.parametrize(
    ("patience", "least", "most"),
    [
        pytest.param(math.inf, 19, 19, id="nobody gives up"),
        pytest.param(60.0, 19, 19, id="time for all of them"),
        pytest.param(30.0, 3, 10, id="time for some of them"),
        pytest.param(20.5, 0, 0, id="time for none"),
    ],
)
def test_a_batch_has_guests_for_as_long_as_it_is_done_in_time_with_them(patience: float, least: int, most: int) -> None:
    ran = Pass(patience).go()
    assert least <= len(ran.guests) <= most
    assert ran.now <= patience


def test_one_that_cannot_be_done_in_time_keeps_nobody_waiting() -> None:
    assert Pass(patience=5.0).go().guests == list(range(1, 20))


def test_once_nobody_waits_for_it_it_ends_before_its_next_layer() -> None:
    audience = Audience()
    host = Host(Guests(lambda batch: BatchReport(())), audience, LAYERS)
    host.border()
    audience.leave()
    with pytest.raises(AbandonedError):
        host.border()
