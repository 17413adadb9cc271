"""promote: the canary becomes stable now, whatever the analysis would find."""

from __future__ import annotations

from dataclasses import replace

from plimsoll_operator.observed import Revision
from plimsoll_operator.steps.draft import Draft
from plimsoll_operator.steps.held import freeze_of, way_back
from plimsoll_operator.steps.verbs.asked import Asked

JUDGED = "Canary"


def promote(asked: Asked) -> Draft:
    """A pod of it must serve: traffic is never handed to a revision that nobody has seen ready."""
    if asked.draft.spec.rollout.strategy != JUDGED:
        strategy = asked.draft.spec.rollout.strategy
        return asked.refuse(f"nothing is judged by strategy {strategy}: a rollout goes on by itself, or not at all")
    if asked.present is None and not asked.request.revision and not asked.draft.blocked and asked.stable:
        return asked.wait("the revision that the spec asks for is being made")
    canary = asked.canary
    if canary is None:
        return asked.refuse(_why_there_is_none(asked))
    if hold := _hold(asked, canary):
        served = f". It served before: {way_back(asked.draft, canary)}" if canary.promoted else ""
        return asked.wait(f"{hold}{served}", canary)
    running = asked.draft.observed.workload(canary.hash)
    if running is None or not running.ready:
        return asked.wait(f"no pod of revision {canary.hash} is ready yet: this is carried out when one is", canary)
    draft = asked.accept(f"revision {canary.hash} is stable from now on, and the pods of the others end", canary)
    return replace(draft, order="promote")


def _hold(asked: Asked, canary: Revision) -> str:
    """What no request may overrule, and what ends it; a pause that was asked for ends with this request."""
    if asked.draft.spec.rollout.paused:
        return f"spec.rollout.paused holds revision {canary.hash}: set it to false, and this is carried out"
    if freeze_of(asked.draft, canary):
        return f"the chart's freeze holds revision {canary.hash}: this is carried out after the thaw"
    return ""


def _why_there_is_none(asked: Asked) -> str:
    present, stable = asked.present, asked.stable
    if present is None:
        why = asked.draft.blocked.message if asked.draft.blocked else "nothing runs yet"
        return f"there is no canary to promote: {why}"
    if present.rejected:
        return (
            f"revision {present.hash} was taken back ({present.rejected.reason}), so there is no canary to promote: "
            f"`kubectl plimsoll retry {asked.command}` starts it again"
        )
    if stable is None:
        return f"revision {present.hash} is the first one: it needs no promotion, it is stable once it serves"
    return f"there is no canary to promote: revision {stable.hash}, which the spec asks for, is the stable one"
