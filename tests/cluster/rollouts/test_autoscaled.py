"""A canary is judged by its requests while the real autoscaler follows a load that rises: neither hinders the other."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

import pytest

from cluster.rollouts.objects import BODIES, changed, counting
from cluster.rollouts.outcome import Outcome
from cluster.rollouts.stage import Scene, Stage
from cluster.rollouts.verdicts import was_promoted, was_rejected
from cluster_kit import eventually
from scale_writes import ScaleLog, ScaleWrites, Write, turns
from traffic import Load

pytestmark = [pytest.mark.cluster, pytest.mark.thorough, pytest.mark.timeout(900)]

PODS = 2
HOLD_SECONDS = 0.15
CLIENTS = (5, 9, 13, 17)
"""Each has one request under way: 63 % of what two pods carry, and in the end 70 % of six, the canary's among them."""
LOAD = Load([{**body, "hold_seconds": HOLD_SECONDS} for body in BODIES], rate=1_000, at_once=CLIENTS[0])
PATIENCE = 180


def autoscaled(name: str) -> dict[str, Any]:
    """Two steps, so that a good canary is judged for a minute at least: longer than the autoscaler takes to follow.

    The window is longer than what comes after a rollout here, so that no pod goes for want of load at its end.
    """
    scaling = {"provider": "HPA", "minReplicas": PODS, "targetSaturationPercent": 70, "scaleDownStabilization": "5m"}
    return counting(name, scaling=scaling, rollout={"canary": {"steps": [10, 50]}})


@dataclass(frozen=True)
class Played:
    outcome: Outcome
    writes: ScaleWrites
    """Since the change."""

    @property
    def of_stable(self) -> list[Write]:
        return self._of(self.outcome.stable)

    @property
    def of_canary(self) -> list[Write]:
        return self._of(self.outcome.canary)

    def _of(self, revision: str) -> list[Write]:
        return self.writes.of(f"{self.outcome.owner['metadata']['name']}-{revision}")

    @property
    def judged_until(self) -> float:
        """When the object last told that nothing was decided yet."""
        told = self.outcome.told.since(self.outcome.changed_at)
        return max(each.at for each in told if each.phase in ("Surging", "Analysing"))


def play(stage: Stage, name: str, family: str) -> Played:
    """The load begins to rise with the change, by some clients with each look of the autoscaler."""
    manifest = autoscaled(name)
    with closing(ScaleLog(stage.sandbox.audit_log, stage.kit.namespace)) as scales:

        def rise(scene: Scene) -> None:
            for clients in CLIENTS[1:]:
                wait_for_a_look(scales, name)
                scene.requests.ask_at_once(clients)
            eventually(lambda: raised_by_load(scales.of(name)), PATIENCE, lambda: str(scales.of(name)))

        outcome = stage.play(manifest, changed(manifest, model={"family": family}), LOAD, 400, rise)
        written = scales.of(name)
        since = tuple(write for write in written.writes if write.at.timestamp() > outcome.changed_at)
        print(written)  # noqa: T201
        return Played(outcome, replace(written, writes=since))


def wait_for_a_look(scales: ScaleLog, name: str) -> None:
    """Of the autoscaler, at the metric of the object's pods."""
    before = len(scales.of(name).rounds)
    eventually(lambda: len(scales.of(name).rounds) > before, PATIENCE)


def raised_by_load(writes: ScaleWrites) -> list[Write]:
    return [write for write in writes.by("autoscaler") if write.raises]


def test_a_good_canary_is_promoted_by_its_requests_while_the_load_rises(stage: Stage) -> None:
    played = play(stage, "rising", "other")
    outcome, writes = played.outcome, played.writes
    assert [str(answer) for answer in outcome.failed] == []
    was_promoted(outcome)
    was_promoted_by_evidence(outcome)
    assert never_fewer_than_stable_had(outcome), str(writes)

    raised = [write for write in played.of_stable if write.raises and write.at.timestamp() < played.judged_until]
    assert {write.writer for write in raised} == {"autoscaler"}, str(writes)
    assert [write for write in writes.by("autoscaler") if write.lowers] == [], str(writes)
    assert [write for write in played.of_canary if write.lowers] == [], str(writes)
    lowered = [write for write in played.of_stable if write.lowers]
    assert all(write.at.timestamp() > played.judged_until for write in lowered), str(writes)
    assert turns(played.of_stable) == 1, str(writes)


def test_a_failing_canary_is_taken_back_while_the_load_rises(stage: Stage) -> None:
    played = play(stage, "failing", "faulty")
    outcome, writes = played.outcome, played.writes
    was_rejected(outcome, "MoreErrors")
    assert outcome.before < outcome.at_the_end, "the autoscaler added no pod"
    assert outcome.pods.restarted == set()
    assert {write.writer for write in played.of_stable} == {"autoscaler"}, str(writes)
    assert [write for write in played.of_stable if write.lowers] == [], str(writes)
    assert [write for write in played.of_canary if write.writer == "autoscaler"] == [], str(writes)


def was_promoted_by_evidence(outcome: Outcome) -> None:
    """And by nobody's word."""
    promoting = outcome.told.first(lambda told: told.at >= outcome.changed_at and told.phase == "Promoting")
    assert promoting is not None
    assert promoting.rollout["evidence"]["decision"] == "Promote", promoting.rollout
    assert "lastRequest" not in outcome.owner["status"]["rollout"]


def never_fewer_than_stable_had(outcome: Outcome) -> bool:
    """From when the stable revision had most pods that served, never fewer did, of whichever revision."""
    serving = [[pod.revision for pod in state.values() if pod.serves] for state in outcome.pods.states]
    had = [revisions.count(outcome.stable) for revisions in serving]
    most = max(had)
    return all(len(revisions) >= most for revisions in serving[had.index(most) :])
