"""Canaries that never serve: the Kubernetes API alone tells it, and no request is lost to them."""

from __future__ import annotations

from typing import Any

import pytest

from cluster.rollouts.figures import Figures, Take
from cluster.rollouts.objects import BODIES, COUNTING_IMAGE, changed, counting, real
from cluster.rollouts.outcome import Outcome
from cluster.rollouts.stage import Stage
from cluster.rollouts.verdicts import in_time, was_taken_back
from light_server import LIGHT_IMAGE
from traffic import Load

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]

LOAD = Load(BODIES, rate=30)
CRASH_SECONDS = 30
"""From the change to the decision, where a canary crashes from its start."""
DEADLINE_SECONDS = 20
LEEWAY_SECONDS = 15
"""For the canary's pod to be made and scheduled, and for the operator to look after the deadline."""


def nobody_noticed(outcome: Outcome) -> None:
    assert [str(answer) for answer in outcome.failed] == []
    assert {answer.revision for answer in outcome.answers} == {outcome.stable}


def taken(story: str, outcome: Outcome) -> Take:
    return Take.of(story, outcome, "change", outcome.changed_at, outcome.rejected_at)


def test_a_canary_that_crashes_from_its_start_is_not_waited_for(stage: Stage, figures: Figures) -> None:
    manifest = counting("crashes")
    outcome = stage.play(manifest, changed(manifest, model={"family": "crashes"}, server={"image": LIGHT_IMAGE}), LOAD)
    was_taken_back(outcome, "FailsToStart")
    nobody_noticed(outcome)
    assert "no config.json in the model's folder" in str(outcome.owner["status"]["revisions"]), "what the pod said"
    assert outcome.pods.restarted == outcome.canary_pods, "its containers start again, its pods do not"
    figures.add(taken("crashes from its start", outcome))
    in_time(outcome.rejected_at - outcome.changed_at, CRASH_SECONDS)


@pytest.mark.thorough
def test_the_real_server_without_its_model_is_not_waited_for(stage: Stage, figures: Figures) -> None:
    manifest = real("modelless", replicas=1)
    outcome = stage.play(
        manifest, changed(manifest, model={"uri": "pvc://models/no-such-model"}), Load(BODIES, rate=10)
    )
    was_taken_back(outcome, "FailsToStart")
    nobody_noticed(outcome)
    assert "no-such-model does not exist" in str(outcome.owner["status"]["revisions"]), "what the server said"
    figures.add(taken("crashes from its start, the real server", outcome))
    in_time(outcome.rejected_at - outcome.changed_at, CRASH_SECONDS)


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("story", "change", "word"),
    [
        pytest.param(
            "never gets ready",
            {"model": {"family": "silent"}, "server": {"image": LIGHT_IMAGE}},
            "readiness probe",
            id="silent",
        ),
        pytest.param(
            "its image cannot be pulled",
            {"server": {"image": "test/no-such-image:1"}},
            "test/no-such-image:1",
            id="image",
        ),
    ],
)
def test_a_canary_that_does_not_get_ready_is_taken_back_at_the_deadline(
    stage: Stage, figures: Figures, story: str, change: dict[str, Any], word: str
) -> None:
    manifest = counting("late", rollout={"progressDeadline": f"{DEADLINE_SECONDS}s"})
    assert manifest["spec"]["server"]["image"] == COUNTING_IMAGE
    outcome = stage.play(manifest, changed(manifest, **change), LOAD)
    was_taken_back(outcome, "NotReadyInTime")
    nobody_noticed(outcome)
    assert word in outcome.events_of("RolledBack")[0]["message"]
    figures.add(taken(story, outcome))
    waited = outcome.rejected_at - outcome.changed_at
    # A pod has its node since a whole second of the API: up to one second earlier than it really did.
    assert waited > DEADLINE_SECONDS - 1
    in_time(waited, DEADLINE_SECONDS + LEEWAY_SECONDS)
