"""Memory squeezed for capacity: the real server is taken back for what runs out, and 85 % carries the same load."""

from __future__ import annotations

from typing import Any

import pytest

from bad_rollouts import BAD_ROLLOUTS, FULL_BATCH, LONG_TEXT
from cluster.rollouts.figures import Figures, Take
from cluster.rollouts.objects import ROLLOUT, changed, real
from cluster.rollouts.outcome import Outcome
from cluster.rollouts.stage import Stage
from cluster.rollouts.verdicts import revision_of, was_taken_back
from traffic import Load

pytestmark = [pytest.mark.cluster, pytest.mark.thorough, pytest.mark.timeout(1800)]

FULL_BATCHES = Load([{"inputs": [[LONG_TEXT]] * FULL_BATCH}], rate=0.5, at_once=2, enough=4)
"""Each takes seconds of both processors. No more than two wait, so that none is refused for want of a place."""
DEADLINE = 1200
RECIPES = {recipe.name: recipe for recipe in BAD_ROLLOUTS}
HISTORY_SECONDS = 200
"""Under load, of three pods, or `STARTS` of them: ten times as long as a canary until its full batch."""


def squeezed(stage: Stage, name: str, replicas: int, analysis: dict[str, Any], age: float = 0) -> Outcome:
    recipe = RECIPES[name]
    stable = changed(real("squeezed", replicas, rollout={**ROLLOUT, "analysis": analysis}), **recipe.before)
    return stage.play(stable, changed(stable, **recipe.change), FULL_BATCHES, DEADLINE, age=age)


def test_it_is_taken_back_on_the_servers_own_count(stage: Stage, figures: Figures) -> None:
    # It runs out in its first full batch, lowers its line, and does so again only after minutes: as with kills, one is
    # enough, and stable has to be ten times as old.
    outcome = squeezed(stage, "squeezed", replicas=3, analysis={"oomKills": 1}, age=HISTORY_SECONDS)
    was_taken_back(outcome, "OutOfMemory")
    message = revision_of(outcome, outcome.canary)["rejected"]["message"]
    assert message.startswith("out of memory"), message
    assert "batches against none in" in message, "85 % is fine"
    # Its memory is full: it may tell a caller to come again (429).
    lost = [str(answer) for answer in outcome.failed if answer.status != 429]
    assert lost == [], "halved, the batches fit"
    assert outcome.killed == set()
    first, back = outcome.first(lambda _: True), outcome.seconds_until_back(lambda _: True)
    figures.add(Take.of("memory squeezed, its own count", outcome, "first response", first, outcome.rejected_at, back))


def test_beside_an_agent_it_is_taken_back_on_the_kills(stage: Stage, figures: Figures) -> None:
    # One kill is enough: with torch a second one is a minute away, and stable has to be ten times as old.
    outcome = squeezed(stage, "squeezed beside an agent", replicas=3, analysis={"oomKills": 1}, age=HISTORY_SECONDS)
    was_taken_back(outcome, "OOMKilled")
    assert outcome.killed
    assert outcome.killed <= outcome.canary_pods
    # It may be killed before it has answered anybody, badly or well.
    figures.add(Take.of("memory squeezed, killed", outcome, "change", outcome.changed_at, outcome.rejected_at))
