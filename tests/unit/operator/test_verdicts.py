"""Verdicts over whole rollouts, with the words that are read at night."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from plimsoll_operator.rollout.evidence import (
    AnalysisSettings,
    Counts,
    Evidence,
    Interval,
    Pods,
    SeriesKey,
    Verdict,
    judge,
    step_is_done,
)
from strata import SHORT

SETTINGS = AnalysisSettings()
START = datetime(2026, 1, 1, tzinfo=UTC)
STEP = timedelta(seconds=10)
ERRORS, SLOW, BATCHES = SeriesKey("errors"), SeriesKey("latency", "0.25"), SeriesKey("oom", "batches")
GOOD = {ERRORS: Counts(100, 900, 0, 0), SLOW: Counts(100, 900, 10, 90), BATCHES: Counts(50, 450, 0, 0)}


def watched(*intervals: dict[SeriesKey, Counts], pods: Pods | None = None) -> tuple[Verdict, int]:
    """The first verdict that decides, and after how many intervals; else the last."""
    evidence, verdict = Evidence.fresh("canary", START), Verdict("Undecided", "", "", "")
    for number, counts in enumerate(intervals):
        strata = {key: {SHORT: one} for key, one in counts.items()}
        evidence = evidence.updated(Interval(START + number * STEP, START + (number + 1) * STEP, strata), SETTINGS)
        verdict = judge(evidence, SETTINGS, pods or Pods())
        if verdict.decision != "Undecided":
            return verdict, number + 1
    return verdict, len(intervals)


def test_a_rollout_without_a_bad_event_is_promoted_after_about_five_hundred_requests() -> None:
    verdict, intervals = watched(*[{**GOOD, BATCHES: Counts(25, 225, 0, 0)}] * 20)
    assert verdict.decision == "Promote"
    assert intervals == 5
    assert verdict.message == (
        "no worse than stable in 500 canary requests: oom at most 0.84 % (allowed 1.0 %), errors at most 0.84 % "
        "(allowed 1.0 %), slower than 250 ms at most 17 % (allowed 20 %)"
    )


def test_a_signal_of_which_nothing_could_be_bounded_is_not_told_with_a_bound() -> None:
    verdict, _ = watched(*[{**GOOD, SLOW: Counts(100, 900, 90, 810)}] * 20)
    assert verdict.decision == "Promote"
    assert verdict.message.endswith("latency not bounded, for there was nothing to compare")


@pytest.mark.parametrize(
    ("bad", "signal", "reason", "message"),
    [
        (
            {ERRORS: Counts(100, 900, 4, 1)},
            "errors",
            "MoreErrors",
            "errors 4.0 % of 300 canary requests against 0.11 % of 2,700 on stable: evidence",
        ),
        (
            {SLOW: Counts(100, 900, 60, 90)},
            "latency",
            "HigherLatency",
            "slower than 250 ms: 60 % of 300 canary requests against 10 % of 2,700 on stable: evidence",
        ),
        (
            {BATCHES: Counts(50, 450, 3, 0)},
            "oom",
            "OutOfMemory",
            "out of memory: 6.0 % of 150 canary batches against 0 % of 1,350 on stable: evidence",
        ),
    ],
    ids=["errors", "latency", "oom"],
)
def test_a_worse_canary_is_taken_back_after_three_intervals(
    bad: dict[SeriesKey, Counts], signal: str, reason: str, message: str
) -> None:
    verdict, intervals = watched(*[GOOD | bad] * 20)
    assert (verdict.decision, verdict.signal, verdict.reason) == ("Rollback", signal, reason)
    assert intervals == 3
    assert verdict.message.startswith(message)
    assert verdict.message.endswith(f", rolled back from {SETTINGS.threshold(signal):,.0f} on")


def test_a_broken_stable_revision_holds_no_good_fix_back() -> None:
    """Everything fails on stable, so that nothing of it is timed."""
    fix = {**GOOD, ERRORS: Counts(100, 900, 0, 900), SLOW: Counts(100, 0, 10, 0)}
    verdict, _ = watched(*[fix] * 40)
    assert verdict.decision == "Promote"


def test_a_stable_revision_without_requests_holds_no_good_fix_back() -> None:
    alone = {key: replace(counts, stable=0, stable_bad=0) for key, counts in GOOD.items()}
    verdict, _ = watched(*[alone] * 40)
    assert verdict.decision == "Promote"


def test_latencies_that_cannot_be_compared_yet_hold_a_promotion_up() -> None:
    """The stable revision answers, but where its latencies are is not known."""
    unknown = {**GOOD, SLOW: Counts(100, 0, 10, 0), ERRORS: Counts(100, 9, 0, 0)}
    verdict, _ = watched(*[unknown] * 10)
    assert verdict.decision == "Undecided"
    assert verdict.message == "latency cannot be compared yet; 1,000 canary requests so far"


def test_a_canary_that_answers_nothing_is_never_promoted() -> None:
    silent = {ERRORS: Counts(100, 900, 100, 900), BATCHES: GOOD[BATCHES]}
    verdict, _ = watched(*[silent] * 40)
    assert verdict.decision == "Undecided"
    assert verdict.message == "nothing was measured of latency"


def test_a_failure_that_hits_both_alike_is_no_evidence() -> None:
    verdict, _ = watched(*[{**GOOD, ERRORS: Counts(100, 900, 30, 270)}] * 40)
    assert verdict.decision != "Rollback"


def test_one_moment_in_which_everything_failed_is_forgiven() -> None:
    verdict, _ = watched(*[GOOD] * 3, {**GOOD, ERRORS: Counts(100, 900, 100, 0)}, *[GOOD] * 3)
    assert verdict.decision == "Undecided"


def test_a_pod_that_is_slow_now_and_then_is_no_worse_revision() -> None:
    """Every third interval it is three times as slow, between them somewhat faster."""
    now, then = {**GOOD, SLOW: Counts(100, 900, 30, 90)}, {**GOOD, SLOW: Counts(100, 900, 5, 90)}
    verdict, _ = watched(*[now, then, then] * 10)
    assert verdict.decision != "Rollback"


def test_what_is_still_unknown_is_said_with_figures() -> None:
    verdict, _ = watched(GOOD, GOOD)
    assert verdict.decision == "Undecided"
    assert verdict.message == (
        "out of memory: up to 1.9 % of the canary's requests cannot be ruled out yet, must be below 1.0 %; "
        "200 canary requests so far"
    )


@pytest.mark.parametrize(
    ("pods", "reason"),
    [
        (Pods(canary_kills=3, canary_minutes=6, stable_minutes=70), "OOMKilled"),
        (Pods(canary_kills=2, canary_minutes=6, stable_minutes=60), None),
        (Pods(canary_kills=3, canary_minutes=6, stable_minutes=60), None),
        (Pods(canary_kills=5, canary_minutes=6, stable_minutes=60), "OOMKilled"),
        (Pods(canary_kills=3, canary_minutes=6), None),
        (Pods(canary_kills=3, stable_kills=1, canary_minutes=2, stable_minutes=129_600), "OOMKilled"),
        (Pods(canary_kills=3, stable_kills=1, canary_minutes=6, stable_minutes=100), None),
        (Pods(canary_kills=3, stable_kills=40, canary_minutes=6, stable_minutes=600), None),
        (Pods(canary_shortages=3, canary_batches=60, stable_batches=1500), "OutOfMemory"),
        (Pods(canary_shortages=3, canary_batches=60, stable_batches=1000), None),
        (Pods(canary_shortages=3, stable_shortages=75, canary_batches=60, stable_batches=1500), None),
        (Pods(canary_failed_starts=2), "FailsToStart"),
        (Pods(canary_failed_starts=1), None),
        (Pods(canary_failed_starts=5, stable_failed_starts=1), None),
    ],
    ids=[
        "killed",
        "killed twice",
        "stable not long enough",
        "long enough for five",
        "stable has no past",
        "one old kill of stable",
        "a kill of stable that is not old",
        "stable as often",
        "short of memory",
        "stable not long enough for shortages",
        "stable short of memory as often",
        "crash loop",
        "once",
        "stable's starts too",
    ],
)
def test_kubernetes_counts_decide_without_metrics(pods: Pods, reason: str | None) -> None:
    verdict = judge(Evidence.fresh("canary", START), SETTINGS, pods)
    assert (verdict.reason if verdict.decision == "Rollback" else None) == reason


def test_a_guard_says_what_was_counted() -> None:
    killed = Pods(canary_kills=3, canary_minutes=6, stable_minutes=180)
    verdict = judge(Evidence.fresh("canary", START), SETTINGS, killed)
    assert verdict.message == ("killed for memory 3 times in 6 canary pod-minutes against none in 180 on stable")


def test_a_canary_that_ran_out_of_memory_once_where_stable_never_did_is_not_promoted() -> None:
    """However many requests it has answered since: its server has lowered its line, and trusts it again slowly."""
    short = Pods(canary_shortages=1, canary_batches=60, stable_batches=100_000)
    verdict, _ = watched(*[GOOD] * 40, pods=short)
    assert verdict.decision == "Undecided"
    assert verdict.message == (
        "out of memory once in 60 canary batches against none in 100,000 on stable: not promoted while that is "
        "more than chance"
    )


def test_a_step_takes_requests_and_time() -> None:
    assert step_is_done(50, timedelta(minutes=1), SETTINGS)
    assert not step_is_done(49, timedelta(minutes=1), SETTINGS)
    assert not step_is_done(500, timedelta(seconds=59), SETTINGS)
