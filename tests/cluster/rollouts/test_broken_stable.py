"""Stable itself is broken: the fix does not have to be better than perfect."""

from __future__ import annotations

import pytest

from cluster.rollouts.figures import Figures, Take
from cluster.rollouts.objects import BODIES, changed, real
from cluster.rollouts.stage import Stage
from cluster.rollouts.verdicts import was_promoted
from traffic import Load

pytestmark = [pytest.mark.cluster, pytest.mark.thorough, pytest.mark.timeout(900)]


def test_a_good_fix_of_a_broken_stable_revision_is_promoted(stage: Stage, figures: Figures, spoiled: str) -> None:
    broken = real("broken", model={"uri": spoiled})
    outcome = stage.play(broken, changed(broken, model={"uri": "pvc://models/domains"}), Load(BODIES, rate=45))
    was_promoted(outcome)
    assert {answer.revision for answer in outcome.failed} == {outcome.stable}
    figures.add(
        Take.of("the fix of a broken stable", outcome, "change", outcome.changed_at, outcome.moment_of("Promoting"))
    )
