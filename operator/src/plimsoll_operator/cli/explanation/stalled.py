"""An object that gets no further: that comes first, whatever its rollout's phase says, with what to do about it."""

from __future__ import annotations

from collections.abc import Mapping

from plimsoll_operator.cli.explanation.trial import Json, rejected_now

OF_THE_ROLLOUT = "RolledBack"
"""A reason that the rollout tells in full: what was decided, on which figures, and how to go on."""

_MEND = "mend what is named above; it goes on by itself then, though the deadline is over"
_ABORT = "kubectl plimsoll abort {name} takes the change back: what served before it serves on"
_RETRY = "kubectl plimsoll retry {name} goes on with revision {asked_for} after all, which was left for this one"
_ROLLBACK = "kubectl plimsoll rollback {name} returns to the revision before"
_CHANGE = "or change the spec: nothing served before this revision, so there is nothing to go back to"

BY_REASON: Mapping[str, str] = {
    "GPUProfileNotFound": "write a profile of the chart's gpuProfiles into spec.gpu.profile, or add one to the chart",
    "GPUProfilesUnreadable": "upgrade or correct the release: the chart's table of GPU profiles is missing or broken",
    "ClaimNotFound": "create the claim that spec.model.uri names",
    "NothingFits": "lower the smallest tier's maxTokens, or choose a GPU with more memory",
    "NameTaken": "rename or delete one of the two objects that want the same name",
    "WriteRefused": "change the quota, the right or the admission policy that refuses the object, or the spec",
    "RevisionUnreadable": "restore the ControllerRevision that is named, or delete it to have it made again",
    "InvalidSpec": "upgrade the CRD together with the operator",
    "CRDOutdated": "upgrade the CRD, which comes with the chart: nothing that runs is touched until then",
}
_AS_IT_SAYS = "do what is named above: nothing changes without you"


def stalled_by(found: Json) -> Json:
    """The condition `Stalled` where it holds for this spec, unless the rollout's own story tells it; else empty."""
    generation = found["metadata"].get("generation")
    for condition in found.get("status", {}).get("conditions", ()):
        if condition["type"] == "Stalled" and condition["status"] == "True":
            is_current = condition.get("observedGeneration") == generation
            return condition if is_current and condition["reason"] != OF_THE_ROLLOUT else {}
    return {}


def next_steps(reason: str, status: Json) -> tuple[str, ...]:
    """What to do about it, with `{name}` for the object and `{asked_for}` for what its spec asks for in vain."""
    rollout: Json = status.get("rollout", {})
    if reason != "ProgressDeadlineExceeded":
        return (BY_REASON.get(reason, _AS_IT_SAYS), "kubectl plimsoll status {name} tells how its pods stand")
    if not rollout.get("stable"):
        return _MEND, _CHANGE
    if rollout.get("phase") == "RollingBack":
        return _MEND, _RETRY if rejected_now(status) else _back(status)
    return (_MEND, _ABORT) if rollout.get("canary") else (_MEND, _back(status))


def _back(status: Json) -> str:
    served = (one for one in status.get("revisions", ()) if one.get("promoted") and not one.get("stable"))
    return _ROLLBACK if any(not one.get("rejected") for one in served) else _CHANGE
