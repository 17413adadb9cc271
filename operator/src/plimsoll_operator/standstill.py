"""What an object says when nothing can be decided or written: only a status; nothing that runs changes."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from plimsoll_operator.announcements import announce
from plimsoll_operator.conditions import Condition, render_conditions, truth
from plimsoll_operator.observed import Observed
from plimsoll_operator.plan import Plan
from plimsoll_operator.spec import InvalidSpecError
from plimsoll_operator.steps.draft import Reason
from plimsoll_operator.steps.judgement import available

_NUMBER = re.compile(r"\d+")
_NOT_STALLED = Reason("NotStalled", "it is tried again")

CRD_LOOK = timedelta(seconds=5)
"""Until an object that waits for a newer CRD is looked at again: no event of its own tells of that."""


def spec_unreadable(observed: Observed, error: InvalidSpecError, now: datetime) -> Plan:
    """The CRD's schema should have refused this spec."""
    message = f"{error}. The CRD should have refused this: upgrade it together with the operator"
    return _told(observed, Reason("InvalidSpec", message), now)


def write_refused(observed: Observed, refusal: str, now: datetime) -> Plan:
    """A write that the apiserver refuses for good, by quota or admission, ends a plan before its status: say so."""
    message = f"the apiserver refuses what this object needs: {refusal}. Change the spec, or what refuses it"
    return _told(observed, Reason("WriteRefused", message), now)


def write_failing(observed: Observed, failure: str, now: datetime) -> Plan:
    """A write fails again and again and may yet succeed: a webhook that is down, an apiserver that is busy."""
    message = f"what this object needs cannot be written, and is tried again: {failure}. See why that gets no answer"
    return _told(observed, _steady(Reason("WriteFailing", message), observed), now, stalled=False)


def revision_unreadable(observed: Observed, now: datetime) -> Plan:
    """Without all of the history nobody knows whether a revision is new: to guess could restart every pod."""
    return _told(observed, Reason("RevisionUnreadable", observed.unreadable), now)


def crd_outdated(observed: Observed, lack: str, now: datetime) -> Plan:
    """The installed CRD is older than this operator.

    What it does not declare is dropped from the spec before anybody reads it, so the spec as read may not be what the
    user wrote: to act on it could restart pods for a field that only seems to be gone.
    """
    message = (
        f"the installed CRD is older than this operator: {lack}. Upgrade the CRD, which comes with the chart; "
        "what runs is left as it is until then"
    )
    return _told(observed, Reason("CRDOutdated", message), now, look_again=CRD_LOOK)


def _steady(cause: Reason, observed: Observed) -> Reason:
    """`cause` in the words that are stored, where only numbers differ.

    Some are new each time, such as the port of a connection that was refused; and a status that is written wakes
    whoever watches the object, the operator first.
    """
    for condition in observed.owner.status.get("conditions", ()):
        stored = Reason(condition["reason"], condition["message"])
        if condition["type"] == "Ready" and _without_numbers(stored) == _without_numbers(cause):
            return stored
    return cause


def _without_numbers(cause: Reason) -> str:
    return _NUMBER.sub("#", f"{cause.reason} {cause.message}")


def _told(
    observed: Observed, cause: Reason, now: datetime, *, stalled: bool = True, look_again: timedelta | None = None
) -> Plan:
    """Only a status: that the object waits for a person or for the cluster, and why. The rest stays as it is stored."""
    stored = observed.owner.status
    conditions = [
        available(observed, cause),
        Condition("Ready", "False", *cause),
        Condition("Reconciling", truth(not stalled), *cause),
        Condition("Stalled", "True", *cause) if stalled else Condition("Stalled", "False", *_NOT_STALLED),
    ]
    told = {condition.type for condition in conditions}
    kept = [condition for condition in stored.get("conditions", ()) if condition["type"] not in told]
    rendered = render_conditions(conditions, stored.get("conditions", ()), observed.owner.generation, now)
    status = {
        **stored,
        "observedGeneration": observed.owner.generation,
        "replicas": observed.replicas,
        "readyReplicas": observed.ready,
        "conditions": [*rendered, *kept],
    }
    return Plan(
        status=status if status != stored else None,
        events=announce(conditions, observed.owner, {}),
        requeue_after=look_again,
    )
