"""Is anything asked for beside the spec? Reads the annotation and decides what becomes of it, once per ID.

What was carried out is remembered by the history, not by status: each revision keeps the restarts that led to it. So a
request that was carried out stays so when status is lost, when the operator ends before it wrote one, and when the
annotation is still there on an object that is restored.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from plimsoll_operator.conditions import timestamp
from plimsoll_operator.names import ANNOTATION_REQUEST
from plimsoll_operator.observed import Revision
from plimsoll_operator.requests import Answer, InvalidRequestError, Outcome, Request, Restarts, parse_request
from plimsoll_operator.spec import Spec, revision_input
from plimsoll_operator.steps.draft import Draft

RESTART = "restart"
CARRIED_OUT = "a revision was rendered anew for this request; the rollout says how far it is"


def heed_the_request(draft: Draft) -> Draft:
    """Set the restarts that the target is to have behind it, and the answer to what the annotation asks."""
    draft = replace(draft, restarts=_so_far(draft))
    text = draft.observed.owner.annotations.get(ANNOTATION_REQUEST)
    if text is None:
        return draft
    try:
        request = parse_request(text)
    except InvalidRequestError as error:
        return _answered(draft, Request("", ""), "Invalid", str(error))
    if request.verb != RESTART:
        return _answered(draft, request, "Unsupported", f"this operator cannot {request.verb} yet: nothing was done")
    return _restart(draft, request)


def _restart(draft: Draft, request: Request) -> Draft:
    if request.id in draft.restarts.ids:
        return _answered(draft, request, "Accepted", CARRIED_OUT)
    if not draft.observed.revisions:
        # Nothing runs, so nothing is to be restarted: an old annotation on an object that was made anew.
        draft = replace(draft, restarts=draft.restarts.followed_by(request.id))
        return _answered(draft, request, "Accepted", CARRIED_OUT)
    present = asked_for(draft.observed.revisions, draft.spec, draft.restarts)
    if _told_outdated(draft, request) or (request.revision and (present is None or present.hash != request.revision)):
        message = f"revision {request.revision} is no longer the one that the spec asks for: nothing was done"
        return _answered(draft, request, "Outdated", message)
    if draft.blocked or draft.profile is None:
        why = draft.blocked.message if draft.blocked else "the GPU profile is not known"
        return _answered(draft, request, "Waiting", f"no new revision can be made yet: {why}")
    draft = replace(draft, restarts=draft.restarts.followed_by(request.id))
    return _answered(draft, request, "Accepted", CARRIED_OUT)


def asked_for(revisions: Iterable[Revision], spec: Spec, restarts: Restarts) -> Revision | None:
    """The revision that holds this very spec after these restarts, where the history has one."""
    wanted = revision_input(spec)
    known = (found for found in revisions if found.input == wanted and found.restarts == restarts)
    return max(known, key=lambda revision: (revision.stable, revision.number), default=None)


def last_request(draft: Draft) -> dict[str, Any]:
    """What status says of the last request, when there ever was one."""
    stored = draft.observed.owner.status.get("rollout", {}).get("lastRequest", {})
    answer = draft.answer
    if answer is None:
        return {"lastRequest": stored} if stored else {}
    request = answer.request
    told = {"id": request.id, "verb": request.verb, "outcome": answer.outcome, "message": answer.message}
    if answer.repeats(stored):
        # The revision that carried it out, also after others have come.
        return {"lastRequest": {**stored, **told}}
    if draft.target is not None and answer.outcome == "Accepted" and draft.target.restarts.nonce == request.id:
        told["revision"] = draft.target.hash
    return {"lastRequest": {**told, "at": timestamp(draft.now)}}


def _so_far(draft: Draft) -> Restarts:
    """The restarts behind the newest revision, or one more where status knows of one that the history has lost."""
    ever = max((revision.restarts for revision in draft.observed.revisions), key=_count, default=Restarts())
    told = draft.observed.owner.status.get("rollout", {}).get("lastRequest", {})
    carried_out = told.get("verb") == RESTART and told.get("outcome") == "Accepted"
    return ever.followed_by(told["id"]) if carried_out and told["id"] not in ever.ids else ever


def _count(restarts: Restarts) -> int:
    return restarts.count


def _told_outdated(draft: Draft, request: Request) -> bool:
    """Once too late is too late for good, also when the spec comes back to the revision that was meant."""
    told = draft.observed.owner.status.get("rollout", {}).get("lastRequest", {})
    return (told.get("id"), told.get("outcome")) == (request.id, "Outdated")


def _answered(draft: Draft, request: Request, outcome: Outcome, message: str) -> Draft:
    return replace(draft, answer=Answer(request, outcome, message))
