"""The signal that scales: a mean over time, whenever it is looked at."""

from __future__ import annotations

import pytest

from plimsoll_server.scheduler.saturation import SaturationMeter


def meter(*changes: tuple[float, float]) -> SaturationMeter:
    """A meter born at 0 that was told (time, ratio)."""
    made = SaturationMeter(0.0)
    for time, ratio in changes:
        made.record(ratio, time)
    return made


@pytest.mark.parametrize(
    ("changes", "now", "mean"),
    [
        pytest.param([], 10.0, 0.0, id="idle"),
        pytest.param([(0.0, 2.0)], 100.0, 2.0, id="steady"),
        pytest.param([(0.0, 1.0), (15.0, 0.0)], 20.0, 0.5, id="a young life after nothing"),
        pytest.param([(0.0, 0.0), (85.0, 1.0)], 100.0, 0.5, id="half of the window"),
        pytest.param([(0.0, 9.0), (50.0, 0.0)], 100.0, 0.0, id="what is older than the window is forgotten"),
        pytest.param([(90.0, 3.0), (90.1, 0.0)], 100.0, 0.01, id="a short burst counts for its length"),
    ],
)
def test_the_mean_covers_thirty_seconds(changes: list[tuple[float, float]], now: float, mean: float) -> None:
    assert meter(*changes).mean(now) == pytest.approx(mean, abs=0.02)


def test_looking_often_changes_nothing() -> None:
    looked_at = meter((0.0, 1.0))
    for tenth in range(400):
        looked_at.mean(tenth / 10)
    assert looked_at.mean(40.0) == pytest.approx(1.0, abs=0.02)


def test_a_load_that_moves_to_a_younger_server_counts_once() -> None:
    """Else the autoscaler would add a pod for the seconds in which both seem to carry it."""
    older = meter((0.0, 2.0))
    older.mean(100.0)
    younger = SaturationMeter(100.0)
    older.record(1.0, 110.0)
    younger.record(1.0, 110.0)
    sums = [older.mean(now) + younger.mean(now) for now in range(111, 160)]
    assert sums == pytest.approx([2.0] * len(sums), abs=0.04)
