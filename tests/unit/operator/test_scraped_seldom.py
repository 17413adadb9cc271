"""However seldom Prometheus scrapes, and however late it tells: a bad canary is found, and a good one promoted."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from builders import NOW
from measured import Traffic
from plimsoll_operator.observed import Milestones, Workload
from plimsoll_operator.rollout.evidence import INCIDENTS
from scraped import CANARY, STABLE, Scraper, Trial, pods

GOOD = Traffic(ok=10, failed=0.01, slow=1)
FAILING = Traffic(ok=9.5, failed=0.5, slow=1)
SLOW = Traffic(ok=10, failed=0.01, slow=6)
HALF_AN_HOUR = timedelta(minutes=30)

PROMETHEUS = {
    "every 5 s": Scraper(5),
    "every 15 s": Scraper(15),
    "every 30 s": Scraper(30),
    "every minute": Scraper(60),
    "every minute, both pods at once": Scraper(60, offsets=(0.5,)),
    "every 90 s": Scraper(90),
    "every 5 s, told 4 s late": Scraper(5, late=4),
    "every 10 s, told 5 s late, just before each moment": Scraper(10, late=5, offsets=(0.9, 0.2)),
    "every 10 s, told 12 s late": Scraper(10, late=12),
    "every 30 s, told 45 s late": Scraper(30, late=45),
}


@pytest.mark.parametrize("scraper", PROMETHEUS.values(), ids=PROMETHEUS.keys())
@pytest.mark.parametrize(
    ("canary", "decision"),
    [
        pytest.param(GOOD, "Promote", id="good"),
        pytest.param(FAILING, "Rollback", id="five percent of errors"),
        pytest.param(SLOW, "Rollback", id="six times as many slow answers"),
    ],
)
def test_a_canary_beside_one_stable_pod_is_judged_rightly(scraper: Scraper, canary: Traffic, decision: str) -> None:
    verdict, seconds = Trial(scraper, pods(CANARY, canary) | pods(STABLE, GOOD)).decided(within=HALF_AN_HOUR)
    assert verdict.decision == decision, verdict.message
    assert seconds <= 15 * max(scraper.every, 10)


@pytest.mark.parametrize("canary", [GOOD, FAILING, SLOW], ids=["good", "failing", "slow"])
@pytest.mark.parametrize("every", [1, 5, 10])
def test_where_every_pod_is_scraped_in_each_interval_nothing_takes_longer(canary: Traffic, every: float) -> None:
    measured = pods(CANARY, canary) | pods(STABLE, GOOD, GOOD, GOOD)
    waits = Trial(Scraper(every), measured, stable_pods=3).decided(within=HALF_AN_HOUR)
    never = Trial(Scraper(every), measured, stable_pods=3, tells_when=False).decided(within=HALF_AN_HOUR)
    assert waits == never


@pytest.mark.parametrize("late", [0, 4, 12, 45])
def test_every_request_is_counted_once_however_late_it_is_told(late: float) -> None:
    trial = Trial(Scraper(10, late=late, offsets=(0.9, 0.2)), pods(CANARY, Traffic()) | pods(STABLE, Traffic()))
    for look in range(1, 61):
        trial.look(10 * look + 2)
    judged = (trial.analysis.evidence.until - trial.analysis.evidence.since).total_seconds()
    assert judged >= 600 - late - 20
    # Twenty a second, half of them spoilt: from the last scrape before the first moment to that before the last.
    assert trial.analysis.evidence.series[INCIDENTS].canary == pytest.approx(10 * judged, abs=1)


def test_a_pod_of_the_canary_that_is_not_scraped_holds_its_promotion() -> None:
    scraped = pods(CANARY, GOOD) | pods(STABLE, GOOD)
    verdict, _ = Trial(Scraper(5), scraped, canary_pods=2).decided(within=timedelta(minutes=5))
    assert (verdict.decision, verdict.reason) == ("Undecided", "CanaryMissing")
    assert f"{CANARY}-1 is ready and not measured yet" in verdict.message


def test_a_pod_of_the_canary_that_is_not_scraped_hides_no_harm_of_another() -> None:
    scraped = pods(CANARY, FAILING) | pods(STABLE, GOOD)
    verdict, seconds = Trial(Scraper(5), scraped, canary_pods=2).decided(within=timedelta(minutes=5))
    assert verdict.decision == "Rollback"
    assert seconds <= 60


def test_a_stable_pod_that_is_not_scraped_holds_nothing() -> None:
    scraped = pods(CANARY, GOOD) | pods(STABLE, GOOD)
    verdict, _ = Trial(Scraper(5), scraped, stable_pods=3).decided(within=timedelta(minutes=5))
    assert verdict.decision == "Promote"


def test_somebody_who_only_calls_himself_the_canary_is_not_measured() -> None:
    made_up = {f"{CANARY}-made-up": Traffic(ok=0, failed=50)}
    scraped = pods(CANARY, GOOD) | pods(STABLE, GOOD) | made_up
    verdict, _ = Trial(Scraper(5), scraped).decided(within=timedelta(minutes=5))
    assert verdict.decision == "Promote"


def test_series_that_name_none_of_the_pods_are_no_measurements() -> None:
    """As where a store has its own label `replica`."""
    relabelled = {f"{CANARY}-store": GOOD, f"{STABLE}-store": GOOD}
    trial = Trial(Scraper(5), relabelled)
    trial.pair = replace(trial.pair, canary=_ready_since_long(trial.pair.canary))
    verdict, _ = trial.decided(within=timedelta(minutes=1))
    assert (verdict.decision, verdict.reason) == ("Undecided", "NoMetrics")


def _ready_since_long(workload: Workload) -> Workload:
    since = Milestones(NOW - timedelta(hours=1), ready_changed=NOW - timedelta(hours=1))
    return replace(workload, pods=tuple(replace(pod, milestones=since) for pod in workload.pods))
