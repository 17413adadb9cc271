"""Shortages of memory over whole lives: the first one counts, wherever it comes, and nothing is counted twice."""

from __future__ import annotations

from datetime import timedelta

import pytest

from builders import NOW
from measured import Traffic, trial, watch
from plimsoll_operator.rollout.evidence import Interval
from plimsoll_operator.rollout.measuring.counters import MOST
from plimsoll_operator.rollout.measuring.measurements import Counter, Measurements, Problem, Values
from plimsoll_operator.rollout.measuring.pod_record import PodRecord
from plimsoll_operator.rollout.measuring.shortages import counted, watched
from plimsoll_operator.rollout.measuring.signals import BATCHES, OOM

CANARY, STABLE = "new", "old"
MOMENTS = tuple(NOW + number * timedelta(seconds=10) for number in range(4))


def told(*values: float | None, revision: str = CANARY, pod: str = "a", tier: str = "long") -> dict[Counter, Values]:
    return {
        Counter(revision, pod, tier, OOM, ""): values,
        Counter(revision, pod, tier, BATCHES, ""): (1000.0,) * len(values),
    }


def shortages(*series: dict[Counter, Values], before: PodRecord | None = None) -> tuple[int, int]:
    """Of the canary and of stable."""
    merged = {counter: values for one in series for counter, values in one.items()}
    measurements = Measurements(MOMENTS[1], MOMENTS, {"oom": merged})
    record = counted(before or PodRecord(NOW), measurements, CANARY, STABLE)
    return record.canary_shortages, record.stable_shortages


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param((0, 0, 0, 0), 0, id="none"),
        pytest.param((None, None, None, 1), 1, id="before the first scrape"),
        pytest.param((0, 1, 1, 2), 2, id="one after the other"),
        pytest.param((0, 1, 1, None), 1, id="a scrape that failed"),
        pytest.param((0, 1, 2, float("nan")), 2, id="what no counter can be"),
        pytest.param((None,) * 4, 0, id="never scraped"),
    ],
)
def test_the_newest_count_of_a_pod_is_that_of_its_life(values: Values, expected: int) -> None:
    assert shortages(told(*values)) == (expected, 0)


def test_pods_and_tiers_add_up_and_revisions_do_not() -> None:
    canary = told(0, 0, 0, 1), told(0, 0, 0, 2, pod="b"), told(0, 0, 0, 4, tier="short")
    stable = told(8, 8, 8, 8, revision=STABLE), told(16, 16, 16, 16, revision="older")
    assert shortages(*canary, *stable) == (7, 8)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("shortages_per_second", [0.001, MOST / 3700], ids=["few shortages", "as many as can be told"])
@pytest.mark.parametrize("batches_per_second", [0.0003, MOST / 3700], ids=["few batches", "as many as can be told"])
@pytest.mark.parametrize("of_canary", [True, False], ids=["of the canary", "of stable"])
def test_a_pod_that_counts_what_no_server_can_keeps_no_operator_busy(
    of_canary: bool, shortages_per_second: float, batches_per_second: float
) -> None:
    cluster = trial()
    strange = Traffic(ok=batches_per_second, out_of_memory=shortages_per_second)
    usual = Traffic(ok=1, out_of_memory=0.001)
    watch(cluster, *((strange, usual) if of_canary else (usual, strange)), looks=4)
    assert cluster.observed.owner.status["rollout"]["evidence"]["message"]


@pytest.mark.parametrize("series", [told(0, 0, 0, 1), {}], ids=["begins anew", "is gone"])
def test_a_counter_that_begins_anew_or_is_gone_takes_nothing_back(series: dict[Counter, Values]) -> None:
    assert shortages(series, before=PodRecord(NOW, canary_shortages=3, stable_shortages=2)) == (3, 2)


def test_batches_and_shortages_of_stable_are_of_the_same_lives() -> None:
    before = PodRecord(NOW, canary_shortages=3, canary_batches=5000, stable_shortages=25, stable_batches=90_000)
    anew = {**told(0, 0, 0, 1), **told(0, 0, 0, 2, revision=STABLE)}
    record = counted(before, Measurements(MOMENTS[1], MOMENTS, {"oom": anew}), CANARY, STABLE)
    assert (record.canary_shortages, record.canary_batches) == (3, 5000)
    assert (record.stable_shortages, record.stable_batches) == (2, 1000)


def test_the_time_of_stables_batches_is_that_of_each_server_whose_batches_are_counted() -> None:
    pods = {**told(0, 0, revision=STABLE), **told(0, 0, revision=STABLE, pod="b"), **told(0, 0)}
    found = [Interval(MOMENTS[0], MOMENTS[1], {}), Interval(MOMENTS[1], MOMENTS[3], {})]
    record = watched(PodRecord(NOW, stable_seconds=5), found, Measurements(NOW, counters={"oom": pods}), STABLE)
    assert record.stable_seconds == 5 + 2 * 30


def test_nothing_is_known_where_prometheus_is_away() -> None:
    away = Measurements(NOW, problem=Problem("NoAnswer", "it does not answer"))
    record = PodRecord(NOW, canary_shortages=1)
    assert counted(record, away, CANARY, STABLE) == record
