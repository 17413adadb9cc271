"""Changes that get ready and turn out bad under real requests: each is taken back for what it really does."""

from __future__ import annotations

import pytest

from bad_rollouts import slow_dtype
from cluster.rollouts.figures import Figures, Take
from cluster.rollouts.objects import BODIES, LONGER_BODIES, changed, counting, real
from cluster.rollouts.outcome import Judge, Outcome, failed, slower_than
from cluster.rollouts.stage import Stage
from cluster.rollouts.verdicts import BACK_SECONDS, in_time, was_taken_back
from traffic import Load

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]

OBJECTIVE_SECONDS = 0.04
PUBLISHED_RATE = 72
"""Requests a second, of which a canary gets ten or more."""
HISTORY_SECONDS = 220
"""Two pods that have never been killed in so long are history enough for a canary that is killed three times in half a
minute; a revision that is in use has more."""


def ended_in_time(figures: Figures, story: str, outcome: Outcome, bad: Judge) -> None:
    first, back = outcome.first(bad), outcome.seconds_until_back(bad)
    figures.add(Take.of(story, outcome, "first bad response", first, outcome.rejected_at, back))
    in_time(back, BACK_SECONDS)


def test_weights_that_fail_on_some_words_are_taken_back_for_their_errors(
    stage: Stage, figures: Figures, spoiled: str
) -> None:
    # Two pods answer so many where nothing else runs; beside other tests they would refuse some of them.
    rate = PUBLISHED_RATE if figures.published else 30
    manifest = real("spoiled")
    outcome = stage.play(manifest, changed(manifest, model={"uri": spoiled}), Load(BODIES, rate=rate))
    was_taken_back(outcome, "MoreErrors")
    assert {answer.status for answer in outcome.failed} == {500}
    ended_in_time(figures, "weights that fail on some words", outcome, failed)


@pytest.mark.thorough
def test_a_number_format_that_is_slow_here_is_taken_back_for_its_latency(stage: Stage, figures: Figures) -> None:
    # One pod on either side and no more load than shows: where pods share two cores, much load slows both alike.
    manifest = real("slow", replicas=1)
    manifest["spec"]["tiers"][1]["latencyObjective"] = f"{OBJECTIVE_SECONDS * 1000:.0f}ms"
    slow = changed(manifest, model={"dtype": slow_dtype()})
    outcome = stage.play(manifest, slow, Load(LONGER_BODIES, rate=20))
    was_taken_back(outcome, "HigherLatency")
    assert outcome.failed == []
    ended_in_time(figures, "a number format that is slow here", outcome, slower_than(OBJECTIVE_SECONDS))


@pytest.mark.thorough
def test_a_canary_that_is_killed_for_memory_under_load_is_taken_back_for_the_kills(
    stage: Stage, figures: Figures
) -> None:
    manifest = counting("hungry")
    rate = PUBLISHED_RATE if figures.published else 45
    outcome = stage.play(
        manifest, changed(manifest, model={"family": "hungry"}), Load(BODIES, rate=rate), age=HISTORY_SECONDS
    )
    was_taken_back(outcome, "OOMKilled")
    # A kill between two requests fails none, and three such leave no bad response to reckon from.
    if outcome.failed:
        ended_in_time(figures, "killed for memory under load", outcome, failed)
