"""The rule on kills holds the chance that it is given, whoever has been killed before and however often it is asked."""

from __future__ import annotations

import pytest

from plimsoll_operator.rollout.evidence import AnalysisSettings, Pods
from plimsoll_operator.rollout.evidence.guards import killed_too_often

MOST_KILLS = 60


def chance_of_a_false_alarm(settings: AnalysisSettings, times_as_long: float) -> float:
    """That a canary which is killed as often as is tolerated is ever found out, kill by kill, exactly.

    Each kill is the canary's with the same chance; a path ends where the rule takes the canary back.
    """
    exposed = settings.tolerated_ratio
    canarys = exposed / (exposed + times_as_long)
    paths, found = {0: 1.0}, 0.0
    for kills in range(1, MOST_KILLS + 1):
        then: dict[int, float] = {}
        for canary, chance in paths.items():
            for now, step in ((canary + 1, canarys), (canary, 1 - canarys)):
                then[now] = then.get(now, 0.0) + chance * step
        for canary in list(then):
            seen = Pods(canary, kills - canary, canary_minutes=1, stable_minutes=times_as_long)
            if killed_too_often(seen, settings):
                found += then.pop(canary)
        paths = then
    return found


@pytest.mark.parametrize("times_as_long", [1.0, 3.0, 9.0, 11.5, 30.0, 1000.0])
@pytest.mark.parametrize("false_rollback", [0.01, 0.001])
def test_a_good_canary_is_taken_back_for_kills_no_more_often_than_allowed(
    times_as_long: float, false_rollback: float
) -> None:
    settings = AnalysisSettings(false_rollback=false_rollback)
    assert chance_of_a_false_alarm(settings, times_as_long) <= settings.guarded


def test_memory_has_no_more_than_its_quarter_of_the_false_alarms() -> None:
    settings = AnalysisSettings()
    assert settings.guarded + 1 / settings.threshold("oom") == pytest.approx(settings.false_rollback / 4)
    assert settings.threshold("errors") == pytest.approx(400)


@pytest.mark.parametrize(("kills", "expected"), [(1, True), (0, False)])
def test_fewer_kills_are_enough_for_one_who_says_so(kills: int, expected: bool) -> None:
    seen = Pods(canary_kills=kills, canary_minutes=6, stable_minutes=60)
    assert killed_too_often(seen, AnalysisSettings(oom_kills=1)) is expected
