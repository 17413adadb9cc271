"""The rules on kills and shortages hold the chance they are given, whatever was before and however often one looks."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

import pytest

from plimsoll_operator.rollout.evidence import AnalysisSettings, Meanwhile, Pods
from plimsoll_operator.rollout.evidence.guards import killed_too_often, runs_out_more_often, runs_out_too_often

MOST_EVENTS = 60
NOTHING = Meanwhile()
Found = Callable[[AnalysisSettings, int, int, float], bool]
"""Whether so many events of the canary and of stable are found, where stable was exposed so many times as much."""


def kills(settings: AnalysisSettings, canary: int, stable: int, times_as_long: float) -> bool:
    seen = Pods(canary_kills=canary, stable_kills=stable, canary_minutes=1, stable_minutes=times_as_long)
    return killed_too_often(seen, settings)


def shortages(settings: AnalysisSettings, canary: int, stable: int, times_as_long: float) -> bool:
    seen = Pods(
        canary_shortages=canary,
        stable_shortages=stable,
        canary_batches=1000,
        stable_batches=1000 * times_as_long,
    )
    return runs_out_too_often(seen, settings)


def chance_of_a_false_alarm(found: Found, settings: AnalysisSettings, times_as_long: float) -> float:
    """That a canary which is hit as often as is tolerated is ever found out, event by event, exactly.

    Each event is the canary's with the same chance; a path ends where the rule takes the canary back.
    """
    exposed = settings.tolerated_ratio
    canarys = exposed / (exposed + times_as_long)
    paths, alarms = {0: 1.0}, 0.0
    for events in range(1, MOST_EVENTS + 1):
        then: dict[int, float] = {}
        for canary, chance in paths.items():
            for now, step in ((canary + 1, canarys), (canary, 1 - canarys)):
                then[now] = then.get(now, 0.0) + chance * step
        for canary in list(then):
            if found(settings, canary, events - canary, times_as_long):
                alarms += then.pop(canary)
        paths = then
    return alarms


@pytest.mark.parametrize("times_as_long", [1.0, 3.0, 9.0, 11.5, 30.0, 1000.0])
@pytest.mark.parametrize("false_rollback", [0.01, 0.001])
def test_a_good_canary_is_taken_back_for_its_memory_no_more_often_than_allowed(
    times_as_long: float, false_rollback: float
) -> None:
    settings = AnalysisSettings(false_rollback=false_rollback)
    assert chance_of_a_false_alarm(kills, settings, times_as_long) <= settings.guarded
    assert chance_of_a_false_alarm(shortages, settings, times_as_long) <= settings.guarded_shortages


def test_memory_has_no_more_than_its_quarter_of_the_false_alarms() -> None:
    settings = AnalysisSettings()
    spent = settings.guarded + settings.guarded_shortages + 1 / settings.threshold("oom")
    assert spent == pytest.approx(settings.false_rollback / 4)
    assert settings.threshold("oom") == pytest.approx(1000)
    assert settings.threshold("errors") == pytest.approx(400)


@pytest.mark.parametrize("found", [kills, shortages])
@pytest.mark.parametrize(("events", "expected"), [(1, True), (0, False)])
def test_fewer_are_enough_for_one_who_says_so(found: Found, events: int, expected: bool) -> None:
    assert found(AnalysisSettings(oom_kills=1), events, 0, 10) is expected


def at_night(load: float, meanwhile: Meanwhile = NOTHING, **seen: int) -> Pods:
    """A canary of ten minutes beside three pods of ten hours, whose load was that share of what it is now."""
    return Pods(
        canary_minutes=10,
        stable_minutes=1800,
        canary_batches=100,
        stable_batches=18_000 * load,
        meanwhile=replace(meanwhile, minutes=30, batches=300, measured_minutes=30),
        **seen,
    )


@pytest.mark.parametrize(
    ("load", "kills", "shortages"),
    [
        pytest.param(1.0, 1800, 18_000, id="the same"),
        pytest.param(0.5, 450, 4500, id="half of it"),
        pytest.param(0.1, 30, 300, id="no more like it than the canary's own time"),
        pytest.param(1 / 60, 30, 300, id="none until it began"),
        pytest.param(2.0, 1800, 36_000, id="twice of it"),
        pytest.param(0.0, 1800, 300, id="not measured"),
    ],
)
def test_stables_past_is_as_long_as_it_is_like_the_canarys_time(load: float, kills: int, shortages: int) -> None:
    seen = at_night(load)
    assert seen.kills.stable_exposed == pytest.approx(kills)
    assert seen.shortages.stable_exposed == pytest.approx(shortages)


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        pytest.param(at_night(1.0, canary_kills=3), True, id="under the same load"),
        pytest.param(at_night(0.0, canary_kills=3), True, id="without Prometheus"),
        pytest.param(at_night(1 / 60, canary_kills=3), False, id="after a night without load"),
        pytest.param(at_night(0.2, canary_kills=3), False, id="after a night of a fifth"),
        pytest.param(at_night(1.0, canary_kills=3, stable_kills=1), True, id="an old kill of stable"),
        pytest.param(at_night(1.0, Meanwhile(kills=1), canary_kills=3), False, id="both at once"),
        pytest.param(at_night(1.0, Meanwhile(kills=1), canary_kills=6), True, id="both at once, but it far more"),
        pytest.param(Pods(canary_kills=3, stable_kills=300, stable_minutes=1000), False, id="no minutes of the canary"),
    ],
)
def test_a_peak_that_kills_both_is_no_verdict(seen: Pods, expected: bool) -> None:
    assert killed_too_often(seen, AnalysisSettings()) is expected


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        pytest.param(at_night(1.0, canary_shortages=3), True, id="under the same load"),
        pytest.param(at_night(1 / 60, canary_shortages=3), False, id="after a night without load"),
        pytest.param(at_night(1.0, canary_shortages=3, stable_kills=25), False, id="stable is killed for it"),
        pytest.param(at_night(1.0, Meanwhile(shortages=1), canary_shortages=3), False, id="both at once"),
        pytest.param(
            Pods(canary_shortages=3, canary_batches=100, canary_minutes=10, stable_minutes=4344),
            False,
            id="stable is not measured",
        ),
    ],
)
def test_shortages_are_compared_where_both_were_counted_under_the_same_load(seen: Pods, expected: bool) -> None:
    assert runs_out_too_often(seen, AnalysisSettings()) is expected


def test_two_that_are_killed_alike_after_a_quiet_night_are_hardly_ever_told_apart() -> None:
    """Event by event: each is the canary's by chance, one beside three, and all come within half an hour."""
    settings, alarms, rollouts = AnalysisSettings(), 0, 2000
    draw = random.Random(1)
    for _ in range(rollouts):
        canary = 0
        for events in range(1, 13):
            canary += draw.random() < 1 / 4
            minutes = events * 2.5
            now = Meanwhile(events - canary, 3 * minutes, batches=30 * minutes, measured_minutes=3 * minutes)
            seen = Pods(
                canary_kills=canary,
                stable_kills=events - canary,
                canary_minutes=minutes,
                stable_minutes=3 * (minutes + 14 * 60),
                stable_batches=30 * minutes,
                meanwhile=now,
            )
            if killed_too_often(seen, settings):
                alarms += 1
                break
    assert alarms <= rollouts * settings.false_rollback


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (Pods(canary_batches=2, stable_batches=100), False),
        (Pods(canary_shortages=1, canary_batches=2, stable_batches=100), True),
        (Pods(canary_shortages=1, canary_batches=2, stable_batches=32.1), True),
        (Pods(canary_shortages=1, canary_batches=2, stable_batches=31.9), False),
        (Pods(canary_shortages=1, stable_shortages=3, canary_batches=2, stable_batches=100), False),
        (Pods(canary_shortages=3, stable_shortages=3, canary_batches=2, stable_batches=100), True),
        (Pods(canary_shortages=1, stable_shortages=25, canary_batches=2, stable_batches=100), False),
        (Pods(canary_shortages=1, stable_kills=25, canary_batches=2, stable_batches=100), False),
        (Pods(canary_shortages=1, canary_batches=2), False),
    ],
    ids=[
        "never",
        "stable never",
        "stable never in 16 times as many",
        "stable never in less",
        "one of four by chance",
        "three of six by no chance",
        "twice as often",
        "stable is killed",
        "stable is not measured",
    ],
)
def test_what_runs_out_of_memory_more_often_than_stable_is_told_from_what_does_not(seen: Pods, expected: bool) -> None:
    assert runs_out_more_often(seen) is expected
