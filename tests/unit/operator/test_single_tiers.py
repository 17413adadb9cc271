"""A fault of one tier is found, and never promoted, however the others look; what seldom meets is compared."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from math import log

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
    dispersion,
    from_status,
    judge,
    mixture,
    to_status,
)
from strata import EARLY, SHORT

SETTINGS = AnalysisSettings(tiers=3)
START = datetime(2026, 1, 1, tzinfo=UTC)
STEP = SETTINGS.interval
SLOW = SeriesKey("latency", "0.25")
SERVED = (INCIDENTS, FAILURES, ABANDONED, REFUSED)

Strata = dict[SeriesKey, dict[Stratum, Counts]]


def served(tier: str, canary: float, stable: float, *, failed: float = 0, slow: tuple[float, float] = (0, 0)) -> Strata:
    """One interval of one tier: requests, those that fail on the canary, and those that take longer than a bucket."""
    stratum = Stratum(tier)
    counts: Strata = {key: {stratum: Counts(canary, stable, 0, 0)} for key in SERVED}
    counts[INCIDENTS] = counts[FAILURES] = {stratum: Counts(canary, stable, failed, 0)}
    counts[BATCHES] = {stratum: Counts(canary / 2, stable / 2, 0, 0)}
    return {**counts, SLOW: {stratum: Counts(canary - failed, stable, *slow)}}


def together(*tiers: Strata) -> Strata:
    keys = {key for tier in tiers for key in tier}
    return {key: {name: counts for tier in tiers for name, counts in tier.get(key, {}).items()} for key in keys}


def watched(*seen: Strata, settings: AnalysisSettings = SETTINGS) -> tuple[Verdict, Evidence]:
    """The first verdict that decides, else the last, of one interval after the other."""
    evidence, verdict = Evidence.fresh("canary", START), Verdict("Undecided", "", "", "")
    for number, counts in enumerate(seen):
        start = START + number * STEP
        evidence = evidence.updated(Interval(start, start + STEP, counts), settings)
        verdict = judge(evidence, settings)
        if verdict.decision != "Undecided":
            break
    return verdict, evidence


LONG = served("long", 10, 90, slow=(10, 90))
"""All of its requests take longer than the bucket, on both sides."""


def test_a_tier_that_becomes_slower_is_found_beside_one_that_was_always_slow() -> None:
    worse = together(served("short", 40, 360, slow=(12, 36)), served("medium", 50, 450, slow=(25, 225)), LONG)
    verdict, _ = watched(*[worse] * 60)
    assert (verdict.decision, verdict.reason) == ("Rollback", "HigherLatency")
    assert verdict.message.startswith("tier short: slower than 250 ms: 30 % of ")
    all_together, _ = watched(*[worse] * 60, settings=replace(SETTINGS, tiers=1))
    assert all_together.decision != "Rollback", "or there would be no need of the tiers by themselves"


def test_all_tiers_that_become_slower_are_told_as_all() -> None:
    worse = together(served("short", 40, 360, slow=(16, 72)), served("medium", 50, 450, slow=(20, 90)))
    verdict, _ = watched(*[worse] * 60)
    assert verdict.message.startswith("slower than 250 ms: 40 % of ")


def test_a_good_canary_of_three_tiers_is_promoted_as_soon_as_of_one() -> None:
    good = together(served("short", 70, 630, slow=(7, 63)), served("long", 30, 270, slow=(30, 270)))
    assert watched(*[good] * 12)[0].decision == "Promote"


@pytest.mark.parametrize(("failed", "decision"), [(0, "Promote"), (1, "Undecided")])
def test_a_tier_that_was_asked_once_and_failed_holds_a_promotion(failed: int, decision: str) -> None:
    good = served("short", 100, 900, slow=(10, 90))
    once = together(good, served("long", 1, 9, failed=failed))
    verdict, _ = watched(once, *[good] * 20)
    assert verdict.decision == decision
    held = "tier long: errors 100 % of 1 canary requests against 0 % of 9 on stable: not promoted while that is more"
    assert verdict.message.startswith(held if failed else "no worse than stable")


def test_a_tier_that_fails_and_that_stable_was_not_asked_for_holds_a_promotion() -> None:
    good = served("short", 100, 900, slow=(10, 90))
    verdict, _ = watched(together(good, served("long", 2, 0, failed=2)), *[good] * 20)
    assert verdict.decision == "Undecided"
    assert verdict.message.startswith("tier long: errors 100 % of 2 canary requests against 0 % of 0 on stable: not")


def test_a_tier_that_fails_at_everything_is_taken_back_though_it_is_seldom_asked() -> None:
    good = served("short", 100, 900, slow=(10, 90))
    seldom = together(good, served("long", 1, 4, failed=1))
    verdict, _ = watched(*[seldom, good, good] * 8)
    assert (verdict.decision, verdict.reason) == ("Rollback", "MoreErrors")
    assert verdict.message.startswith("tier long: errors 100 % of ")


def test_a_tier_that_fails_as_much_on_both_holds_nothing() -> None:
    good = served("short", 100, 900, slow=(10, 90))
    both = together(good, served("long", 1, 9))
    both[INCIDENTS][Stratum("long")] = both[FAILURES][Stratum("long")] = Counts(1, 9, 1, 9)
    both[SLOW].pop(Stratum("long"))
    assert watched(both, *[good] * 20)[0].decision == "Promote"


def early(canary: float, *, refused: bool) -> Strata:
    """Requests of the canary that end before their tier is found out: refused, or failed."""
    counts = {key: {EARLY: Counts(canary, 0, 0, 0)} for key in SERVED}
    for key in (REFUSED,) if refused else (INCIDENTS, FAILURES):
        counts[key] = {EARLY: Counts(canary, 0, canary, 0)}
    return {REFUSED: counts[REFUSED]} if refused else counts


@pytest.mark.parametrize("tiers", [1, 3], ids=["one tier", "three tiers"])
@pytest.mark.parametrize("refused", [True, False], ids=["refused", "failed"])
def test_a_canary_that_ends_all_requests_before_their_tier_is_known_is_taken_back(refused: bool, tiers: int) -> None:
    worse = together(served("short", 0, 300), early(100, refused=refused))
    verdict, _ = watched(*[worse] * 30, settings=replace(SETTINGS, tiers=tiers))
    assert (verdict.decision, verdict.reason) == ("Rollback", "MoreErrors")


def test_what_ends_early_on_both_sides_alike_is_no_evidence() -> None:
    both = together(served("short", 100, 300, slow=(10, 30)), early(1, refused=False))
    for key in (INCIDENTS, FAILURES):
        both[key][EARLY] = Counts(1, 3, 1, 3)
    verdict, evidence = watched(*[both] * 60)
    assert verdict.decision != "Rollback"
    assert evidence.series[FAILURES].stable_rate == pytest.approx(0.01, rel=0.02)


def test_what_only_one_side_saw_is_compared_with_what_the_other_sees_later() -> None:
    """A request every five minutes on either side, by turns; each of the canary's fails."""
    canary, stable = served("short", 1, 0, failed=1), served("short", 0, 1)
    verdict, evidence = watched(*[canary, {}, stable, {}] * 30)
    assert (verdict.decision, verdict.reason) == ("Rollback", "MoreErrors")
    assert evidence.series[FAILURES].canary_bad < 20


def test_what_waits_is_part_of_what_was_seen_and_of_no_evidence() -> None:
    _, evidence = watched(served("short", 3, 0, failed=3))
    series = evidence.series[FAILURES]
    assert (series.canary, series.canary_bad, series.compared, series.log_evidence) == (3, 3, 0, 0)
    assert evidence.waiting[FAILURES][SHORT] == Counts(3, 0, 3, 0)


def test_it_goes_through_status_whole() -> None:
    _, evidence = watched(together(served("short", 5, 40, failed=1), served("long", 3, 0)), served("medium", 0, 7))
    assert {key.tier for key in evidence.series} == {"", "short", "medium", "long"}
    assert from_status(to_status(evidence)) == evidence


def test_a_server_that_invents_tiers_does_not_fill_the_status() -> None:
    """The API server refuses a status with more than 512 of these, or a name of more than as many characters."""
    invented = [
        together(*(served(f"{number}-{tier}", 5, 40 * (tier % 2)) for tier in range(50))) for number in range(9)
    ]
    _, evidence = watched(together(served("x" * 600, 5, 40)), *invented)
    told = to_status(evidence)
    assert max(len(told["series"]), len(told["waiting"])) < 256
    assert max(len(entry.get("tier", "")) for entry in told["series"] + told["waiting"]) < 512


def test_the_evidence_of_one_tier_is_worth_the_same_when_the_others_are_silent() -> None:
    """Half of the mean is that of all together, and of the other half each tier has its share: 1 where nothing was."""
    once = served("short", 10, 90, failed=1)
    verdict, evidence = watched(once)
    of_all, of_tier = evidence.series[INCIDENTS], evidence.series[INCIDENTS._replace(tier="short")]
    assert of_all.log_ratios == of_tier.log_ratios
    single, _ = watched(once, settings=replace(SETTINGS, tiers=1))
    [alone] = [figures.evidence for figures in single.signals if figures.name == "errors"]
    [found] = [figures.evidence for figures in verdict.signals if figures.name == "errors"]
    own = 2.718281828459045**of_tier.log_evidence
    assert found == pytest.approx((alone + (own + 1 + 1) / 3) / 2)


def test_a_caller_of_longer_texts_who_is_with_one_revision_at_a_time_is_no_evidence_of_a_tier() -> None:
    """A minute with the canary, a minute with stable: within a class of lengths each is compared with its like."""
    usual, longer = Stratum("short", "64"), Stratum("short", "2048")
    here, there = {longer: Counts(10, 0, 10, 0)}, {longer: Counts(0, 10, 0, 10)}
    good = served("short", 100, 100, slow=(1, 1))
    minutes = [
        {**good, SLOW: {usual: Counts(100, 100, 1, 1), **(here if minute % 2 == 0 else there)}} for minute in range(10)
    ]
    verdict, evidence = watched(*[minute for minute in minutes for _ in range(6)])
    assert verdict.decision != "Rollback"
    assert evidence.series[SLOW._replace(tier="short")].log_evidence <= 0


def test_what_waits_of_a_length_is_kept_in_status() -> None:
    evidence = Evidence.fresh("canary", START)
    waits = {SLOW: {Stratum("short", "2048"): Counts(10, 0, 10, 0), Stratum("short", "64"): Counts(3, 0, 0, 0)}}
    evidence = evidence.updated(Interval(START, START + STEP, waits), SETTINGS)
    read = from_status(to_status(evidence))
    assert read == evidence
    assert read.waiting[SLOW] == waits[SLOW]


def test_a_length_that_status_has_no_room_for_does_not_wait() -> None:
    """A server may put anything on its metrics; a status that the API refuses would stop the rollout."""
    waits = {SLOW: {Stratum("short", "9" * 17): Counts(10, 0, 10, 0), Stratum("short", "64"): Counts(3, 0, 0, 0)}}
    evidence = Evidence.fresh("canary", START).updated(Interval(START, START + STEP, waits), SETTINGS)
    assert list(evidence.waiting[SLOW]) == [Stratum("short", "64")]


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        # Of 100 bad ones 80 are the canary's; 100 of 200 are bad, so η = 1 / (1 + 0.5² · 50).
        pytest.param(Counts(100, 100, 80, 20), (80, 20, 0.5**2 * 50), id="half of all: by the slow ones"),
        # Of 25 quick ones 25 are stable's, and of the canary's 12.5 were to be: η = 1 / (1 + 0.875² · 12.5).
        pytest.param(Counts(100, 100, 100, 75), (25, 0, 0.875**2 * 12.5), id="most: by the quick ones"),
        pytest.param(Counts(100, 100, 100, 81), (0, 0, 0), id="nearly all: not at all"),
        # Most of the requests are the canary's, and all of those are slow: of stable's five, five are quick.
        pytest.param(Counts(95, 5, 95, 0), (5, 0, 0.95**2 * 0.25), id="a canary with nearly all requests"),
    ],
)
def test_a_bucket_is_judged_by_the_rarer_of_slow_and_quick_ones(
    counts: Counts, expected: tuple[int, int, float]
) -> None:
    """L(ψ) = x ln(θ(ψ)/θ(ψ0)) + y ln((1-θ(ψ))/(1-θ(ψ0))); of quick ones with stable's share."""
    worse, others, excess = expected
    evidence = Evidence.fresh("canary", START)
    evidence = evidence.updated(Interval(START, START + STEP, {SLOW: {SHORT: counts}}), SETTINGS)
    share = counts.stable / (counts.canary + counts.stable)
    tolerated = 1.25 * share / (1.25 * share + 1 - share)
    for gained, ratio in zip(evidence.series[SLOW].log_ratios, mixture.RATIOS, strict=True):
        theta = ratio * 1.25 * share / (ratio * 1.25 * share + 1 - share)
        ratios = worse * log(theta / tolerated) + others * log((1 - theta) / (1 - tolerated))
        assert gained == pytest.approx(min(ratios / (1 + excess), dispersion.most(SLOW, SETTINGS)))


def test_a_class_of_which_all_take_long_on_both_sides_hides_no_fault_of_the_others() -> None:
    """Half of the requests take half a second on either side; of the others half become as slow at the canary."""
    usual, longer = Stratum("short", "64"), Stratum("short", "2048")
    slow = {SLOW: {usual: Counts(50, 150, 25, 2), longer: Counts(50, 150, 50, 150)}}
    verdict, evidence = watched(*[slow] * 9)
    assert verdict.reason == "HigherLatency"
    assert evidence.series[SLOW].canary <= 900


def test_what_is_compared_with_nothing_says_nothing_of_how_common_slow_answers_are() -> None:
    """Stable alone serves longer texts, all of them slow, and more of them than of those that both serve."""
    both, alone = Stratum("short", "64"), Stratum("long of stable", "2048")
    slow = {SLOW: {both: Counts(100, 300, 20, 6), alone: Counts(0, 400, 0, 400)}}
    verdict, evidence = watched(*[slow] * 9)
    assert verdict.reason == "HigherLatency"
    assert evidence.series[SLOW].canary <= 900


def test_a_first_interval_that_is_alike_does_not_outweigh_what_follows() -> None:
    alike, worse = ({SLOW: {SHORT: Counts(1000, 3000, bad, 2000)}} for bad in (667, 1000))
    verdict, _ = watched(alike, *[worse] * 9)
    assert verdict.reason == "HigherLatency"


def test_what_is_refused_before_its_tier_is_known_is_a_share_of_all_requests() -> None:
    """Of 100 on either side 55 are refused, all of them early: more than half, and no more than all of them."""
    counts = {REFUSED: {SHORT: Counts(45, 45, 0, 0), EARLY: Counts(55, 55, 55, 55)}}
    _, evidence = watched(*[counts] * 3)
    series = evidence.series[REFUSED]
    assert series.compared == 300
    assert series.stable_rate == pytest.approx(0.55)


def test_half_a_millisecond_more_beside_a_bucket_s_bound_is_no_fault() -> None:
    """All take 24.5 ms and some more: 90 % longer than 25 ms. At the canary all take half a millisecond more."""
    slow = {SLOW: {SHORT: Counts(100, 300, 100, 271)}}
    verdict, evidence = watched(*[slow] * 180)
    assert verdict.reason != "HigherLatency"
    assert evidence.series[SLOW].log_evidence <= 0


def test_a_canary_that_is_twice_as_slow_beside_a_heavy_tail_is_found_in_five_intervals() -> None:
    """Both have as many that take long for other reasons. By further slow ones alone it took fifteen."""
    of_stable = {"0.01": 100, "0.015": 75, "0.025": 34, "0.04": 22, "0.06": 12, "0.1": 5, "0.25": 1, "1": 0, "60": 0}
    of_canary = {"0.01": 50, "0.015": 50, "0.025": 50, "0.04": 34, "0.06": 14, "0.1": 6, "0.25": 1, "1": 0, "60": 0}
    slow = {
        SeriesKey("latency", bound): {SHORT: Counts(50, 100, of_canary[bound], of_stable[bound])} for bound in of_stable
    }
    verdict, evidence = watched(*[slow] * 30)
    assert verdict.reason == "HigherLatency"
    assert evidence.series[SeriesKey("latency", "0.25")].canary <= 250
