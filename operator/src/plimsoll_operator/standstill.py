"""What an object says when nothing can be decided or written: only a status; nothing that runs changes."""

from __future__ import annotations

from datetime import datetime, timedelta

from plimsoll_operator.announcements import announce
from plimsoll_operator.conditions import Condition, render_conditions
from plimsoll_operator.observed import Observed
from plimsoll_operator.plan import Plan
from plimsoll_operator.spec import InvalidSpecError
from plimsoll_operator.steps.draft import Reason
from plimsoll_operator.steps.judgement import available

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


def _told(observed: Observed, cause: Reason, now: datetime, look_again: timedelta | None = None) -> Plan:
    """Only a status: that the object is stalled, and why. Its other fields stay as they are stored."""
    stored = observed.owner.status
    conditions = [
        available(observed, cause),
        Condition("Ready", "False", *cause),
        Condition("Reconciling", "False", *cause),
        Condition("Stalled", "True", *cause),
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
        events=announce(conditions, stored, {}),
        requeue_after=look_again,
    )
