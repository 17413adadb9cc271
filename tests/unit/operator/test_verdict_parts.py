"""Verdicts on what a signal is made of: failures that come together, callers who leave, tiers of the canary alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from plimsoll_operator.rollout.evidence import (
    ABANDONED,
    BATCHES,
    FAILURES,
    INCIDENTS,
    REFUSED,
    AnalysisSettings,
    Counts,
    Evidence,
    Interval,
    SeriesKey,
    Stratum,
    Verdict,
    judge,
)
from strata import LONG, PODS, SHORT

SETTINGS = AnalysisSettings()
START = datetime(2026, 1, 1, tzinfo=UTC)
STEP = SETTINGS.interval
SLOW, RESTARTS = SeriesKey("latency", "0.25"), SeriesKey("restarts")

Strata = dict[SeriesKey, dict[Stratum, Counts]]
GOOD: Strata = {
    INCIDENTS: {SHORT: Counts(100, 900, 0, 0)},
    FAILURES: {SHORT: Counts(100, 900, 0, 0)},
    ABANDONED: {SHORT: Counts(100, 900, 0, 0)},
    REFUSED: {SHORT: Counts(100, 900, 0, 0)},
    BATCHES: {SHORT: Counts(50, 450, 0, 0)},
    SLOW: {SHORT: Counts(100, 900, 10, 90)},
}


def watched(counts: Strata, intervals: int, once: Strata | None = None) -> tuple[Verdict, int]:
    """The first verdict that decides, and after how many intervals; else the last. `once` comes with the first."""
    evidence, verdict = Evidence.fresh("canary", START), Verdict("Undecided", "", "", "")
    for number in range(intervals):
        told = {**counts, **(once or {})} if number == 0 else counts
        evidence = evidence.updated(Interval(START + number * STEP, START + (number + 1) * STEP, told), SETTINGS)
        verdict = judge(evidence, SETTINGS)
        if verdict.decision != "Undecided":
            return verdict, number + 1
    return verdict, intervals


def test_a_canary_that_fails_whole_batches_is_not_promoted_for_having_few_incidents() -> None:
    """A tenth of its batches of 32, which is one incident in 320 requests; stable fails 0.2 % of single ones."""
    failing = {
        **GOOD,
        INCIDENTS: {SHORT: Counts(960, 9000, 3, 18)},
        FAILURES: {SHORT: Counts(960, 9000, 96, 18)},
        BATCHES: {SHORT: Counts(30, 300, 0, 0)},
        SLOW: {SHORT: Counts(960, 9000, 96, 900)},
    }
    verdict, _ = watched(failing, 100)
    assert verdict.decision != "Promote"
    [errors] = [figures for figures in verdict.signals if figures.name == "errors"]
    assert (errors.canary_rate, errors.within_bound) == (0.1, False)
    assert errors.bound_bad / errors.bound_exposures == pytest.approx(0.1)


def test_large_batches_must_be_seen_before_they_are_taken_for_good() -> None:
    """Thirteen batches of 32 are more than 409 requests, and say little of a tenth of the batches."""
    full = {**GOOD, BATCHES: {SHORT: Counts(100 / 32, 900 / 32, 0, 0)}}
    assert watched(GOOD, 40)[1] == 5
    assert watched(full, 40) == (watched(full, 40)[0], 27)
    assert watched(full, 40)[0].decision == "Promote"


@pytest.mark.parametrize("answered", [80, 5, 0], ids=["a fifth", "nearly all", "all"])
def test_a_canary_whose_callers_give_up_is_taken_back(answered: int) -> None:
    """What it answered in time is as good as stable's."""
    leaving = {
        **GOOD,
        INCIDENTS: {SHORT: Counts(answered, 900, 0, 0)},
        FAILURES: {SHORT: Counts(answered, 900, 0, 0)},
        ABANDONED: {SHORT: Counts(100, 900, 100 - answered, 1)},
        SLOW: {SHORT: Counts(answered, 900, answered / 10, 90)},
    }
    verdict, intervals = watched(leaving, 60)
    assert (verdict.decision, verdict.reason) == ("Rollback", "MoreErrors")
    assert verdict.message.startswith(f"given up by their callers: {100 - answered} % of")
    assert intervals * STEP <= timedelta(minutes=3)
    assert verdict.requests == 100 * intervals


def test_a_canary_that_refuses_what_stable_serves_is_taken_back() -> None:
    verdict, _ = watched({**GOOD, REFUSED: {SHORT: Counts(100, 900, 50, 9)}}, 60)
    assert verdict.message.startswith("refused as invalid: 50 % of")
    assert verdict.decision == "Rollback"


def test_what_is_remembered_counts_for_no_minimum_and_what_is_refused_does() -> None:
    """30 answered by the model, 1 given up, 2 refused; 967 more from memory, among which those refused are a share."""
    few = {
        **{key: {SHORT: Counts(30, 900, 0, 0)} for key in (INCIDENTS, FAILURES, BATCHES, SLOW)},
        ABANDONED: {SHORT: Counts(31, 901, 1, 1)},
        REFUSED: {SHORT: Counts(1000, 900, 2, 0)},
    }
    verdict, _ = watched(few, 1)
    assert verdict.message == "33 canary requests so far, at least 100 are needed"


@pytest.mark.parametrize("part", [ABANDONED, REFUSED], ids=lambda key: key.part)
def test_callers_who_do_the_same_to_both_move_nothing(part: SeriesKey) -> None:
    verdict, _ = watched({**GOOD, part: {SHORT: Counts(100, 900, 30, 270)}}, 60)
    assert verdict.decision == "Promote"


def test_one_caller_who_stays_with_the_canary_for_the_life_of_a_connection_is_not_its_fault() -> None:
    evidence = Evidence.fresh("canary", START)
    for number in range(60):
        here = Counts(100, 900, 50, 0) if number < 7 else Counts(100, 900, 0, 50)
        told = {**GOOD, ABANDONED: {SHORT: here}}
        evidence = evidence.updated(Interval(START + number * STEP, START + (number + 1) * STEP, told), SETTINGS)
        assert judge(evidence, SETTINGS).decision != "Rollback"


def test_a_tier_that_only_the_canary_serves_does_not_hold_its_latency_up() -> None:
    """Its long texts take their time, and stable has none to compare with."""
    alone = {
        key: {**GOOD[key], LONG: Counts(30, 0, 30 if key == SLOW else 0, 0)} for key in (INCIDENTS, FAILURES, SLOW)
    }
    verdict, _ = watched({**GOOD, **alone}, 60)
    assert verdict.decision == "Promote"
    assert verdict.message.endswith(
        "(allowed 20 %; 23 % of its answers are to texts of lengths that stable did not answer meanwhile)"
    )


def test_errors_in_a_tier_that_only_the_canary_serves_do() -> None:
    alone = {key: {**GOOD[key], LONG: Counts(30, 0, 15, 0)} for key in (INCIDENTS, FAILURES)}
    assert watched({**GOOD, **alone}, 60)[0].decision == "Undecided"


def minutes(canary_restarts: int) -> Strata:
    """An interval of one canary pod and nine stable ones."""
    return {**GOOD, RESTARTS: {PODS: Counts(1 / 6, 9 / 6, canary_restarts, 0)}}


def test_one_restart_is_forgiven_in_time() -> None:
    verdict, intervals = watched(minutes(0), 200, once=minutes(1))
    assert verdict.decision == "Promote"
    assert intervals * STEP == timedelta(minutes=10, seconds=10)


def test_one_restart_is_told_until_it_is_forgiven() -> None:
    verdict, _ = watched(minutes(0), 30, once=minutes(1))
    assert (verdict.decision, verdict.signal) == ("Undecided", "restarts")
    assert verdict.message.startswith("restarted once, which is let pass if it was alone in ten of the canary's")


def test_two_restarts_are_not() -> None:
    verdict, _ = watched(minutes(0), 200, once=minutes(2))
    assert verdict.decision == "Undecided"
    assert verdict.message.startswith("restarted more than twice as often per minute as on stable")


def test_one_kill_for_memory_is_not() -> None:
    killed: Strata = {SeriesKey("oom", "kills"): {PODS: Counts(1 / 6, 9 / 6, 1, 0)}}
    after = {**GOOD, SeriesKey("oom", "kills"): {PODS: Counts(1 / 6, 9 / 6, 0, 0)}}
    assert watched(after, 200, once=killed)[0].decision == "Undecided"
