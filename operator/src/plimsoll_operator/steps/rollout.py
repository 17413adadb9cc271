"""What is the rollout's next move? Asks the strategy, unless the rollout is held or there is nothing to do."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from plimsoll_operator.observed import Rejection, Revision
from plimsoll_operator.plan import Scale
from plimsoll_operator.rollout.canary.phases import idle, rolled_back
from plimsoll_operator.rollout.placed import SETTLED, Placed, placed_now
from plimsoll_operator.rollout.situation import Move
from plimsoll_operator.rollout.strategies import STRATEGIES
from plimsoll_operator.steps.draft import Draft, Reason
from plimsoll_operator.steps.held import hold_of
from plimsoll_operator.steps.looks import noted
from plimsoll_operator.steps.progress import follow_the_progress, is_waited_for
from plimsoll_operator.steps.trial import trial_of

HELD = ("Paused", "Inconclusive")
"""Phases in which the operator waits for a person."""


def move_the_rollout(draft: Draft) -> Draft:
    target = draft.target
    if target is None:
        return draft
    draft = replace(draft, held=hold_of(draft, target), wanted=_wanted(draft), placed=_placed(draft, target))
    move = _remembered_first(draft, _next_move(draft, target))
    # A canary's phase says whether it is held: protection is not, so a pause may end in a rollback.
    held = Reason(move.reason, move.message) if move.phase in HELD else None
    draft = replace(draft, move=move, held=held)
    draft = follow_the_progress(replace(draft, scale=_scales(draft, move)))
    draft = replace(draft, looked_at=noted(draft, waits=is_waited_for(draft)))
    if move.reject:
        return _rejected(draft, target, move.reject)
    return _promoted(draft, target) if move.promote else draft


def _next_move(draft: Draft, target: Revision) -> Move:
    trial = trial_of(draft, target)
    if trial.running is not None and target.stable and not trial.older:
        return rolled_back.advance(trial) if draft.rejection else idle.advance(trial)
    strategy = draft.spec.rollout.strategy
    if draft.held and strategy != "Canary":
        return Move("Paused", *draft.held)
    move = STRATEGIES[strategy](trial)
    return replace(move, promote=move.promote and not target.stable)


def _placed(draft: Draft, target: Revision) -> Placed | None:
    """Pods that have a node, while some of the target have none."""
    running = draft.observed.workload(target.hash)
    if running is None or not running.unschedulable:
        return None
    return placed_now(draft.observed.workloads.values(), draft.observed.owner.status.get("rollout", {}), draft.now)


def until_it_is_placed(draft: Draft) -> timedelta | None:
    """Until it is known how many pods the GPUs can carry; None where nothing waits for that."""
    return draft.placed.since + SETTLED - draft.now if draft.placed and draft.rolling else None


def _wanted(draft: Draft) -> int:
    """Pods that served when the rollout began, or that the autoscaler has asked for since, within the spec's bounds.

    Should status not remember, those that serve now are the best guess. While a canary waits for its first GPU nothing
    has begun, and the autoscaler may shrink what would free one.
    """
    scaling = draft.spec.scaling
    if not scaling.autoscaled:
        return scaling.min_replicas
    stable = draft.observed.workload(draft.stable.hash) if draft.stable else None
    scaled = [workload.replicas for workload in (stable, draft.stand_in) if workload]
    began_with = draft.remembered if draft.remembered is not None else _serving_now(draft)
    if draft.waits_for_a_place and draft.judges:
        began_with = 0
    asked_for = max([began_with, *scaled])
    return min(draft.spec.max_replicas, max(scaling.min_replicas, asked_for))


def _serving_now(draft: Draft) -> int:
    """Without the target's where there is a status: it is of the time before, when no pod had been moved.

    Who started the target's ended right then. Where all of status is lost, pods may have made room for those already.
    """
    running = draft.observed.workload(draft.target.hash) if draft.target and not draft.target.stable else None
    is_of_before = bool(draft.observed.owner.status.get("rollout", {}).get("phase"))
    return draft.observed.ready - (running.ready if running and is_of_before else 0)


def _promoted(draft: Draft, target: Revision) -> Draft:
    """With the target as the stable revision; what was held against it is forgotten."""
    promoted = replace(target, stable=True, promoted=True, rejected=None)
    others = tuple(replace(found, stable=False) for found in draft.revisions if found.hash != target.hash)
    return replace(draft, revisions=(*others, promoted), target=promoted, rejection=None)


def _rejected(draft: Draft, target: Revision, because: Rejection) -> Draft:
    """With the stable revision as the target again, and the one that was asked for marked as tried."""
    marked = replace(target, rejected=because)
    others = tuple(found for found in draft.revisions if found.hash != target.hash)
    return replace(draft, revisions=(*others, marked), target=draft.stable, rejection=because)


def _remembered_first(draft: Draft, move: Move) -> Move:
    """No rollout moves a pod before status remembers how many there were: an operator killed in between would not know.

    A place that is not given yet is not to be remembered as given.
    """
    if draft.remembered is not None or not draft.spec.scaling.autoscaled:
        return move
    return replace(move, replicas={}, stage=replace(move.stage, gave=0) if move.stage else None)


def _scales(draft: Draft, move: Move) -> tuple[Scale, ...]:
    workloads = draft.observed.workloads
    wanted = {**move.replicas, **_at_rest(draft)}
    return tuple(Scale(workloads[revision].name, count) for revision, count in wanted.items())


def _at_rest(draft: Draft) -> dict[str, int]:
    """Replicas of the revision that no rollout moves.

    With an autoscaler only a zero is mended: it would switch the autoscaler off for good.
    """
    workload = draft.resting
    if workload is None or (draft.spec.scaling.autoscaled and workload.replicas > 0):
        return {}
    return {workload.revision: draft.wanted} if workload.replicas != draft.wanted else {}
