"""Who holds a rollout, the spec, a person's pause or the installation's freeze, and how one gets back all the same."""

from __future__ import annotations

from plimsoll_operator.observed import Revision
from plimsoll_operator.steps.draft import Draft, Reason


def pause_of(draft: Draft, present: Revision | None, *, by_request: bool = True) -> Reason | None:
    """Who holds steps and promotions: the spec, or a request that no other has ended since."""
    if draft.spec.rollout.paused:
        return Reason("Paused", "spec.rollout.paused is true")
    pause = draft.ledger.pauses(present.hash if present else "") if by_request else None
    if pause is None:
        return None
    return Reason("Paused", f"paused on request {pause.id}: `kubectl plimsoll resume {draft.observed.owner.called}`")


def freeze_of(draft: Draft, target: Revision) -> Reason | None:
    """What has begun goes on: a freeze holds what has no Deployment yet."""
    if not draft.policy.frozen or draft.observed.workload(target.hash) is not None:
        return None
    return Reason("Frozen", f"rollouts are frozen by the installation: revision {target.hash} waits")


def hold_of(draft: Draft, target: Revision) -> Reason | None:
    """Why the pods must not move now. A first revision replaces nothing, so nothing holds it."""
    if draft.stable is None or target.stable:
        return None
    held = draft.paused or freeze_of(draft, target)
    if held is None or not target.promoted:
        return held
    return Reason(held.reason, f"{held.message}; revision {target.hash} served before: {way_back(draft, target)}")


def way_back(draft: Draft, target: Revision) -> str:
    """A hold is there for what nobody has seen serve. Who leaves what is bad is not to wait for its end."""
    return f"`kubectl plimsoll rollback {draft.observed.owner.called} {target.hash}` goes back to it now"
