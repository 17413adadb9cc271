"""A canary is judged whatever the operator's clock shows: Prometheus' own decides which moments have passed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache

import pytest

from builders import Cluster
from measured import Traffic, measured, tell, trial
from plimsoll_operator.cluster.measuring import measurements
from plimsoll_operator.cluster.prometheus_answer import Answer, RawSeries
from plimsoll_operator.rollout.measuring.inquiry import inquire
from plimsoll_operator.rollout.measuring.measurements import Counter, Inquiry, Measurements, Values
from plimsoll_operator.rollout.measuring.signals import SIGNALS, Signal

MINUTE = timedelta(minutes=1)
HALF_BAD = Traffic(ok=5, failed=5)
GOOD = Traffic(ok=10)
PATIENT = {"maxDuration": "4h", "steps": [10]}

Clock = Callable[[timedelta], timedelta]
"""How far the operator's clock is ahead of Prometheus', so long after the canary began."""


def answered(inquiry: Inquiry, found: Measurements, ours: datetime, clock: datetime) -> Measurements:
    """As the operator reads it of a Prometheus whose own clock shows `clock`: nothing is scraped that is to come."""

    def told(signal: Signal) -> Answer:
        counters = found.counters.get(signal.name, {}).items()
        return Answer(tuple(series(signal, counter, values) for counter, values in counters), clock)

    def series(signal: Signal, counter: Counter, values: Values) -> RawSeries:
        labels = {"__name__": counter.metric, "revision": counter.revision, "replica": counter.replica}
        labels |= {"tier": counter.tier, **({signal.label: counter.label} if signal.label else {})}
        known = ((at, value) for at, value in zip(found.moments, values, strict=True) if at <= clock)
        return RawSeries(labels, tuple((at.timestamp(), value) for at, value in known if value is not None))

    return measurements(inquiry, {signal: told(signal) for signal in SIGNALS}, ours)


def look(cluster: Cluster, clock: datetime, ours: datetime) -> None:
    cluster.now = ours
    inquiry = inquire(cluster.observed.owner, ours)
    told = None
    if inquiry is not None:
        pods = {revision: found.pods[0].name for revision, found in cluster.observed.workloads.items() if found.pods}
        told = answered(inquiry, measured(inquiry, HALF_BAD, GOOD, pods), ours, clock)
    cluster.observed = replace(cluster.observed, measurements=told)
    tell(cluster)


def in_time(_: timedelta) -> timedelta:
    return timedelta(0)


@cache
def by_a_right_clock() -> int:
    return seconds_until_taken_back(in_time)


def seconds_until_taken_back(apart: Clock, most: int = 600, **canary: object) -> int:
    cluster = trial(canary={**PATIENT, **canary})
    began = cluster.now
    for seconds in range(10, most, 10):
        passed = timedelta(seconds=seconds)
        look(cluster, began + passed, began + passed + apart(passed))
        phase = cluster.observed.owner.status["rollout"]["phase"]
        if phase != "Analysing":
            assert phase == "RollingBack"
            return seconds
    raise AssertionError(f"not judged: {cluster.observed.owner.status['rollout']['evidence']}")


@pytest.mark.parametrize("minutes", [-60, -6, -3, -0.5, 0.5, 3, 6, 60])
def test_harm_is_found_as_soon_by_a_clock_that_is_off(minutes: float) -> None:
    assert seconds_until_taken_back(lambda _: minutes * MINUTE) <= by_a_right_clock() + 60


@pytest.mark.parametrize("no_data", ["Hold", "Promote"])
@pytest.mark.parametrize("minutes", [-60, -6, 6, 60])
def test_harm_is_found_by_a_clock_that_is_set_right_while_the_canary_runs(minutes: float, no_data: str) -> None:
    def set_right(passed: timedelta) -> timedelta:
        return minutes * MINUTE if passed < timedelta(seconds=20) else timedelta(0)

    assert seconds_until_taken_back(set_right, onNoData=no_data) <= by_a_right_clock() + 60


@pytest.mark.parametrize("minutes", [-60, 60])
def test_a_clock_that_goes_wrong_while_a_canary_runs_hides_no_harm(minutes: float) -> None:
    wrong = seconds_until_taken_back(lambda passed: minutes * MINUTE * (passed >= timedelta(seconds=20)))
    assert wrong <= by_a_right_clock() + 60
