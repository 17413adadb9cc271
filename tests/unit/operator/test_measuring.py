"""Prometheus' answers as counters at moments: where each sample belongs, and which moments have passed."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from builders import NOW
from plimsoll_operator.cluster.measuring import measurements
from plimsoll_operator.cluster.prometheus_answer import Answer, RawSeries
from plimsoll_operator.rollout.measuring.measurements import Counter, Inquiry, Measurements, Replica, Values
from plimsoll_operator.rollout.measuring.scrapes import Scrapes
from plimsoll_operator.rollout.measuring.signals import REQUESTS, SIGNALS

STEP = timedelta(seconds=10)
INQUIRY = Inquiry("guardrails", "domains", "new", "old", NOW, NOW + STEP, NOW + 3 * STEP, STEP, 3)
[ERRORS] = [signal for signal in SIGNALS if signal.name == "errors"]
LABELS = {"__name__": REQUESTS, "revision": "new", "replica": "a", "tier": "short", "outcome": "ok"}


def told(*samples: tuple[float, float], answered: datetime | None = None, **labels: str) -> Measurements:
    """One series as Prometheus tells it, with samples by seconds since the first moment; long after the last one."""
    series = RawSeries({**LABELS, **labels}, tuple((NOW.timestamp() + at, value) for at, value in samples))
    return measurements(INQUIRY, {ERRORS: Answer((series,), answered)}, NOW + timedelta(minutes=5))


def values(found: Measurements) -> Values:
    return next(iter(found.counters["errors"].values()))


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        pytest.param([(0, 1), (10, 2), (20, 3), (30, 4)], (1, 2, 3, 4), id="a sample for each moment"),
        pytest.param([(10, 2), (30, 4)], (None, 2, None, 4), id="some are missing"),
        pytest.param([(0.004, 1), (9.998, 2)], (1, 2, None, None), id="times that were rounded"),
        pytest.param([(0, 1), (0, 1)], (1, None, None, None), id="one twice"),
        pytest.param([(-10, 9), (40, 9), (10, 2)], (None, 2, None, None), id="moments nobody asked about"),
        pytest.param([(0, 1000)], (1000, None, None, None), id="a large number"),
    ],
)
def test_samples_are_put_where_they_belong(samples: list[tuple[float, float]], expected: Values) -> None:
    assert values(told(*samples)) == expected


def test_a_counter_is_known_by_its_labels() -> None:
    found = told((0, 1), outcome="error")
    assert next(iter(found.counters["errors"])) == Counter("new", "a", "short", REQUESTS, "error")


def test_labels_that_are_missing_are_empty() -> None:
    bare = RawSeries({"__name__": REQUESTS}, ((INQUIRY.last.timestamp(), 1),))
    found = measurements(INQUIRY, {ERRORS: Answer((bare,), None)}, NOW + timedelta(minutes=5))
    assert list(found.counters["errors"]) == [Counter("", "", "", REQUESTS, "")]


@pytest.mark.parametrize(
    ("behind", "moments"),
    [
        pytest.param(-60, 4, id="its clock is ahead"),
        pytest.param(0, 4, id="the same time"),
        pytest.param(1, 4, id="a second behind, which may be its rounding"),
        pytest.param(5, 3, id="it has not got to the last moment"),
        pytest.param(15, 0, id="nor to one that was not judged"),
        pytest.param(3600, 0, id="an hour behind"),
    ],
)
def test_only_moments_count_that_the_clock_of_who_answered_has_passed(behind: float, moments: int) -> None:
    """Where it stands two seconds after the last moment by our clock."""
    found = told((0, 1), answered=INQUIRY.last + timedelta(seconds=2 - behind))
    assert len(found.moments) == moments
    assert found.problem is None


def test_an_answer_without_a_date_counts_by_our_own_clock() -> None:
    assert len(told((0, 1)).moments) == 4


def test_scrapes_are_told_of_each_replica_by_each_job() -> None:
    """As Prometheus tells them: at each moment the time of the newest one."""
    times = [RawSeries({"revision": "new", "replica": "a"}, tuple((at, at - at % 5) for at in (1, 4, 6, 9, 11)))]
    times.append(RawSeries({"revision": "new", "replica": "a", "job": "monitor"}, ((4, 3), (6, 3))))
    times.append(RawSeries({"revision": "old", "replica": "b"}, ()))
    answers = {ERRORS: Answer((), None)}
    found = measurements(INQUIRY, answers, NOW + timedelta(minutes=5), Answer(tuple(times), None))
    assert found.scrapes == {Replica("new", "a"): (Scrapes((0, 5, 10)), Scrapes((3,)))}
