"""What holds of the evidence whatever it is fed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plimsoll_operator.rollout.evidence import (
    AnalysisSettings,
    Counts,
    Evidence,
    Interval,
    SeriesKey,
    Strata,
    Stratum,
    from_status,
    judge,
    to_status,
)
from strata import SHORT

SETTINGS = AnalysisSettings()
START = datetime(2026, 1, 1, tzinfo=UTC)
STEP = timedelta(seconds=10)
ERRORS = SeriesKey("errors")


@st.composite
def some_counts(draw: st.DrawFn, most: int = 10**6) -> Counts:
    canary, stable = draw(st.integers(0, most)), draw(st.integers(0, most))
    return Counts(canary, stable, draw(st.integers(0, canary)), draw(st.integers(0, stable)))


keys = st.sampled_from([ERRORS, SeriesKey("latency", "0.25"), SeriesKey("oom", "batches"), SeriesKey("restarts")])
strata = st.builds(Stratum, st.sampled_from(["short", "long"]), st.sampled_from(["", "128", "256"]))
intervals = st.lists(
    st.dictionaries(keys, st.dictionaries(strata, some_counts(), max_size=3), max_size=4),
    max_size=12,
)


def fed(counts: Sequence[dict[SeriesKey, Strata]], begin: Evidence | None = None) -> Evidence:
    evidence = begin or Evidence.fresh("canary", START)
    for one in counts:
        evidence = evidence.updated(Interval(evidence.until, evidence.until + STEP, one), SETTINGS)
    return evidence


@given(intervals, intervals)
def test_an_operator_that_starts_anew_from_status_goes_on_exactly(first: list, then: list) -> None:  # type: ignore[type-arg]
    reached = fed(first)
    read = from_status(json.loads(json.dumps(to_status(reached))))
    assert read == reached
    assert fed(then, read) == fed(then, reached)


@given(st.lists(some_counts(10**15), max_size=8))
def test_huge_counts_overflow_nothing(counts: list[Counts]) -> None:
    verdict = judge(fed([{ERRORS: {SHORT: one}} for one in counts]), SETTINGS)
    assert all(0 <= figures.evidence <= 1e12 for figures in verdict.signals)


@given(st.lists(st.integers(0, 1000), max_size=20))
def test_a_canary_without_requests_says_nothing(stable_bad: list[int]) -> None:
    evidence = fed([{ERRORS: {SHORT: Counts(0, 1000, 0, bad)}} for bad in stable_bad])
    verdict = judge(evidence, SETTINGS)
    assert verdict.decision == "Undecided"
    assert verdict.reason == "NoRequests"
    assert all(figures.evidence == 1 for figures in verdict.signals)


@given(some_counts(1000), some_counts(1000))
def test_counting_an_interval_twice_changes_nothing(first: Counts, second: Counts) -> None:
    once = Interval(START, START + STEP, {ERRORS: {SHORT: first}})
    evidence = Evidence.fresh("canary", START).updated(once, SETTINGS)
    assert evidence.updated(once, SETTINGS) is evidence
    overlapping = Interval(START + STEP / 2, START + 2 * STEP, {ERRORS: {SHORT: second}})
    assert evidence.updated(overlapping, SETTINGS) is evidence


@pytest.mark.parametrize("length", [timedelta(0), -STEP], ids=["no length", "negative length"])
def test_a_jump_of_the_clock_is_no_interval(length: timedelta) -> None:
    evidence = Evidence.fresh("canary", START)
    jumped = Interval(START, START + length, {ERRORS: {SHORT: Counts(10, 10, 10, 0)}})
    assert evidence.updated(jumped, SETTINGS) is evidence


@given(st.integers(3, 10), st.integers(1, 1000), st.integers(0, 20))
def test_two_intervals_never_decide(pods: int, requests: int, before: int) -> None:
    """However bad: what one fault can do in one moment is no verdict about a revision."""
    good: list[dict[SeriesKey, Strata]] = [{ERRORS: {SHORT: Counts(requests, pods * requests, 0, 0)}}] * before
    bad: list[dict[SeriesKey, Strata]] = [{ERRORS: {SHORT: Counts(requests, pods * requests, requests, 0)}}] * 2
    assert judge(fed([*good, *bad]), SETTINGS).decision != "Rollback"


@pytest.mark.parametrize(
    "counts", [(-1, 1, 0, 0), (1, 1, float("nan"), 0), (1, float("inf"), 0, 0)], ids=["negative", "not a number", "inf"]
)
def test_counts_that_cannot_be_are_refused(counts: tuple[float, float, float, float]) -> None:
    with pytest.raises(ValueError, match="expected counts of zero or more"):
        Counts(*counts)


@pytest.mark.parametrize(
    "stored",
    [
        {},
        {"canary": "a", "since": "soon", "until": "later", "series": []},
        {"canary": "a", "since": "2026-01-01", "until": "2026-01-01", "series": [{"signal": "oom", "state": "1 2"}]},
        {
            "canary": "a",
            "since": "2026-01-01",
            "until": "2026-01-01",
            "series": [{"signal": "oom", "state": "nan " * 14}],
        },
        {"canary": "a", "since": "2026-01-01", "until": "2026-01-01", "series": "none"},
    ],
    ids=["nothing", "no times", "too few numbers", "not numbers", "no list"],
)
def test_a_state_that_cannot_be_read_is_none(stored: dict[str, object]) -> None:
    assert from_status(stored) is None
