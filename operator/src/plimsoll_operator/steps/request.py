"""Is anything asked for beside the spec? Reads the annotation and decides what becomes of it, once per ID.

What was answered for good is remembered by the history, not by status: in the same write as what was decided for it. So
a request that was carried out stays so when status is lost, when the operator ends before it wrote one, and when the
annotation is still there on an object that is restored, or goes back to what it was.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from plimsoll_operator.conditions import timestamp
from plimsoll_operator.names import ANNOTATION_REQUEST
from plimsoll_operator.observed import Manifest, Observed, Revision
from plimsoll_operator.requests import Answer, InvalidRequestError, Ledger, Request, Restarts, parse_request
from plimsoll_operator.spec import revision_input
from plimsoll_operator.steps.asked_for import asked_for, possible_hashes
from plimsoll_operator.steps.draft import Draft, Reason
from plimsoll_operator.steps.held import pause_of
from plimsoll_operator.steps.verbs.asked import Asked
from plimsoll_operator.steps.verbs.table import VERBS

PROMOTE = "promote"
RESTART = "restart"
ROLLBACK = "rollback"
FINAL = ("Accepted", "Refused", "Outdated")
CARRIED_OUT = "carried out; the rollout says how far it is"
REFUSED = "it was refused; ask again with another ID"


def heed_the_request(draft: Draft) -> Draft:
    """Set what becomes of the request and what it decides: marks of revisions, a restart, an order, a pause."""
    history = _with_one_stable(draft.observed)
    draft = replace(draft, revisions=history, ledger=_answered_so_far(history), restarts=_restarts_so_far(draft))
    draft = _answer(draft)
    return replace(draft, paused=_paused(draft))


def _answer(draft: Draft) -> Draft:
    text = draft.observed.owner.annotations.get(ANNOTATION_REQUEST)
    if text is None:
        return draft
    try:
        request = parse_request(text)
    except InvalidRequestError as error:
        return replace(draft, answer=Answer(Request("", ""), "Invalid", str(error)))
    if before := _answered_before(draft, request):
        return replace(draft, answer=before)
    draft = _carry_out(draft, request)
    if draft.answer is None or not draft.answer.is_final:
        return draft
    done = draft.answer.outcome == "Accepted"
    return replace(draft, ledger=draft.ledger.followed_by(request, done=done, revision=draft.answer.revision))


def _carry_out(draft: Draft, request: Request) -> Draft:
    present = asked_for(draft)
    asked = Asked(draft, request, present)
    bound = (request.revision or _waits_for(draft, request)) if request.verb != ROLLBACK else ""
    if bound and (present is None or present.hash != bound):
        return asked.outdated(bound)
    return VERBS[request.verb](asked)


def _waits_for(draft: Draft, request: Request) -> str:
    """The revision that a request without one was meant for: that of the spec when it was first seen."""
    told = last_told(draft.observed)
    same = (told.get("id"), told.get("verb"), told.get("outcome")) == (request.id, request.verb, "Waiting")
    return str(told.get("revision", "")) if same else ""


def _answered_before(draft: Draft, request: Request) -> Answer | None:
    """The answer that was given to this ID, by status or, should that be lost, by the history."""
    told, ledger = last_told(draft.observed), draft.ledger
    by_status = told.get("id") == request.id and told.get("outcome") in FINAL
    restarted = request.id in draft.restarts.ids
    verb = ledger.verb_of(request.id) or (RESTART if restarted else "") or (told["verb"] if by_status else "")
    if verb and verb != request.verb:
        message = f"ID {request.id} was used for {verb} already: give each request one of its own"
        return Answer(request, "Refused", message)
    if by_status and told["verb"] == verb:
        return Answer(request, told["outcome"], told["message"], told.get("revision", ""))
    if restarted or ledger.carried_out(request.id):
        return Answer(request, "Accepted", CARRIED_OUT, ledger.revision_of(request.id))
    return Answer(request, "Refused", REFUSED) if verb else None


def last_request(draft: Draft) -> dict[str, Any]:
    """What status says of the last request, when there ever was one."""
    stored = last_told(draft.observed)
    answer = draft.answer
    if answer is None:
        return {"lastRequest": stored} if stored else {}
    request = answer.request
    told = {"id": request.id, "verb": request.verb, "outcome": answer.outcome, "message": answer.message}
    if answer.repeats(stored):
        # With the revision that carried it out, also after others have come.
        return {"lastRequest": {**stored, **told}}
    if revision := answer.revision or _restarted(draft, request):
        told["revision"] = revision
    return {"lastRequest": {**told, "at": timestamp(draft.now)}}


def last_told(observed: Observed) -> Manifest:
    told: Manifest = observed.owner.status.get("rollout", {}).get("lastRequest", {})
    return told


def _restarted(draft: Draft, request: Request) -> str:
    """The revision that a restart made, once there is one."""
    target = draft.target
    return target.hash if target is not None and target.restarts.nonce == request.id else ""


def _with_one_stable(observed: Observed) -> tuple[Revision, ...]:
    """The history, where an operator killed during a promotion may have left two revisions marked as stable."""
    stable = observed.stable
    return tuple(
        # What serves was not taken back, whatever somebody wrote on it.
        replace(revision, stable=True, promoted=True, rejected=None)
        if revision is stable
        else replace(revision, stable=False)
        for revision in observed.revisions
    )


def _answered_so_far(history: tuple[Revision, ...]) -> Ledger:
    return max((revision.ledger for revision in history), key=_answers, default=Ledger())


def _answers(ledger: Ledger) -> int:
    return ledger.count


def _restarts_so_far(draft: Draft) -> Restarts:
    """The restarts behind the newest revision, or one more where status knows of one that the history has lost."""
    observed = draft.observed
    ever = max((revision.restarts for revision in observed.revisions), key=_count, default=Restarts())
    told = last_told(observed)
    if told.get("verb") != RESTART or told.get("outcome") != "Accepted" or told["id"] in ever.ids:
        return ever
    more = ever.followed_by(told["id"])
    return more if not observed.revisions or _is_lost(draft, told, more) else ever


def _is_lost(draft: Draft, told: Manifest, restarts: Restarts) -> bool:
    """Whether pods of this very spec run for the restart, and only its entry in the history is gone."""
    made = told.get("revision", "")
    kept = {revision.hash for revision in draft.observed.revisions}
    runs = draft.observed.workload(made) is not None and made not in kept
    return runs and made in possible_hashes(revision_input(draft.spec), restarts)


def _count(restarts: Restarts) -> int:
    return restarts.count


def _paused(draft: Draft) -> Reason | None:
    """A promotion overrules a pause from when it is asked for: the pod that it waits for would never come."""
    answer = draft.answer
    overruled = answer is not None and not answer.is_final and answer.request.verb == PROMOTE
    return pause_of(draft, asked_for(draft), by_request=not overruled)
