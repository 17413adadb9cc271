"""abort: the canary is taken back now, and not tried again until `retry`.

A restart asks for what serves already: with it, running or taken back, nothing is left that the spec asks for in vain.
"""

from __future__ import annotations

from dataclasses import replace

from plimsoll_operator.observed import Rejection
from plimsoll_operator.steps.draft import Draft
from plimsoll_operator.steps.verbs.asked import Asked, by_request, without_the_restart
from plimsoll_operator.steps.verbs.rollback import before


def abort(asked: Asked) -> Draft:
    if asked.present is None and not asked.request.revision and not asked.draft.blocked and asked.stable:
        return asked.wait("the revision that the spec asks for is being made")
    present, stable, canary = asked.present, asked.stable, asked.canary
    if present is not None and stable is not None and asked.is_restart:
        because = Rejection("Aborted", f"aborted by request {asked.request.id}")
        return without_the_restart(asked, present, stable, because)
    if canary is None or asked.stable is None:
        return asked.refuse(_why_there_is_none(asked))
    rejected = replace(canary, rejected=by_request(asked, "Aborted", "aborted"))
    return asked.accept(
        f"revision {canary.hash} ends, and {asked.stable.hash} serves on; take the change back in the spec too",
        canary,
        rejected,
    )


def _why_there_is_none(asked: Asked) -> str:
    present, stable = asked.present, asked.stable
    if present is None:
        why = asked.draft.blocked.message if asked.draft.blocked else "nothing runs yet"
        return f"there is no canary to abort: {why}"
    if present.rejected:
        return f"revision {present.hash} was taken back already ({present.rejected.reason}): {present.rejected.message}"
    if stable is None:
        return f"revision {present.hash} is the first one: there is none to go back to, so change the spec"
    why = f"there is no canary to abort: revision {present.hash}, which the spec asks for, is the stable one"
    return (
        f"{why}. `kubectl plimsoll rollback {asked.command}` goes back to {older}" if (older := before(asked)) else why
    )
