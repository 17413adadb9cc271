"""What is the rollout's next move? Asks the strategy, unless the rollout is held or there is nothing to do."""

from __future__ import annotations

from dataclasses import replace

from plimsoll_operator.observed import Revision, Workload
from plimsoll_operator.plan import Scale
from plimsoll_operator.rollout.situation import Move, Situation
from plimsoll_operator.rollout.strategies import STRATEGIES
from plimsoll_operator.steps.draft import Draft, Reason
from plimsoll_operator.steps.progress import follow_the_progress


def move_the_rollout(draft: Draft) -> Draft:
    target = draft.target
    if target is None:
        return draft
    draft = replace(draft, held=_held(draft, target), wanted=_wanted(draft))
    move = _next_move(draft, target)
    draft = replace(draft, move=move)
    draft = follow_the_progress(replace(draft, scale=_scales(draft, move)))
    return _promoted(draft, target) if move.promote else draft


def _next_move(draft: Draft, target: Revision) -> Move:
    if draft.held:
        return Move("Paused", *draft.held)
    running = draft.observed.workload(target.hash)
    older = _older(draft, target)
    if running is not None and target.stable and not older:
        return Move("Idle", "AsAsked", f"revision {target.hash} serves")
    situation = Situation(target.hash, running, older, draft.wanted, draft.spec.gpu.profile)
    move = STRATEGIES[draft.spec.rollout.strategy](situation)
    return replace(move, promote=move.promote and not target.stable)


def _older(draft: Draft, target: Revision) -> tuple[Workload, ...]:
    """Deployments of other revisions, the stable one first."""
    stable = draft.stable.hash if draft.stable else ""
    others = [workload for workload in draft.observed.workloads.values() if workload.revision != target.hash]
    return tuple(sorted(others, key=lambda workload: (workload.revision != stable, workload.name)))


def _held(draft: Draft, target: Revision) -> Reason | None:
    """Why the pods must not move now. A first revision replaces nothing, so nothing holds it."""
    if draft.stable is None or target.stable:
        return None
    if draft.spec.rollout.paused:
        return Reason("Paused", f"spec.rollout.paused is true: revision {target.hash} waits")
    if draft.policy.frozen and draft.observed.workload(target.hash) is None:
        return Reason("Frozen", f"rollouts are frozen by the installation: revision {target.hash} waits")
    return None


def _wanted(draft: Draft) -> int:
    """Pods that served when the rollout began, or that the autoscaler has asked for since, within the spec's bounds.

    Should status not remember, the pods that serve now are the best guess.
    """
    scaling = draft.spec.scaling
    if not scaling.autoscaled:
        return scaling.min_replicas
    serving = draft.observed.workload(draft.stable.hash) if draft.stable else None
    began_with = draft.remembered if draft.remembered is not None else draft.observed.ready
    asked_for = max(began_with, serving.replicas if serving else 0)
    return min(draft.spec.max_replicas, max(scaling.min_replicas, asked_for))


def _promoted(draft: Draft, target: Revision) -> Draft:
    revisions = tuple(replace(revision, stable=revision.hash == target.hash) for revision in draft.revisions)
    return replace(draft, revisions=revisions, target=replace(target, stable=True))


def _scales(draft: Draft, move: Move) -> tuple[Scale, ...]:
    workloads = draft.observed.workloads
    # No rollout moves a pod before status remembers how many there were: an operator killed in between would not know.
    rolling = move.replicas if draft.remembered is not None or not draft.spec.scaling.autoscaled else {}
    wanted = {**rolling, **_at_rest(draft)}
    return tuple(Scale(workloads[revision].name, count) for revision, count in wanted.items())


def _at_rest(draft: Draft) -> dict[str, int]:
    """Replicas of the revision that no rollout moves.

    With an autoscaler only a zero is mended: it would switch the autoscaler off for good.
    """
    workload = draft.resting
    if workload is None or (draft.spec.scaling.autoscaled and workload.replicas > 0):
        return {}
    return {workload.revision: draft.wanted} if workload.replicas != draft.wanted else {}
