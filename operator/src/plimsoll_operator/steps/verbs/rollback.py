"""rollback: a revision that has served before is stable again, and the one that the spec asks for is taken back."""

from __future__ import annotations

from dataclasses import replace

from plimsoll_operator.observed import Rejection, Revision
from plimsoll_operator.steps.draft import Draft
from plimsoll_operator.steps.held import freeze_of, pause_of
from plimsoll_operator.steps.verbs.asked import Asked, by_request, without_the_restart

LISTED = 10
"""Revisions that a refusal names."""


def rollback(asked: Asked) -> Draft:
    """To the named revision, else to the one that was stable before. Its pods run the template they ran then."""
    if left := _restart_left(asked):
        return left
    if refusal := _taken_back_already(asked):
        return asked.refuse(refusal)
    wanted = asked.request.revision or before(asked)
    found = next((revision for revision in asked.draft.revisions if revision.hash == wanted), None)
    if found is None or (refusal := _why_not(asked, found)):
        return asked.refuse(refusal if found else _not_there(asked, wanted))
    # The newest of two stable ones counts, should the operator end between the writes to them.
    number = found.number if found.number == asked.next_number - 1 else asked.next_number
    back = replace(found, stable=True, promoted=True, rejected=None, number=number)
    others = [replace(revision, stable=False) for revision in asked.draft.revisions if revision.hash != found.hash]
    same = asked.present is not None and asked.present.input == found.input
    todo = "the spec is that of this revision already" if same else "set the spec back too"
    message = f"revision {found.hash} is stable from now on, and the pods of the others end; {todo}"
    return asked.accept(message, found, back, *(_taken_back(asked, found, each) for each in others))


def _restart_left(asked: Asked) -> Draft | None:
    """Back from a restart to what it would have replaced: by name, or where it was taken back already."""
    present, stable = asked.present, asked.stable
    if present is None or stable is None or not asked.is_restart or asked.draft.observed.half_promoted:
        return None
    if asked.request.revision != stable.hash and (asked.request.revision or not present.rejected):
        return None
    because = Rejection("RolledBackByRequest", f"rolled back to {stable.hash} by request {asked.request.id}")
    return without_the_restart(asked, present, stable, because)


def _taken_back(asked: Asked, found: Revision, other: Revision) -> Revision:
    """Marked, if the spec would have it tried again; its other renderings too, where `found` is none of them."""
    present = asked.present
    if present is None or other.input != present.input:
        return other
    what = f"rolled back to {found.hash}"
    if found.input != present.input:
        # What it was taken back for first stays told: the evidence, not who went further back since.
        return replace(other, rejected=other.rejected or by_request(asked, "RolledBackByRequest", what))
    if other.hash != present.hash:
        return other
    return replace(other, rejected=Rejection("RolledBackByRequest", f"{what} by request {asked.request.id}"))


def _taken_back_already(asked: Asked) -> str:
    """Why nothing is rolled back without a name: what serves is what served before the change, and it is well."""
    present, stable = asked.present, asked.stable
    if asked.request.revision or stable is None or present is None or not present.rejected:
        return ""
    if asked.draft.observed.half_promoted:
        return ""
    older = before(asked)
    further = (
        f"`kubectl plimsoll rollback {asked.command} {older}` goes further back"
        if older
        else "the history has no other revision that served before"
    )
    already = (
        f"revision {present.hash} was taken back already ({present.rejected.reason}), and {stable.hash}, which served "
        "before it,"
    )
    running = asked.draft.observed.workload(stable.hash)
    if running and running.ready:
        return f"{already} serves: {further}"
    again = f"`kubectl plimsoll retry {asked.command}` tries {present.hash} again"
    return f"{already} is to serve, but no pod of it is ready: {again}; {further}"


def before(asked: Asked) -> str:
    """The revision that was stable before; the present one where the operator ended while it went back to it."""
    if asked.draft.observed.half_promoted and asked.stable is not asked.present and asked.stable:
        return asked.stable.hash
    if asked.canary is not None:
        return asked.canary.hash if _is_held_back(asked, asked.canary) else ""
    served = [each for each in asked.draft.revisions if each.promoted and not each.stable and not each.rejected]
    return max(served, key=lambda revision: revision.number).hash if served else ""


def _is_held_back(asked: Asked, canary: Revision) -> bool:
    """It served before and would be back by itself: only a hold is in the way of what the spec says already."""
    return canary.promoted and bool(pause_of(asked.draft, canary) or freeze_of(asked.draft, canary))


def _not_there(asked: Asked, wanted: str) -> str:
    if not wanted and asked.canary is not None and asked.stable is not None:
        named = "a rollback to a named one leaves both"
        if asked.canary.promoted:
            named = f"`kubectl plimsoll rollback {asked.command} {asked.canary.hash}` leaves the other for it now"
        return (
            f"revision {asked.canary.hash} is on its way, and which one to leave is not said: "
            f"`kubectl plimsoll abort {asked.command}` stays with {asked.stable.hash}, and {named}"
        )
    served = [each.hash for each in asked.draft.revisions if each.promoted and not each.stable]
    offer = f"it has {', '.join(served[:LISTED])}" if served else "it has none that served before"
    what = f"revision {wanted} is not in the history" if wanted else "the history has no revision to go back to"
    return f"{what}: {offer}. How many are kept is spec.rollout.revisionHistoryLimit"


def _why_not(asked: Asked, found: Revision) -> str:
    """Why it cannot be gone back to, or an empty string."""
    if asked.present is not None and found.hash == asked.present.hash:
        if found.stable:
            return f"revision {found.hash} is the stable one and the one that the spec asks for"
        if found.rejected or not found.promoted:
            return (
                f"revision {found.hash} is the one that the spec asks for: `kubectl plimsoll "
                f"{'retry' if found.rejected else 'promote'} {asked.command}` is for that"
            )
        # It would come back by itself, with its first ready pod and where nothing holds it: now it need not.
        return ""
    if not found.promoted:
        return f"revision {found.hash} never served as the stable one: change the spec to it, and it is judged first"
    if found.stable and (asked.present is None or asked.present.rejected):
        return f"revision {found.hash} is the stable one already"
    return ""
