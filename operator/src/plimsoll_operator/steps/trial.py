"""All that a strategy looks at, gathered from the draft."""

from __future__ import annotations

from plimsoll_operator.diagnosis import diagnose
from plimsoll_operator.names import content_hash
from plimsoll_operator.observed import Manifest, Revision, Workload
from plimsoll_operator.rollout.canary.stage import Stage
from plimsoll_operator.rollout.canary.trial import Trial
from plimsoll_operator.steps.asked_for import is_a_restart, revision_asked_for
from plimsoll_operator.steps.draft import Draft
from plimsoll_operator.steps.evidence import analysis_settings
from plimsoll_operator.steps.looks import stage_now
from plimsoll_operator.steps.progress import deadline


def trial_of(draft: Draft, target: Revision) -> Trial:
    """The rollout to `target` as it stands. What status has kept counts only where it is of this very canary."""
    stored = draft.observed.owner.status.get("rollout", {})
    same = stored.get("canary") == target.hash and stored.get("phase") != "RollingBack"
    running = draft.observed.workload(target.hash)
    ailment = diagnose(running)
    return Trial(
        target=target.hash,
        running=running,
        older=_older(draft, target),
        wanted=draft.wanted,
        carried=_carried(draft),
        gpu=draft.spec.gpu.profile,
        stable=draft.stable.hash if draft.stable else "",
        proven=frozenset(found.hash for found in draft.revisions if found.stable or found.promoted),
        asked_for=draft.asked_for,
        rejection=draft.rejection,
        restart=is_a_restart(draft, revision_asked_for(draft)),
        taken_back={found.hash: found.rejected for found in draft.revisions if found.rejected},
        settings=draft.spec.rollout.canary,
        analysis=analysis_settings(draft.spec),
        min_replicas=draft.spec.scaling.min_replicas,
        autoscaled=draft.spec.scaling.autoscaled,
        deadline=deadline(draft),
        now=draft.now,
        before=stored.get("phase") if same else None,
        spec=_unpaused(draft.observed.owner.spec),
        stage=stage_now(draft) if same else Stage(),
        verdict=draft.verdict,
        data=draft.data or "NoMetrics",
        blind=draft.blind,
        ended=draft.ended,
        promote=draft.order == "promote",
        paused=draft.held,
        ailment=ailment.message if ailment else "",
        called=draft.observed.owner.called,
    )


def _unpaused(spec: Manifest) -> str:
    """A hash of the spec that a pause does not change: to pause and to resume is no other wish."""
    rollout = {name: value for name, value in spec.get("rollout", {}).items() if name != "paused"}
    return content_hash({**spec, "rollout": rollout})


def _carried(draft: Draft) -> int:
    placed = draft.placed
    return min(draft.wanted, placed.replicas) if placed and placed.has_settled(draft.now) else draft.wanted


def _older(draft: Draft, target: Revision) -> tuple[Workload, ...]:
    """Deployments of other revisions, the stable one first."""
    stable = draft.stable.hash if draft.stable else ""
    others = [workload for workload in draft.observed.workloads.values() if workload.revision != target.hash]
    return tuple(sorted(others, key=lambda workload: (workload.revision != stable, workload.name)))
