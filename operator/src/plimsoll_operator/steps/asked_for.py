"""Which revision of the history is it that the spec asks for?

A restart renders the spec's input anew. It belongs to that input, and to the time in which the spec asks for it: a spec
that was changed and comes back takes what serves, or has served, of its input, whatever was restarted meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator

from plimsoll_operator.names import content_hash
from plimsoll_operator.observed import Manifest, Revision
from plimsoll_operator.requests import Restarts
from plimsoll_operator.spec import revision_input
from plimsoll_operator.steps.draft import Draft

MAX_COLLISIONS = 16


def asked_for(draft: Draft) -> Revision | None:
    """The revision that holds this very spec; None where it is to be made, be it anew for a restart."""
    wanted, last, stable = revision_input(draft.spec), newest(draft), draft.stable
    known = [revision for revision in draft.revisions if revision.input == wanted]
    if last is None or not known or _is_to_be_made_anew(draft):
        return None
    stays = last.input == wanted
    if stable is not None and stable.input == wanted:
        return last if stays and last.restarts.count > stable.restarts.count else stable
    return last if stays else max(known, key=_served_first)


def revision_asked_for(draft: Draft) -> Revision | None:
    """The same once it is chosen; None where it cannot be made."""
    return next((revision for revision in draft.revisions if revision.hash == draft.asked_for), None)


def newest(draft: Draft) -> Revision | None:
    """What was asked for last: a revision that is asked for again becomes the newest of the history."""
    return max(draft.revisions, key=_number, default=None)


def is_a_restart(draft: Draft, revision: Revision | None) -> bool:
    """Whether `revision` is the stable one rendered anew: another one, of the same spec."""
    stable = draft.stable
    return revision is not None and stable is not None and revision.input == stable.input and not revision.stable


def possible_hashes(wanted: Manifest, restarts: Restarts) -> Iterator[str]:
    """Of a revision of this input after these restarts, the first that is free being its own."""
    # One that was never restarted keeps the hash that it had before there were restarts.
    identity = [wanted, restarts.nonce] if restarts.nonce else [wanted]
    return (content_hash([*identity, collision]) for collision in range(MAX_COLLISIONS))


def _is_to_be_made_anew(draft: Draft) -> bool:
    """A restart was asked for that no revision has behind it yet."""
    return all(draft.restarts.count > revision.restarts.count for revision in draft.revisions)


def _number(revision: Revision) -> int:
    return revision.number


def _served_first(revision: Revision) -> tuple[bool, int]:
    return (revision.promoted and revision.rejected is None, revision.number)
