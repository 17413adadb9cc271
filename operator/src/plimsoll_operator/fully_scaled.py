"""Does every pod serve that is asked for? A scale-up that gets nothing hurts nobody yet, and is easily overlooked."""

from __future__ import annotations

from datetime import datetime, timedelta

from plimsoll_operator.conditions import Condition
from plimsoll_operator.diagnosis import diagnose
from plimsoll_operator.steps.draft import Draft, Reason
from plimsoll_operator.steps.starts import silent_pods

KIND = "FullyScaled"

GRACE = timedelta(seconds=30)
"""An ordinary scale-up lacks this and that for a moment."""


def fully_scaled(draft: Draft) -> Condition:
    """The condition `FullyScaled`: no part of whether the object is ready, for which `minReplicas` pods suffice."""
    resting = draft.resting
    if resting is None:
        return Condition(KIND, "Unknown", "NotAtRest", "no revision is at rest: Ready tells of a rollout's pods")
    words = f"{resting.ready} of {_asked_for(draft)} pods that are asked for are ready"
    if resting.ready >= _asked_for(draft):
        return Condition(KIND, "True", "AsAsked", words)
    cause = _lack(draft)
    if cause is None or draft.now < _grace_ends(draft):
        return Condition(KIND, "Unknown", "ScalingUp", words)
    return Condition(KIND, "False", cause.reason, f"{words}: {cause.message}")


def grace_left(draft: Draft) -> timedelta | None:
    """Until something that pods lack has lasted too long to be of an ordinary scale-up."""
    return _grace_ends(draft) - draft.now if _lack(draft) else None


def _asked_for(draft: Draft) -> int:
    """By the autoscaler, or by `minReplicas` before it has come to that."""
    return max(draft.resting.replicas if draft.resting else 0, draft.spec.scaling.min_replicas)


def _lack(draft: Draft) -> Reason | None:
    short = draft.resting is not None and draft.resting.ready < _asked_for(draft)
    return diagnose(draft.resting, silent_pods(draft)) if short else None


def _grace_ends(draft: Draft) -> datetime:
    """After the condition has ceased to be true, or the last rollout has ended. A lack that was told has no other."""
    stored = draft.observed.owner.status.get("conditions", ())
    before = next((condition for condition in stored if condition["type"] == KIND), None)
    if before is None or before["status"] == "True":
        return draft.now + GRACE
    if before["status"] == "False":
        return draft.now
    since = datetime.fromisoformat(before["lastTransitionTime"])
    return max(since, draft.rollout_finished or since) + GRACE
