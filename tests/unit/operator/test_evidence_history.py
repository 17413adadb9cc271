"""The evidence over time as status keeps it: few points, in order, the newest always among them."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from builders import NOW
from plimsoll_operator.rollout.measuring.history import MOST_POINTS, with_point

INTERVAL = timedelta(seconds=10)


def point(seconds: float) -> dict[str, Any]:
    return {"at": (NOW + timedelta(seconds=seconds)).isoformat(), "requests": int(seconds)}


def grown(count: int, every: float = 10) -> list[Any]:
    points: list[Any] = []
    for number in range(count):
        points = with_point(points, point(number * every), INTERVAL)
    return points


@pytest.mark.parametrize("count", [1, 2, 59, 60, 61, 120, 500, 2000])
def test_it_never_holds_more_than_it_may_and_always_the_first_and_the_newest(count: int) -> None:
    points = grown(count)
    assert len(points) <= MOST_POINTS
    assert len(points) >= min(count, MOST_POINTS // 2)
    assert (points[0], points[-1]) == (point(0), point((count - 1) * 10))
    moments = [datetime.fromisoformat(one["at"]) for one in points]
    assert moments == sorted(set(moments))


def test_its_points_are_evenly_spaced_however_long_it_took() -> None:
    moments = [datetime.fromisoformat(one["at"]) for one in grown(500)[:-1]]
    assert {later - earlier for earlier, later in pairwise(moments)} == {16 * INTERVAL}


def test_a_point_that_is_there_already_changes_nothing() -> None:
    points = grown(5)
    assert with_point(points, point(40), INTERVAL) == points
    assert with_point(points, point(30), INTERVAL) == points
