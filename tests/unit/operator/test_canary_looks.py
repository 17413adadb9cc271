"""Only time that was looked at counts: a clock that jumps and an operator that was away decide nothing of a canary."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from builders import Cluster
from canaries import Trials, analysed, changed, later, look, rejection_of, served, stalled, watched
from drawn_examples import examples
from measured import Traffic, lose_prometheus, trial, watch
from plimsoll_operator.plan import Plan
from plimsoll_operator.rollout.evidence import Data

MINUTE = timedelta(minutes=1)
HALF_AN_HOUR = timedelta(minutes=30)
TEN_MINUTES = {"maxDuration": "10m", "steps": [10]}
FEW = Traffic(ok=0.2)
JUMPS = [pytest.param(60 * MINUTE, id="an hour on"), pytest.param(-60 * MINUTE, id="an hour back")]


def counted(trials: Cluster) -> timedelta:
    """How much of `maxDuration` is over."""
    return trials.now - datetime.fromisoformat(trials.observed.owner.status["rollout"]["countsFrom"])


# A jump, or nobody there
@pytest.mark.parametrize("data", ["Measured", "NoTraffic", "NoMetrics"])
def test_a_clock_that_jumps_an_hour_decides_nothing(data: Data) -> None:
    settings = {**TEN_MINUTES, "onInconclusive": "Rollback", "onNoData": "Rollback"}
    trials = changed(served(3, canary=settings))
    trials.data = data
    watched(analysed(trials), 8 * MINUTE)
    later(trials, 60 * MINUTE)
    look(trials)
    assert trials.rollout["phase"] == "Analysing"
    watched(trials, MINUTE)
    assert trials.rollout["phase"] == "Analysing"
    watched(trials, 2 * MINUTE)
    assert trials.rollout["phase"] == "RollingBack", "the rest of its time was left, and no more"


def test_a_clock_that_was_set_back_gives_no_time_again() -> None:
    trials = watched(analysed(changed(served(3, canary=TEN_MINUTES))), 8 * MINUTE)
    later(trials, -60 * MINUTE)
    watched(trials, MINUTE)
    assert trials.rollout["phase"] == "Analysing"
    watched(trials, 2 * MINUTE)
    assert trials.rollout["phase"] == "Inconclusive"


def test_good_evidence_after_half_an_hour_with_nobody_there_skips_no_step() -> None:
    trials = analysed(changed(served(9, canary={"maxPods": 16})))
    trials.decision = "Promote"
    later(trials, HALF_AN_HOUR)
    look(trials)
    assert (trials.rollout["phase"], trials.rollout["step"]) == ("Analysing", 1)
    states = trials.until_phase("Promoting")
    assert max(state.owner.status["rollout"]["step"] for state in states[:-1]) == 3


def test_the_message_tells_the_time_that_counted() -> None:
    trials = watched(analysed(changed(served(3, canary=TEN_MINUTES))), 5 * MINUTE)
    later(trials, HALF_AN_HOUR)
    trials.until_phase("Inconclusive", moves=200)
    assert " requests in 600 s showed" in trials.rollout["message"]


@pytest.mark.parametrize("jump", JUMPS)
def test_a_canary_that_is_not_measured_has_its_deadline_while_somebody_looks(jump: timedelta) -> None:
    trials = analysed(changed(served(3, progressDeadline="5m", canary={"steps": [10]})))
    trials.data = "CanaryMissing"
    watched(trials, 4 * MINUTE)
    later(trials, jump)
    look(trials)
    assert trials.rollout["phase"] == "Analysing"
    watched(trials, 2 * MINUTE)
    because = rejection_of(trials.observed, 2)
    assert because is not None
    assert because.reason == "CanaryMissing"


@pytest.mark.parametrize(
    "jump",
    [pytest.param(9 * MINUTE, id="to just before the deadline's end"), *JUMPS],
)
def test_a_canary_that_loads_has_its_deadline_while_somebody_looks(jump: timedelta) -> None:
    trials = changed(served(3, progressDeadline="10m"))
    trials.broken.add("pvc://models/v2")
    look(trials, 4)
    watched(trials, 2 * MINUTE)
    later(trials, jump)
    for _ in range(3):
        look(trials)
        assert stalled(trials) == ("False", "NotStalled")
    assert trials.rollout["phase"] == "Surging"
    trials.broken.clear()
    analysed(trials)


def without_a_gpu(trials: Trials) -> None:
    trials.gpus = 3


def promoting(trials: Trials) -> None:
    analysed(trials).decision = "Promote"
    trials.until_phase("Promoting")
    trials.broken.add("pvc://models/v2")


@pytest.mark.parametrize("waits", [without_a_gpu, promoting])
@pytest.mark.parametrize("jump", JUMPS)
def test_who_waits_has_the_deadline_while_somebody_looks(waits: Callable[[Trials], None], jump: timedelta) -> None:
    trials = changed(served(4, progressDeadline="10m", canary={"steps": [10]}))
    waits(trials)
    look(trials, 6)
    later(trials, jump)
    look(trials, 3)
    assert stalled(trials) == ("False", "NotStalled")
    watched(trials, 7 * MINUTE)
    assert stalled(trials) == ("False", "NotStalled")
    watched(trials, 4 * MINUTE)
    assert stalled(trials) == ("True", "ProgressDeadlineExceeded")


def test_with_looks_that_are_always_too_far_apart_time_goes_by_more_slowly() -> None:
    trials = changed(served(3, progressDeadline="5m"))
    trials.broken.add("pvc://models/v2")
    look(trials, 4)
    began = trials.now
    while trials.rollout["phase"] == "Surging" and trials.now - began < 10 * MINUTE:
        later(trials, timedelta(seconds=75))
        glance(trials)
    assert 5 * MINUTE <= trials.now - began <= 9 * MINUTE
    assert trials.rollout["phase"] == "RollingBack"


# What does not count is taken off once
def test_time_without_prometheus_and_with_nobody_there_is_taken_off_once() -> None:
    cluster = trial(canary=TEN_MINUTES)
    watch(cluster, FEW, FEW, looks=18)
    for _ in range(6):
        lose_prometheus(cluster)
    lose_prometheus(cluster, seconds=1800)
    watch(cluster, FEW, FEW, looks=40)
    assert phase(cluster) == "Analysing"
    watch(cluster, FEW, FEW, looks=4)
    assert phase(cluster) == "Inconclusive"


def test_nobody_there_from_before_prometheus_was_lost_until_it_is_back_is_taken_off_once() -> None:
    cluster = trial(canary=TEN_MINUTES)
    watch(cluster, FEW, FEW, looks=18)
    lose_prometheus(cluster)
    cluster.now += HALF_AN_HOUR
    watch(cluster, FEW, FEW, looks=39)
    assert phase(cluster) == "Analysing"
    watch(cluster, FEW, FEW, looks=4)
    assert phase(cluster) == "Inconclusive"


def phase(cluster: Cluster) -> str:
    return str(cluster.observed.owner.status["rollout"]["phase"])


@pytest.mark.parametrize("jump", JUMPS)
def test_a_pause_in_which_nobody_looked_is_taken_off_once(jump: timedelta) -> None:
    trials = watched(analysed(changed(served(3, canary=TEN_MINUTES))), 4 * MINUTE)
    before = counted(trials)
    changed(trials, paused=True)
    watched(trials, 2 * MINUTE)
    later(trials, jump)
    watched(trials, 2 * MINUTE)
    changed(trials, paused=False)
    look(trials)
    assert abs(counted(trials) - before) <= MINUTE


# How often that is written
@pytest.mark.parametrize("data", ["Measured", "NoMetrics"])
def test_that_it_was_looked_at_is_written_once_an_interval(data: Data) -> None:
    trials = analysed(changed(served(3, canary=TEN_MINUTES)))
    trials.data, trials.rate = data, 0
    look(trials, 2)
    assert writes(trials, minutes=1) == 6


def held(trials: Trials) -> None:
    trials.data = "NoMetrics"
    watched(analysed(trials), 11 * MINUTE)
    assert trials.rollout["heldWithoutData"]


def paused(trials: Trials) -> None:
    changed(analysed(trials), paused=True)


def given_up(trials: Trials) -> None:
    without_a_gpu(trials)
    watched(trials, HALF_AN_HOUR)
    assert stalled(trials) == ("True", "ProgressDeadlineExceeded")


@pytest.mark.parametrize("waits", [held, paused, given_up])
def test_where_no_time_counts_nothing_is_written(waits: Callable[[Trials], None]) -> None:
    trials = changed(served(3, canary=TEN_MINUTES))
    waits(trials)
    look(trials, 12)
    assert writes(trials, minutes=3) == 0
    assert "lookedAt" not in trials.rollout


def writes(trials: Trials, minutes: int) -> int:
    """Of status, with a look at each second."""
    told = 0
    for _ in range(60 * minutes):
        trials.now += timedelta(seconds=1)
        told += glance(trials)
    return told


def glance(trials: Trials) -> bool:
    """A look of which no more than the status is written, and whether it was; no pod moves."""
    plan = trials.plan()
    trials.carry_out(Plan(status=plan.status))
    return plan.status is not None


# Whatever happens
SECONDS = st.one_of(st.integers(1, 60), st.integers(61, 4000), st.integers(-4000, -1))


@examples(40)
@given(waits=st.lists(st.tuples(SECONDS, st.sampled_from(["", "", "", "paused"])), max_size=30))
@example(waits=[(3600, ""), (-3600, ""), (3600, "paused"), (10, "")])
def test_never_more_time_counts_than_was_looked_at(waits: list[tuple[int, str]]) -> None:
    trials = analysed(changed(served(3, canary={"maxDuration": "24h", "steps": [10]})))
    looked, gaps = counted(trials), 0
    for wait, what in waits:
        was_paused = "pausedSince" in trials.rollout
        changed(trials, paused=bool(what))
        trials.now += timedelta(seconds=wait)
        glance(trials)
        if wait > 0 and not was_paused:
            looked += timedelta(seconds=min(wait, 60))
        gaps += not 0 < wait <= 50
    if "pausedSince" in trials.rollout:
        changed(trials, paused=False)
        glance(trials)
    assert looked - gaps * timedelta(seconds=10) <= counted(trials) <= looked
