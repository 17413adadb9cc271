"""A good change of the real server under requests: promoted, and nobody outside can tell when."""

from __future__ import annotations

import pytest

from cluster.rollouts.figures import Figures, Take
from cluster.rollouts.objects import BODIES, changed, real
from cluster.rollouts.stage import Stage
from cluster.rollouts.verdicts import its_share_was_the_weight_told, was_promoted
from traffic import Load

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]


def test_a_good_change_is_promoted_and_not_one_request_fails(stage: Stage, figures: Figures) -> None:
    # What two pods answer where nothing else runs; beside other tests they would refuse some of them.
    rate = 45 if figures.published else 30
    manifest = real("good")
    outcome = stage.play(manifest, changed(manifest, longInput={"overlapTokens": 64}), Load(BODIES, rate=rate))
    assert [str(answer) for answer in outcome.failed] == []
    was_promoted(outcome)
    assert {answer.revision for answer in outcome.answers} == {outcome.stable, outcome.canary}
    its_share_was_the_weight_told(outcome)
    assert any(answer.kept for answer in outcome.answers)
    figures.add(Take.of("a good change", outcome, "change", outcome.changed_at, outcome.moment_of("Promoting")))
