"""Raw counters of replicas that restart, come, go and are scraped late: what is counted, once, and what is left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import NOW
from plimsoll_operator.rollout.evidence import Counts, SeriesKey, Stratum
from plimsoll_operator.rollout.measuring.counters import intervals
from plimsoll_operator.rollout.measuring.measurements import Counter, Measurements, Values
from plimsoll_operator.rollout.measuring.signals import (
    ALL,
    BATCHES,
    DURATION,
    DURATION_BY_SIZE,
    INCIDENTS,
    OOM,
    REQUESTS,
)
from strata import LONG, SHORT

STEP = timedelta(seconds=10)
ERRORS = SeriesKey("errors")
CANARY, STABLE = "new", "old"
STEADY = (100, 200, 300, 400, 500)


def ok(*values: float | None, revision: str = CANARY, replica: str = "a", tier: str = "short") -> dict[Counter, Values]:
    """Requests of one replica that were answered."""
    return {Counter(revision, replica, tier, REQUESTS, "ok"): values}


def counter(
    metric: str, *values: float | None, label: str = "", revision: str = CANARY, tier: str = "short"
) -> dict[Counter, Values]:
    return {Counter(revision, "a", tier, metric, label): values}


def counted(
    *counters: dict[Counter, Values], signal: str = "errors", judged: int = 1
) -> list[dict[SeriesKey, Mapping[Stratum, Counts]]]:
    """Counts of each interval. Moments up to number `judged` only lead up to the first one."""
    merged = {key: values for one in counters for key, values in one.items()}
    length = max(len(values) for values in merged.values())
    moments = tuple(NOW + index * STEP for index in range(length))
    measurements = Measurements(moments[judged], moments, {signal: merged})
    return [{**interval.counts} for interval in intervals(measurements, CANARY, STABLE)]


def canary_requests(*counters: dict[Counter, Values]) -> list[float]:
    """Of the canary in each interval; the first moment only leads up to them."""
    return [sum(counts.canary for counts in interval.get(ERRORS, {}).values()) for interval in counted(*counters)]


CASES: dict[str, tuple[Sequence[float | None], Sequence[float]]] = {
    "steady traffic": ((100, 200, 300, 450), (100, 150)),
    "no traffic": ((100, 100, 100, 100), (0, 0)),
    "nothing answered before": ((0, 0, 50, 90, 100), (50, 40, 10)),
    "its first moment: nobody knows what it did before": ((None, None, 50, 90, 100), (0, 40, 10)),
    "a restart": ((100, 200, 30, 60, 90), (0, 30, 30)),
    "a restart to zero": ((100, 200, 0, 10, 30, 60), (0, 10, 20, 30)),
    "a restart before the first interval": ((100, 20, 40, 60), (20, 20)),
    "one scrape failed: its growth is read later": ((100, 200, None, 400, 500), (0, 200, 100)),
    "a gap of minutes": ((100, 200, None, None, None, 900), (0, 0, 0, 700)),
    "gone: it stands still": ((100, 200, None, None), (0, 0)),
    "gone, and back after a restart": ((100, 200, None, 40, 50, 60), (0, 0, 10, 10)),
    "a last value kept by a Prometheus that was down": ((100, 200, 200, 200, 700), (0, 0, 500)),
}


@pytest.mark.parametrize(("values", "expected"), CASES.values(), ids=CASES.keys())
def test_a_replica_is_counted(values: Sequence[float | None], expected: Sequence[float]) -> None:
    assert canary_requests(ok(*values)) == list(expected)


def test_replicas_are_differenced_before_they_are_added_up() -> None:
    restarted = ok(1000, 1100, 10, 20, 30, replica="b")
    assert canary_requests(ok(*STEADY), restarted) == [100, 110, 110]


def test_a_replica_that_comes_and_one_that_goes_change_nothing_of_another() -> None:
    came, went = ok(None, None, 70, 80, 90, replica="b"), ok(500, 600, None, None, None, replica="c")
    assert canary_requests(ok(*STEADY), came, went) == [100, 110, 110]


def test_tiers_are_strata_of_both_revisions() -> None:
    [interval] = counted(
        ok(10, 20, 30),
        ok(1, 2, 5, tier="long"),
        ok(100, 200, 290, revision=STABLE),
        counter(REQUESTS, 0, 0, 4, label="error", revision=STABLE),
    )
    assert interval[ERRORS] == {SHORT: Counts(10, 94, 0, 4), LONG: Counts(3, 0, 0, 0)}


def test_a_third_revision_counts_nowhere() -> None:
    assert counted(ok(10, 20, 30, revision="older")) == [{}]


def test_what_callers_give_up_or_spoil_is_compared_apart_from_what_the_server_fails() -> None:
    outcomes = {"ok": 50, "rejected": 4, "oom": 3, "error": 2, "invalid": 20, "too_long": 10, "cancelled": 11}
    counters = [counter(REQUESTS, 10, 10, 10 + grown, label=outcome) for outcome, grown in outcomes.items()]
    [interval] = counted(*counters)
    assert interval == {
        ERRORS: {SHORT: Counts(59, 0, 9, 0)},
        SeriesKey("errors", "abandoned"): {SHORT: Counts(70, 0, 11, 0)},
        SeriesKey("errors", "refused"): {SHORT: Counts(100, 0, 30, 0)},
    }


def test_remembered_answers_neither_hide_what_one_revision_computes_worse_nor_make_it_look_so() -> None:
    """Of the stable one's requests nine of ten are remembered, of the canary's none; both fail and lose one in ten."""
    outcomes = {"ok": 80, "error": 10, "cancelled": 10}
    canary = [counter(REQUESTS, 10, 10, 10 + grown, label=outcome) for outcome, grown in outcomes.items()]
    stable = [counter(REQUESTS, 10, 10, 10 + 2 * n, label=name, revision=STABLE) for name, n in outcomes.items()]
    remembered = counter(REQUESTS, 10, 10, 1810, label="remembered", revision=STABLE)
    [interval] = counted(*canary, *stable, remembered)
    assert interval[ERRORS][SHORT] == Counts(90, 180, 10, 20)
    assert interval[SeriesKey("errors", "abandoned")][SHORT] == Counts(100, 200, 10, 20)
    assert interval[SeriesKey("errors", "refused")][SHORT] == Counts(100, 2000, 0, 0)


def test_what_is_refused_is_so_of_all_requests_however_many_are_remembered() -> None:
    canary = [ok(10, 10, 105), counter(REQUESTS, 0, 0, 5, label="invalid")]
    stable = [
        counter(REQUESTS, 0, 0, n, label=name, revision=STABLE) for name, n in (("remembered", 95), ("invalid", 5))
    ]
    [interval] = counted(*canary, *stable)
    assert interval[SeriesKey("errors", "refused")][SHORT] == Counts(100, 100, 5, 5)


def test_a_replica_whose_callers_all_give_up_has_traffic() -> None:
    [interval] = counted(counter(REQUESTS, 10, 10, 110, label="cancelled"), ok(10, 10, 10))
    assert interval[SeriesKey("errors", "abandoned")][SHORT] == Counts(100, 0, 100, 0)
    assert ERRORS not in interval


def test_a_batch_that_fails_with_all_its_requests_is_one_incident_and_as_many_requests() -> None:
    [interval] = counted(
        ok(10, 10, 68),
        counter(REQUESTS, 0, 0, 32, label="error"),
        counter(INCIDENTS, 0, 0, 1),
    )
    assert interval[ERRORS][SHORT] == Counts(90, 0, 1, 0)
    assert interval[SeriesKey("errors", "requests")][SHORT] == Counts(90, 0, 32, 0)


def test_a_server_that_counts_no_incidents_is_compared_by_what_both_count() -> None:
    canary = [ok(10, 10, 68), counter(REQUESTS, 0, 0, 32, label="error"), counter(INCIDENTS, 0, 0, 1)]
    stable = [ok(10, 10, 68, revision=STABLE), counter(REQUESTS, 0, 0, 32, label="error", revision=STABLE)]
    [interval] = counted(*canary, *stable)
    assert interval[ERRORS][SHORT] == Counts(90, 90, 32, 32)


def test_latency_has_a_part_for_each_bound_and_counts_what_is_slower() -> None:
    bounds = {"0.1": 60, "1.0": 95, ALL: 100}
    counters = [counter(DURATION, 20, 20, 20 + grown, label=bound) for bound, grown in bounds.items()]
    [interval] = counted(*counters, signal="latency")
    assert interval == {
        SeriesKey("latency", "0.1"): {SHORT: Counts(100, 0, 40, 0)},
        SeriesKey("latency", "1.0"): {SHORT: Counts(100, 0, 5, 0)},
    }


def test_out_of_memory_is_counted_per_batch() -> None:
    [interval] = counted(counter(BATCHES, 1, 5, 15), counter(OOM, 0, 0, 2), signal="oom")
    assert interval == {SeriesKey("oom", "batches"): {SHORT: Counts(10, 0, 2, 0)}}


def test_a_counter_that_is_first_seen_beside_others_began_at_zero() -> None:
    [interval] = counted(ok(10, 20, 30), counter(REQUESTS, None, None, 5, label="error"))
    assert interval[ERRORS][SHORT] == Counts(15, 0, 5, 0)


def test_bad_events_that_are_read_ahead_of_their_exposures_are_no_more_than_those() -> None:
    [interval] = counted(counter(BATCHES, 1, 5, 6), counter(OOM, 0, 0, 2), signal="oom")
    assert interval[SeriesKey("oom", "batches")][SHORT] == Counts(1, 0, 1, 0)


@pytest.mark.parametrize(
    ("seconds", "slow"),
    [
        pytest.param(0.05, 40, id="below all bounds"),
        pytest.param(0.1, 40, id="a bound"),
        pytest.param(0.25, 5, id="between two"),
        pytest.param(60, None, id="above all of them"),
    ],
)
def test_a_tiers_objective_is_a_part_of_its_own(seconds: float, slow: float | None) -> None:
    bounds = {"0.1": 60, "1.0": 95, ALL: 100}
    counters = {
        key: values
        for bound, grown in bounds.items()
        for key, values in counter(DURATION, 20, 20 + grown, label=bound).items()
    }
    measurements = Measurements(NOW, (NOW, NOW + STEP), {"latency": counters})
    objectives = {"short": timedelta(seconds=seconds), "long": timedelta(seconds=9)}
    [interval] = intervals(measurements, CANARY, STABLE, objectives)
    expected = None if slow is None else {SHORT: Counts(100, 0, slow, 0)}
    assert interval.counts.get(SeriesKey("latency", "objective")) == expected


LE = {
    "a bucket of another release": {CANARY: ("0.2", ALL), STABLE: ("0.1", "0.25", ALL)},
    "no number": {CANARY: ("x", "0.1", ALL), STABLE: ("0.1", ALL)},
    "no bound": {CANARY: ("NaN", "-Inf", "-1", "1e999", "0.1", ALL), STABLE: ("0.1", ALL)},
}


@pytest.mark.parametrize("bounds", LE.values(), ids=LE.keys())
def test_odd_bounds_of_a_histogram_stop_nothing(bounds: dict[str, tuple[str, ...]]) -> None:
    """Labels are what a pod says of itself: they may be anything."""
    counters = {
        Counter(revision, "a", tier, DURATION, bound): (20.0, 120.0)
        for tier, revision in (("short", CANARY), ("long", STABLE))
        for bound in bounds[revision]
    }
    measurements = Measurements(NOW, (NOW, NOW + STEP), {"latency": counters})
    objectives = {"short": timedelta(milliseconds=100), "long": timedelta(milliseconds=100)}
    [interval] = intervals(measurements, CANARY, STABLE, objectives)
    assert {key.part for key in interval.counts} <= {"0.1", "0.2", "0.25", "objective"}
    assert interval.counts[SeriesKey("latency", "objective")].keys() == {SHORT, LONG}


def test_a_histogram_without_a_bound_counts_nothing() -> None:
    assert counted(counter(DURATION, 20, 120, 220, label="-Inf"), signal="latency") == [{}]


def test_an_objective_is_compared_by_a_bucket_that_both_revisions_have() -> None:
    counters = {
        Counter(revision, "a", "short", DURATION, bound): (20.0, 120.0)
        for revision, bounds in ((CANARY, ("0.2", "0.5", ALL)), (STABLE, ("0.3", "0.5", ALL)))
        for bound in bounds
    }
    measurements = Measurements(NOW, (NOW, NOW + STEP), {"latency": counters})
    [interval] = intervals(measurements, CANARY, STABLE, {"short": timedelta(milliseconds=150)})
    assert interval.counts[SeriesKey("latency", "objective")][SHORT] == Counts(100, 100, 0, 0)


@pytest.mark.parametrize("value", [1.7e308, -5.0], ids=["beyond all counting", "below zero"])
def test_a_value_that_no_counter_has_is_not_known(value: float) -> None:
    assert canary_requests(ok(100, 200, value, 400), ok(100, 200, value, 400, replica="b")) == [0, 400]


def test_a_replicas_first_answers_do_not_count_as_slow() -> None:
    """They count as failed, if they are: nothing fails for being first."""
    slow = [counter(DURATION, 0, 5, 25, 45, label=ALL), counter(DURATION, 0, 0, 0, 0, label="0.1")]
    assert [interval != {} for interval in counted(*slow, signal="latency", judged=0)] == [False, False, True]
    failed = counter(REQUESTS, 0, 5, 25, 45, label="error")
    assert [interval != {} for interval in counted(failed, judged=0)] == [True, True, True]


def test_a_restarted_replica_has_first_answers_again() -> None:
    slow = [counter(DURATION, 900, 960, 5, 25, 45, label=ALL), counter(DURATION, 0, 0, 0, 0, 0, label="0.1")]
    assert [interval != {} for interval in counted(*slow, signal="latency", judged=0)] == [True, False, False, True]


def test_nothing_is_counted_of_what_was_judged_before() -> None:
    assert len(counted(ok(*STEADY), judged=3)) == 1


GROWTH = st.one_of(st.none(), st.just("restart"), st.integers(0, 50))
"""What a replica does until the next moment: it cannot be read, it restarts, or it answers so many requests."""


@given(lives=st.lists(st.lists(GROWTH, min_size=8, max_size=8), min_size=1, max_size=4), cut=st.integers(3, 6))
def test_no_request_is_counted_twice_however_the_looks_are_cut(lives: list[list[int | str | None]], cut: int) -> None:
    counters = [ok(*_read(life), replica=str(index)) for index, life in enumerate(lives)]
    happened = sum(step for life in lives for step in life if isinstance(step, int))
    whole = sum(canary_requests(*counters))
    assert 0 <= whole <= happened
    first = [{key: values[: cut + 1] for key, values in one.items()} for one in counters]
    second = [{key: values[cut - 1 :] for key, values in one.items()} for one in counters]
    assert sum(canary_requests(*first)) + sum(canary_requests(*second)) <= happened


@given(life=st.lists(st.integers(1, 50), min_size=4, max_size=12), cut=st.integers(2, 20))
def test_a_steady_replica_is_counted_the_same_however_the_looks_are_cut(life: list[int], cut: int) -> None:
    values = _read(life)
    cut = min(cut, len(values) - 2)
    parts = canary_requests(ok(*values[: cut + 1])) + canary_requests(ok(*values[cut - 1 :]))
    assert parts == canary_requests(ok(*values)) == life[1:]


def _read(life: Sequence[int | str | None]) -> list[float | None]:
    """The counter at each moment."""
    values: list[float | None] = [1]
    total = 1
    for step in life:
        total = 0 if step == "restart" else total + (step if isinstance(step, int) else 0)
        values.append(None if step is None else total)
    return values


def answered(
    revision: str, sizes: Mapping[str, tuple[float | None, ...]], *, tells_sizes: bool = True
) -> dict[Counter, Values]:
    """Requests by the size of their bodies at each moment, all of them slower than 0.1 s."""

    def histogram(metric: str, size: str, values: Values) -> dict[Counter, Values]:
        none_within = tuple(value and 0.0 for value in values)
        return {
            Counter(revision, "a", "short", metric, "0.1", size): none_within,
            Counter(revision, "a", "short", metric, ALL, size): values,
        }

    whole = tuple(sum(value or 0.0 for value in values) for values in zip(*sizes.values(), strict=True))
    by_size = [histogram(DURATION_BY_SIZE, size, values) for size, values in sizes.items()] if tells_sizes else []
    return {key: value for one in (histogram(DURATION, "", whole), *by_size) for key, value in one.items()}


SLOWER = SeriesKey("latency", "0.1")


def test_latencies_are_compared_by_size_within_a_tier() -> None:
    canary = answered(CANARY, {"256": (20, 20, 21), "8192": (20, 20, 29)})
    stable = answered(STABLE, {"256": (20, 20, 28), "512": (20, 20, 22)})
    [interval] = counted(canary, stable, signal="latency")
    assert interval[SLOWER] == {
        Stratum("short", "256"): Counts(1, 8, 1, 8),
        Stratum("short", "8192"): Counts(9, 0, 9, 0),
        Stratum("short", "512"): Counts(0, 2, 0, 2),
    }


def test_a_size_that_was_never_asked_for_before_counts_from_its_first_request_on() -> None:
    canary = answered(CANARY, {"256": (20, 20, 20), "8192": (None, None, 3)})
    [interval] = counted(canary, answered(STABLE, {"256": (20, 20, 20)}), signal="latency")
    assert interval[SLOWER] == {Stratum("short", "8192"): Counts(3, 0, 3, 0)}


@pytest.mark.parametrize("older", [CANARY, STABLE], ids=["the canary's", "stable's"])
def test_where_one_release_tells_no_sizes_latencies_are_compared_by_tier(older: str) -> None:
    """Otherwise nothing of the canary would have its like: it would neither be promoted nor be found slow."""
    sizes = {"256": (20, 20, 21), "8192": (20, 20, 29)}
    sides = [answered(revision, sizes, tells_sizes=revision != older) for revision in (CANARY, STABLE)]
    [interval] = counted(*sides, signal="latency")
    assert interval[SLOWER] == {SHORT: Counts(10, 10, 10, 10)}


def test_a_canary_that_has_answered_nothing_yet_leaves_stables_sizes_apart() -> None:
    """What stable did meanwhile waits for the canary's requests, which will have sizes."""
    stable = answered(STABLE, {"256": (20, 20, 28)})
    [interval] = counted(answered(CANARY, {"256": (0, 0, 0)}, tells_sizes=False), stable, signal="latency")
    assert interval[SLOWER] == {Stratum("short", "256"): Counts(0, 8, 0, 8)}


def test_a_server_that_starts_anew_is_not_compared_by_size_before_it_is_warm() -> None:
    """Its series of sizes are gone, and come back one by one; what it answers first is slow for reasons of its own."""
    canary = answered(CANARY, {"256": (500, 500, None, None), "8192": (None, None, 15, 45)})
    stable = answered(STABLE, {"256": (500, 500, 510, 520)})
    first, then = counted(canary, stable, signal="latency")
    assert Stratum("short", "8192") not in first[SLOWER]
    assert Stratum("short", "8192") not in then[SLOWER]
