"""The evidence over time, for people: few points however long it took, the newest always among them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from plimsoll_operator.observed import Manifest

MOST_POINTS = 60


def with_point(points: Sequence[Manifest], point: Manifest, interval: timedelta) -> list[Any]:
    """The points with a new one. Their spacing doubles, from one interval on, until what is kept fits."""
    if points and point["at"] <= points[-1]["at"]:
        return list(points)
    everything = [*points, point]
    begin = _at(everything[0])
    lasted = _at(point) - begin
    spacing = interval
    while lasted // spacing >= MOST_POINTS - 1:
        spacing *= 2
    first_of_each = {(_at(one) - begin) // spacing: one for one in reversed(everything[:-1])}
    return [first_of_each[slot] for slot in sorted(first_of_each)] + [point]


def _at(point: Manifest) -> datetime:
    return datetime.fromisoformat(point["at"])
