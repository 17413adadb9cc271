"""A share of the traffic in pods."""

from __future__ import annotations

import pytest

from plimsoll_operator.rollout.canary.weights import Step, canary_pods, steps_of, weight_percent


@pytest.mark.parametrize(
    ("percent", "stable", "most", "pods"),
    [
        (10, 1, 2, 1),
        (10, 9, 2, 1),
        (10, 14, 2, 2),
        (30, 4, 16, 2),
        (50, 4, 16, 4),
        (50, 4, 2, 2),
        (99, 1, 16, 16),
        (1, 500, 16, 5),
        (1, 0, 16, 1),
    ],
)
def test_the_nearest_share_that_whole_pods_give(percent: int, stable: int, most: int, pods: int) -> None:
    assert canary_pods(percent, stable, most) == pods


@pytest.mark.parametrize(
    ("percents", "stable", "most", "steps"),
    [
        pytest.param((10, 30, 50), 1, 2, (Step(1, (10, 30, 50)),), id="one pod beside one is 50 %, whatever is asked"),
        pytest.param((10, 30, 50), 4, 2, (Step(1, (10,)), Step(2, (30, 50))), id="two steps of as many pods are one"),
        pytest.param((10, 30, 50), 20, 16, (Step(2, (10,)), Step(9, (30,)), Step(16, (50,))), id="each its own"),
        pytest.param((50,), 3, 1, (Step(1, (50,)),), id="no more pods than allowed"),
    ],
)
def test_steps_of_equal_pods_are_one(
    percents: tuple[int, ...], stable: int, most: int, steps: tuple[Step, ...]
) -> None:
    assert steps_of(percents, stable, most) == steps


@pytest.mark.parametrize(("canary", "stable", "percent"), [(1, 1, 50), (1, 4, 20), (2, 4, 33), (0, 4, 0), (1, 0, 100)])
def test_the_share_that_was_achieved(canary: int, stable: int, percent: int) -> None:
    assert weight_percent(canary, stable) == percent
