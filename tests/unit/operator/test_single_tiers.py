"""A fault of one tier is found, and never promoted, however the others look; what seldom meets is compared."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

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
    Verdict,
    from_status,
    judge,
    to_status,
)

SETTINGS = AnalysisSettings(tiers=3)
START = datetime(2026, 1, 1, tzinfo=UTC)
STEP = SETTINGS.interval
SLOW = SeriesKey("latency", "0.25")
SERVED = (INCIDENTS, FAILURES, ABANDONED, REFUSED)

Strata = dict[SeriesKey, dict[str, Counts]]


def served(tier: str, canary: float, stable: float, *, failed: float = 0, slow: tuple[float, float] = (0, 0)) -> Strata:
    """One interval of one tier: requests, those that fail on the canary, and those that take longer than a bucket."""
    counts: Strata = {key: {tier: Counts(canary, stable, 0, 0)} for key in SERVED}
    counts[INCIDENTS] = counts[FAILURES] = {tier: Counts(canary, stable, failed, 0)}
    counts[BATCHES] = {tier: Counts(canary / 2, stable / 2, 0, 0)}
    return {**counts, SLOW: {tier: Counts(canary - failed, stable, *slow)}}


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
    both[INCIDENTS]["long"] = both[FAILURES]["long"] = Counts(1, 9, 1, 9)
    both[SLOW].pop("long")
    assert watched(both, *[good] * 20)[0].decision == "Promote"


def early(canary: float, *, refused: bool) -> Strata:
    """Requests of the canary that end before their tier is found out: refused, or failed."""
    counts = {key: {"none": Counts(canary, 0, 0, 0)} for key in SERVED}
    for key in (REFUSED,) if refused else (INCIDENTS, FAILURES):
        counts[key] = {"none": Counts(canary, 0, canary, 0)}
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
        both[key]["none"] = Counts(1, 3, 1, 3)
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
    assert evidence.waiting[FAILURES]["short"] == Counts(3, 0, 3, 0)


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
