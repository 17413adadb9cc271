"""restart: the spec is rendered anew into a revision of its own, which the rollout judges like any other."""

from __future__ import annotations

from dataclasses import replace

from plimsoll_operator.steps.draft import Draft
from plimsoll_operator.steps.verbs.asked import Asked

CARRIED_OUT = "a revision was rendered anew for this request; the rollout says how far it is"


def restart(asked: Asked) -> Draft:
    draft, request, present = asked.draft, asked.request, asked.present
    if present and present.rejected and not _serves_already(asked):
        return asked.refuse(
            f"revision {present.hash}, which the spec asks for, was taken back ({present.rejected.reason}), and a "
            f"restart would roll it out again: take the change back, or `kubectl plimsoll retry {asked.command}`"
        )
    # Where nothing runs, nothing is to be restarted: an old annotation on an object that was made anew.
    if draft.revisions and (draft.blocked or draft.profile is None):
        why = draft.blocked.message if draft.blocked else "the GPU profile is not known"
        return asked.wait(f"no new revision can be made yet: {why}")
    return replace(asked.accept(CARRIED_OUT), restarts=draft.restarts.followed_by(request.id))


def _serves_already(asked: Asked) -> bool:
    """What was taken back is another restart: the spec's own input serves, so it may be rendered once more."""
    present, stable = asked.present, asked.stable
    return present is not None and stable is not None and present.input == stable.input
