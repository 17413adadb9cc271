"""The rules on kills and shortages hold the chance they are given, whatever was before and however often one looks."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from plimsoll_operator.rollout.evidence import AnalysisSettings, Pods
from plimsoll_operator.rollout.evidence.guards import killed_too_often, runs_out_more_often, runs_out_too_often

MOST_EVENTS = 60
Found = Callable[[AnalysisSettings, int, int, float], bool]
"""Whether so many events of the canary and of stable are found, where stable has lived so many times as long."""


def kills(settings: AnalysisSettings, canary: int, stable: int, times_as_long: float) -> bool:
    seen = Pods(canary_kills=canary, stable_kills=stable, canary_minutes=1, stable_minutes=times_as_long)
    return killed_too_often(seen, settings)


def shortages(settings: AnalysisSettings, canary: int, stable: int, times_as_long: float) -> bool:
    seen = Pods(canary_shortages=canary, stable_shortages=stable, canary_minutes=1, stable_minutes=times_as_long)
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


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (Pods(canary_minutes=2, stable_minutes=100), False),
        (Pods(canary_shortages=1, canary_minutes=2, stable_minutes=100), True),
        (Pods(canary_shortages=1, canary_minutes=2, stable_minutes=32.1), True),
        (Pods(canary_shortages=1, canary_minutes=2, stable_minutes=31.9), False),
        (Pods(canary_shortages=1, stable_shortages=3, canary_minutes=2, stable_minutes=100), False),
        (Pods(canary_shortages=3, stable_shortages=3, canary_minutes=2, stable_minutes=100), True),
        (Pods(canary_shortages=1, stable_shortages=25, canary_minutes=2, stable_minutes=100), False),
        (Pods(canary_shortages=1, stable_kills=25, canary_minutes=2, stable_minutes=100), False),
        (Pods(canary_shortages=1, canary_minutes=2), False),
    ],
    ids=[
        "never",
        "stable never",
        "stable never in 16 times as long",
        "stable never in less",
        "one of four by chance",
        "three of six by no chance",
        "twice as often",
        "stable is killed",
        "stable has no pods",
    ],
)
def test_what_runs_out_of_memory_more_often_than_stable_is_told_from_what_does_not(seen: Pods, expected: bool) -> None:
    assert runs_out_more_often(seen) is expected
