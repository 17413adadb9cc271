"""What the operator tells a person to type can be copied as it stands: it names the object and its namespace."""

from __future__ import annotations

from datetime import timedelta

import pytest

from canaries import analysed, changed, served, watched


@pytest.mark.parametrize(
    ("asked", "phase", "verb"),
    [("Pause", "Inconclusive", "promote"), ("Pause", "Inconclusive", "abort"), ("Rollback", "RolledBack", "retry")],
)
def test_a_canary_that_waits_for_a_person_names_the_whole_command(asked: str, phase: str, verb: str) -> None:
    trials = analysed(changed(served(3, canary={"maxDuration": "10m", "onInconclusive": asked, "steps": [10]})))
    watched(trials, timedelta(minutes=10))
    trials.until_phase(phase)
    for _ in range(2):
        owner = trials.observed.owner
        assert f"`kubectl plimsoll {verb} {owner.name} -n {owner.namespace}`" in trials.rollout["message"]
        trials.reconcile()
