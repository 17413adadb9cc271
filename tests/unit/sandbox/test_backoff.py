"""Waiting before trying again."""

from __future__ import annotations

import pytest

from plimsoll_sandbox.node.backoff import Backoff


@pytest.mark.parametrize(
    ("base", "first", "waits"),
    [
        (10, 0, [0, 10, 20, 40, 80, 160, 300, 300]),
        (10, 10, [10, 20, 40, 80]),
        (1, 0, [0, 1, 2, 4]),
    ],
    ids=["restarts", "pulls", "a shorter base"],
)
def test_waits_double_up_to_five_minutes(base: float, first: float, waits: list[float]) -> None:
    backoff = Backoff(base, first)
    assert [backoff.after(1) for _ in waits] == waits


def test_ten_quiet_minutes_and_all_is_forgotten() -> None:
    backoff = Backoff(10)
    assert [backoff.after(quiet) for quiet in (1, 1, 1, 599, 600, 1)] == [0, 10, 20, 40, 0, 10]
