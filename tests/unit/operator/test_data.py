"""Measured, no traffic, no metrics, no canary: what a look at Prometheus brought, and for how long nothing did."""

from __future__ import annotations

from datetime import timedelta

import pytest

from builders import Cluster
from measured import Traffic, lose_prometheus, trial, watch
from plimsoll_operator.rollout.measuring.analysis_status import read_analysis

BUSY, IDLE, ABANDONED = Traffic(), Traffic(ok=0), Traffic(ok=0, abandoned=10)
REMEMBERED = Traffic(ok=0, remembered=10)


def data(cluster: Cluster) -> str:
    return str(cluster.observed.owner.status["rollout"]["evidence"]["data"])


@pytest.mark.parametrize(
    ("canary", "stable", "expected"),
    [
        pytest.param(BUSY, BUSY, "Measured", id="both serve"),
        pytest.param(BUSY, None, "Measured", id="the stable revision is broken"),
        pytest.param(IDLE, IDLE, "NoTraffic", id="nobody asks"),
        pytest.param(IDLE, BUSY, "NoTraffic", id="the canary gets nothing"),
        pytest.param(REMEMBERED, BUSY, "NoTraffic", id="all that the canary answers is remembered"),
        pytest.param(None, BUSY, "CanaryMissing", id="the canary is not scraped"),
        pytest.param(None, IDLE, "NoTraffic", id="the canary is not scraped and nobody asks"),
        pytest.param(None, None, "NoMetrics", id="nobody is scraped"),
    ],
)
def test_what_a_look_brought(canary: Traffic | None, stable: Traffic | None, expected: str) -> None:
    cluster = trial()
    watch(cluster, canary, stable, looks=15)
    assert data(cluster) == expected


def test_requests_that_callers_give_up_are_traffic() -> None:
    cluster = trial()
    watch(cluster, ABANDONED, BUSY, looks=2)
    assert data(cluster) == "Measured"


def test_a_canary_that_has_just_become_ready_is_not_missing_yet() -> None:
    cluster = trial()
    watch(cluster, None, BUSY, looks=3)
    assert data(cluster) == "NoTraffic"
    assert "not measured yet" in cluster.observed.owner.status["rollout"]["evidence"]["dataMessage"]


def test_a_pause_between_two_requests_is_no_lack_of_traffic_until_it_lasts() -> None:
    cluster = trial()
    watch(cluster, BUSY, BUSY, looks=2)
    watch(cluster, IDLE, BUSY, looks=11)
    assert data(cluster) == "Measured"
    watch(cluster, IDLE, BUSY, looks=2)
    assert data(cluster) == "NoTraffic"


def test_no_prometheus_is_told_with_what_is_wrong_and_taken_back_when_it_returns() -> None:
    cluster = trial()
    watch(cluster, BUSY, BUSY, looks=2)
    lose_prometheus(cluster)
    told = cluster.observed.owner.status["rollout"]["evidence"]
    assert (told["data"], told["reason"]) == ("NoMetrics", "NoMetrics")
    assert "no answer within 3 s" in told["message"]
    watch(cluster, BUSY, BUSY)
    assert data(cluster) == "Measured"
    assert "dataMessage" not in cluster.observed.owner.status["rollout"]["evidence"]


def test_the_time_without_data_adds_up_over_several_losses() -> None:
    cluster = trial()
    watch(cluster, BUSY, BUSY, looks=2)
    for _ in range(2):
        for _ in range(6):
            lose_prometheus(cluster)
        watch(cluster, BUSY, BUSY, looks=3)
    analysis = read_analysis(cluster.observed.owner.status)
    assert analysis is not None
    assert analysis.blind(cluster.now) == timedelta(seconds=120)


def test_while_prometheus_stays_away_nothing_is_written_anew() -> None:
    cluster = trial()
    watch(cluster, BUSY, BUSY, looks=2)
    lose_prometheus(cluster)
    before = cluster.observed.owner.status["rollout"]["evidence"]
    for _ in range(5):
        lose_prometheus(cluster)
    assert cluster.observed.owner.status["rollout"]["evidence"] == before
