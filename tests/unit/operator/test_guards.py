"""The rules on kills and shortages hold the chance they are given, whatever was before and however often one looks."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from math import comb
from typing import Any

import pytest

from plimsoll_operator.rollout.evidence import AnalysisSettings, Gone, Meanwhile, Pods
from plimsoll_operator.rollout.evidence.guards import (
    ends_too_often,
    fails_to_start,
    killed_too_often,
    runs_out_more_often,
    runs_out_too_often,
)

MOST_EVENTS = 60
NOTHING = Meanwhile()
Found = Callable[[AnalysisSettings, int, int, float], bool]
"""Whether so many events of the canary and of stable are found, where stable was exposed so many times as much."""


def kills(settings: AnalysisSettings, canary: int, stable: int, times_as_long: float) -> bool:
    seen = Pods(canary_kills=canary, stable_kills=stable, canary_minutes=1, stable_minutes=times_as_long)
    return killed_too_often(seen, settings)


def ends(settings: AnalysisSettings, canary: int, stable: int, times_as_long: float) -> bool:
    seen = Pods(canary_ends=canary, stable_ends=stable, canary_minutes=1, stable_minutes=times_as_long)
    return ends_too_often(seen, settings)


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
def test_a_good_canary_is_taken_back_by_a_guard_no_more_often_than_allowed(
    times_as_long: float, false_rollback: float
) -> None:
    settings = AnalysisSettings(false_rollback=false_rollback)
    assert chance_of_a_false_alarm(kills, settings, times_as_long) <= settings.guarded
    assert chance_of_a_false_alarm(ends, settings, times_as_long) <= settings.guarded_restarts
    assert chance_of_a_false_alarm(shortages, settings, times_as_long) <= settings.guarded_shortages


def test_no_signal_has_more_than_its_quarter_of_the_false_alarms() -> None:
    settings = AnalysisSettings()
    spent = settings.guarded + settings.guarded_shortages + 1 / settings.threshold("oom")
    assert spent == pytest.approx(settings.false_rollback / 4)
    assert settings.guarded_restarts + 1 / settings.threshold("restarts") == pytest.approx(settings.false_rollback / 4)
    assert settings.threshold("oom") == pytest.approx(1000)
    assert settings.threshold("restarts") == pytest.approx(800)
    assert settings.threshold("errors") == pytest.approx(400)


@pytest.mark.parametrize(
    ("canary", "stable", "times_as_long", "expected"),
    [
        pytest.param(2, 0, 43_200, False, id="two may be reboots"),
        pytest.param(3, 0, 43_200, True, id="three, beside a pod of a month"),
        pytest.param(3, 1, 43_200, True, id="which ended once as well"),
        pytest.param(3, 0, 11.6, True, id="in 11.6 times as many pod-minutes: (1.25 / 12.85)³ is 0.092 %"),
        pytest.param(3, 0, 11.4, False, id="in 11.4 times as many: (1.25 / 12.65)³ is 0.096 %"),
        pytest.param(4, 0, 8.95, True, id="four in 8.95 times as many: (1.25 / 10.2)⁴ is 0.0226 %"),
        pytest.param(4, 0, 8.75, False, id="four in 8.75 times as many: (1.25 / 10)⁴ is 0.0244 %"),
        pytest.param(3, 30, 43_200, True, id="stable ends once a day"),
        pytest.param(3, 12_000, 43_200, False, id="stable ends every four minutes"),
    ],
)
def test_a_canary_that_ends_again_and_again_is_told_by_stables_whole_life(
    canary: int, stable: int, times_as_long: float, expected: bool
) -> None:
    """At most 0.094 % at three ends, 0.0234 % at four, with a tolerance of 25 %."""
    assert ends(AnalysisSettings(), canary, stable, times_as_long) is expected


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        pytest.param((2, 0, 1), True, id="stable never fails"),
        pytest.param((1, 0, 9), False, id="once"),
        pytest.param((2, 1, 4), True, id="one of five: 5 of 35 ways"),
        pytest.param((2, 1, 3), False, id="one of four: 4 of 20 ways"),
        pytest.param((3, 1, 3), True, id="and a third time: 4 of 35 ways"),
        pytest.param((4, 1, 2), True, id="one of three, four times: 3 of 21 ways"),
        pytest.param((9, 1, 1), False, id="every other start fails"),
        pytest.param((2, 4, 9), True, id="four of 13: 715 of 5,005 ways"),
        pytest.param((2, 9, 3), False, id="as hard to start"),
        pytest.param((5, 2, 0), False, id="stable never got ready"),
    ],
)
def test_a_start_that_failed_once_excuses_no_crash_loop(seen: tuple[int, int, int], expected: bool) -> None:
    """Of all ways to share the failed starts out among the starts of both that succeed, the canary's under way too."""
    canary, failed, started = seen
    pods = Pods(canary_failed_starts=canary, stable_failed_starts=failed, canary_started=1, stable_started=started)
    assert fails_to_start(pods) is expected


@pytest.mark.parametrize(("pods", "enough"), [(0, 2), (1, 2), (2, 4), (4, 5), (10, 9), (16, 11)])
def test_more_pods_may_fail_to_start_more_often(pods: int, enough: int) -> None:
    """By hand, two pods: three failures have a chance of 1 - 0.81 (1 + 0.2 + 0.03) = 0.37 %, and may have 0.25 %."""
    few, many = (Pods(canary_started=pods, canary_failed_starts=failed) for failed in (enough - 1, enough))
    assert (fails_to_start(few), fails_to_start(many)) == (False, True)


FLAKY = [(0.01, 0.000101), (0.05, 0.00255), (0.1, 0.0106), (0.2, 0.061)]
"""Chance of a start to fail by itself, and what share of good canaries is taken back for it at most."""


@pytest.mark.parametrize("pods", [1, 2, 4, 16])
@pytest.mark.parametrize(("fails", "most"), FLAKY)
def test_a_canary_that_grows_is_hardly_ever_taken_back_for_its_starts(pods: int, fails: float, most: float) -> None:
    """Exactly: pod after pod is started until it is ready, and at each failure the rule is asked."""
    alarms, lasting = 0.0, {0: 1.0}
    for started in range(1, pods + 1):
        enough = next(n for n in range(20) if fails_to_start(Pods(canary_started=started, canary_failed_starts=n)))
        after = dict.fromkeys(range(enough), 0.0)
        for before, chance in lasting.items():
            for failed in range(before, enough):
                after[failed] += chance * fails ** (failed - before) * (1 - fails)
            alarms += chance * fails ** max(0, enough - before)
        lasting = after
    assert sum(lasting.values()) + alarms == pytest.approx(1)
    assert alarms <= most


@pytest.mark.parametrize("started", [1, 2, 4, 9])
@pytest.mark.parametrize(("fails", "most"), FLAKY)
def test_a_canary_as_easy_to_start_is_hardly_ever_taken_back_for_its_starts(
    started: int, fails: float, most: float
) -> None:
    """Exactly, over all that may have failed of stable's starts."""
    alarms = 0.0
    for failed in range(30):
        chance = comb(failed + started - 1, failed) * fails**failed * (1 - fails) ** started
        before = Pods(canary_started=1, stable_started=started, stable_failed_starts=failed)
        takes = next((n for n in range(2, 30) if fails_to_start(replace(before, canary_failed_starts=n))), 30)
        alarms += chance * fails**takes
    assert alarms <= most


@pytest.mark.parametrize("found", [kills, shortages])
@pytest.mark.parametrize(("events", "expected"), [(1, True), (0, False)])
def test_fewer_are_enough_for_one_who_says_so(found: Found, events: int, expected: bool) -> None:
    assert found(AnalysisSettings(oom_kills=1), events, 0, 10) is expected


def at_night(load: float, meanwhile: Meanwhile = NOTHING, **seen: Any) -> Pods:
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
    ("load", "minutes"),
    [
        pytest.param(1.0, 1800 + 9000 / 9, id="the same load: a third of it squared"),
        pytest.param(0.5, 450 + 9000 / 9, id="half of it"),
        pytest.param(0.2, 72 + 9000 * (3300 / 1770 / 10) ** 2, id="a fifth of it: as before the canary, 18.6 %"),
        pytest.param(1 / 60, 30, id="none until it began"),
        pytest.param(0.0, 1800 + 9000 / 9, id="not measured"),
    ],
)
def test_pods_that_are_gone_count_as_if_they_had_had_little_load(load: float, minutes: float) -> None:
    seen = replace(at_night(load, canary_kills=3), gone=Gone(minutes=9000, kills=2, ends=1))
    assert seen.kills.stable_exposed == seen.ends.stable_exposed == pytest.approx(minutes)
    assert (seen.kills.stable, seen.ends.stable) == (2, 1)


def test_a_young_pod_of_stable_hides_no_kills_where_others_served_before_it() -> None:
    young = Pods(canary_kills=3, canary_minutes=5, stable_minutes=10)
    assert not killed_too_often(young, AnalysisSettings())
    assert killed_too_often(replace(young, gone=Gone(minutes=43_200)), AnalysisSettings())
    assert not killed_too_often(replace(young, gone=Gone(minutes=43_200, kills=900)), AnalysisSettings())


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
        pytest.param(at_night(1.0, canary_ends=3), True, id="under the same load"),
        pytest.param(at_night(1 / 60, canary_ends=3), False, id="after a night without load"),
        pytest.param(at_night(1.0, Meanwhile(ends=1), canary_ends=3), False, id="nodes reboot under both"),
        pytest.param(at_night(1.0, Meanwhile(ends=1), canary_ends=6), True, id="nodes reboot, but it ends far more"),
    ],
)
def test_ends_of_both_at_once_are_no_verdict(seen: Pods, expected: bool) -> None:
    assert ends_too_often(seen, AnalysisSettings()) is expected


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
