"""What is the rollout's next move? Asks the strategy, unless the rollout is held or there is nothing to do."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from plimsoll_operator.observed import Revision, Workload
from plimsoll_operator.plan import Scale
from plimsoll_operator.rollout.situation import Move, Situation
from plimsoll_operator.rollout.strategies import STRATEGIES
from plimsoll_operator.steps.draft import Draft, Reason


def move_the_rollout(draft: Draft) -> Draft:
    if draft.target is None:
        return draft
    draft = replace(draft, held=_held(draft, draft.target), wanted=_wanted(draft))
    move = _next_move(draft, draft.target)
    draft = _timed(replace(draft, move=move), draft.target)
    if move.promote:
        draft = _promoted(draft, draft.target)
    return replace(draft, scale=_scales(draft, draft.target, move))


def _next_move(draft: Draft, target: Revision) -> Move:
    observed = draft.observed
    running = observed.workload(target.hash)
    older = _older(draft, target)
    if draft.held:
        return Move("Paused", *draft.held)
    if running is not None and target.stable and not older:
        return Move("Idle", "AsAsked", f"revision {target.hash} serves")
    situation = Situation(target.hash, running, older, draft.wanted, draft.spec.gpu.profile)
    return STRATEGIES[draft.spec.rollout.strategy](situation)


def _older(draft: Draft, target: Revision) -> tuple[Workload, ...]:
    """Deployments of other revisions, the stable one first."""
    stable = draft.observed.stable
    others = [workload for workload in draft.observed.workloads.values() if workload.revision != target.hash]
    return tuple(
        sorted(others, key=lambda workload: (stable is None or workload.revision != stable.hash, workload.name))
    )


def _held(draft: Draft, target: Revision) -> Reason | None:
    """Why the pods must not move now. A first revision replaces nothing, so nothing holds it."""
    if draft.observed.stable is None or target.stable:
        return None
    if draft.spec.rollout.paused:
        return Reason("Paused", f"spec.rollout.paused is true: revision {target.hash} waits")
    if draft.policy.frozen and draft.observed.workload(target.hash) is None:
        return Reason("Frozen", f"rollouts are frozen by the installation: revision {target.hash} waits")
    return None


def _wanted(draft: Draft) -> int:
    """Pods that served when the rollout began, within the bounds of the spec."""
    scaling = draft.spec.scaling
    if scaling.provider == "None":
        return scaling.min_replicas
    stored = draft.observed.owner.status.get("rollout", {}).get("wantedReplicas")
    stable = draft.observed.stable
    serving = draft.observed.workload(stable.hash) if stable else None
    began_with = stored if stored is not None else serving.replicas if serving else 0
    return min(draft.spec.max_replicas, max(scaling.min_replicas, int(began_with)))


def _timed(draft: Draft, target: Revision) -> Draft:
    """When this rollout began and ended, kept in status across reconciles."""
    stored = draft.observed.owner.status.get("rollout", {})
    if draft.rolling:
        same = stored.get("canary") == ("" if target.stable else target.hash)
        return replace(draft, rollout_started=(_time(stored.get("startedAt")) if same else None) or draft.now)
    if stored.get("startedAt"):
        return replace(draft, rollout_finished=draft.now)
    return replace(draft, rollout_finished=_time(stored.get("finishedAt")))


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _promoted(draft: Draft, target: Revision) -> Draft:
    revisions = tuple(replace(revision, stable=revision.hash == target.hash) for revision in draft.revisions)
    return replace(draft, revisions=revisions, target=replace(target, stable=True))


def _scales(draft: Draft, target: Revision, move: Move) -> tuple[Scale, ...]:
    workloads = draft.observed.workloads
    wanted = dict(move.replicas)
    running = workloads.get(target.hash)
    if move.phase == "Idle" and running is not None:
        wanted |= _at_rest(draft, running)
    return tuple(Scale(workloads[revision].name, count) for revision, count in wanted.items())


def _at_rest(draft: Draft, running: Workload) -> dict[str, int]:
    """With an autoscaler only a zero is mended: it would switch the autoscaler off for good."""
    fixed = draft.spec.scaling.provider == "None"
    if (fixed and running.replicas != draft.wanted) or running.replicas == 0:
        return {running.revision: draft.spec.scaling.min_replicas}
    return {}
