"""A request as a verb sees it, and the answers that it may give."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from plimsoll_operator.observed import Rejection, Revision
from plimsoll_operator.requests import Answer, Outcome, Request, Restarts
from plimsoll_operator.spec import Spec, revision_input
from plimsoll_operator.steps.draft import Draft


@dataclass(frozen=True)
class Asked:
    """A request that was not answered before. `present` is the revision that the spec asks for, where there is one."""

    draft: Draft
    request: Request
    present: Revision | None

    @property
    def stable(self) -> Revision | None:
        return self.draft.stable

    @property
    def canary(self) -> Revision | None:
        """The revision that is on its way to take the stable one's place."""
        present = self.present
        return present if present and self.stable and not present.stable and not present.rejected else None

    @property
    def command(self) -> str:
        """How the object is named to `kubectl plimsoll`, behind a verb."""
        owner = self.draft.observed.owner
        return f"{owner.name} -n {owner.namespace}"

    def accept(self, message: str, revision: Revision | None = None, *marked: Revision) -> Draft:
        """Carried out; `marked` are revisions with what was decided of them."""
        new = {each.hash: each for each in marked}
        revisions = tuple(new.get(each.hash, each) for each in self.draft.revisions)
        return replace(self._answered("Accepted", message, revision), revisions=revisions)

    def refuse(self, message: str) -> Draft:
        """Nothing is done, now or later: the message says what to do instead."""
        return self._answered("Refused", message)

    def wait(self, message: str, revision: Revision | None = None) -> Draft:
        """Asked again at each reconcile, until it can be carried out or refused; of no other revision than this."""
        return self._answered("Waiting", message, revision)

    def outdated(self, bound: str) -> Draft:
        present = f"it asks for {self.present.hash}" if self.present else "the one that it asks for cannot be made yet"
        message = f"revision {bound} is not the one that the spec asks for, {present}: nothing was done"
        return self._answered("Outdated", message)

    def _answered(self, outcome: Outcome, message: str, revision: Revision | None = None) -> Draft:
        return replace(self.draft, answer=Answer(self.request, outcome, message, revision.hash if revision else ""))


Verb = Callable[[Asked], Draft]


def asked_for(revisions: Iterable[Revision], spec: Spec, restarts: Restarts) -> Revision | None:
    """The revision that holds this very spec after these restarts, where the history has one."""
    wanted = revision_input(spec)
    known = (found for found in revisions if found.input == wanted and found.restarts == restarts)
    return max(known, key=lambda revision: (revision.stable, revision.number), default=None)


def by_request(asked: Asked, reason: str, what: str) -> Rejection:
    return Rejection(
        reason, f"{what} by request {asked.request.id}; `kubectl plimsoll retry {asked.command}` tries again"
    )
