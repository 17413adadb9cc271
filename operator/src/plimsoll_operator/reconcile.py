"""Spec + Observed + now -> Plan. Pure: no client, no clock, no framework; the same input gives the same plan."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from plimsoll_operator.announcements import announce
from plimsoll_operator.drift import has_drifted, stamped
from plimsoll_operator.fully_scaled import grace_left
from plimsoll_operator.observed import Manifest, ObjectKey, Observed
from plimsoll_operator.plan import Plan
from plimsoll_operator.spec import InvalidSpecError, parse_spec
from plimsoll_operator.standstill import revision_unreadable, spec_unreadable
from plimsoll_operator.steps.children import list_children
from plimsoll_operator.steps.draft import Draft, Policy, Step
from plimsoll_operator.steps.evidence import until_the_next_look, weigh_the_evidence
from plimsoll_operator.steps.gpu_profile import find_gpu_profile
from plimsoll_operator.steps.history import prune_history
from plimsoll_operator.steps.judgement import judge
from plimsoll_operator.steps.load_line import plan_the_load_line
from plimsoll_operator.steps.model import find_the_model
from plimsoll_operator.steps.past import past
from plimsoll_operator.steps.progress import remaining_deadline
from plimsoll_operator.steps.rehearsal import rehearse_the_stop
from plimsoll_operator.steps.request import heed_the_request
from plimsoll_operator.steps.revision import choose_revision
from plimsoll_operator.steps.rollout import move_the_rollout, until_it_is_placed
from plimsoll_operator.steps.starts import patience_left, time_the_starts
from plimsoll_operator.steps.status import render_status

__all__ = ["Policy", "reconcile"]

STEPS: tuple[Step, ...] = (
    find_gpu_profile,
    plan_the_load_line,
    find_the_model,
    heed_the_request,
    choose_revision,
    weigh_the_evidence,
    move_the_rollout,
    rehearse_the_stop,
    prune_history,
    list_children,
    time_the_starts,
)


# A promotion or a retired Deployment is followed by a move that no pod's event announces.
NEXT_MOVE = timedelta(seconds=1)


def reconcile(observed: Observed, policy: Policy, now: datetime) -> Plan:
    """Decide everything that one InferenceDeployment needs right now."""
    try:
        spec = parse_spec(observed.owner.spec)
    except InvalidSpecError as error:
        return spec_unreadable(observed, error, now)
    if observed.unreadable:
        return revision_unreadable(observed, now)
    owner = observed.owner
    draft = Draft(replace(observed, owner=replace(owner, status=past(owner.status, now))), policy, now, spec)
    for step in STEPS:
        draft = step(draft)
    return _conclude(draft, owner.status)


def _conclude(draft: Draft, stored: Manifest) -> Plan:
    """Turn the finished draft into writes: only what differs from the cluster."""
    conditions = judge(draft)
    status = render_status(draft, conditions)
    return Plan(
        apply=tuple(_drifted(draft.observed, draft.children)),
        rehearsal=draft.rehearsal,
        scale=draft.scale,
        delete=draft.delete,
        status=status if status != stored else None,
        events=announce(conditions, draft.observed.owner, status),
        requeue_after=_wake(draft),
    )


def _drifted(observed: Observed, children: Iterable[Manifest]) -> Iterable[Manifest]:
    for child in map(stamped, children):
        key = ObjectKey.of(child)
        if key not in observed.foreign and has_drifted(child, observed.children.get(key)):
            yield child


def _wake(draft: Draft) -> timedelta | None:
    """When time alone changes the answer: a deadline passes, patience ends, or the autoscaler may shrink again."""
    moments = [remaining_deadline(draft), patience_left(draft), grace_left(draft), until_the_next_look(draft)]
    moments.append(until_it_is_placed(draft))
    if draft.move and (draft.move.promote or draft.move.reject or draft.move.retire):
        moments.append(NEXT_MOVE)
    if draft.on_trial or draft.looked_at:
        moments.append(draft.spec.rollout.analysis.interval)
    if draft.rollout_finished is not None:
        moments.append(draft.rollout_finished + draft.spec.scaling.scale_down_stabilization - draft.now)
    return min((moment for moment in moments if moment is not None and moment > timedelta(0)), default=None)
