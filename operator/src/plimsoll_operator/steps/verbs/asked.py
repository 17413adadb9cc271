"""A request as a verb sees it, and the answers that it may give."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from plimsoll_operator.observed import Rejection, Revision
from plimsoll_operator.requests import Answer, Outcome, Request
from plimsoll_operator.steps.asked_for import is_a_restart, newest
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
    def is_restart(self) -> bool:
        """The stable revision, rendered anew, is on its way or was taken back: the spec is what serves already."""
        return is_a_restart(self.draft, self.present)

    @property
    def next_number(self) -> int:
        last = newest(self.draft)
        return last.number + 1 if last else 1

    @property
    def command(self) -> str:
        """How the object is named to `kubectl plimsoll`, behind a verb."""
        return self.draft.observed.owner.called

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


def by_request(asked: Asked, reason: str, what: str) -> Rejection:
    return Rejection(
        reason, f"{what} by request {asked.request.id}; `kubectl plimsoll retry {asked.command}` tries again"
    )


def without_the_restart(asked: Asked, present: Revision, stable: Revision, rejected: Rejection) -> Draft:
    """The stable revision is what the spec asks for again, since it is of the same spec: nothing is left to change."""
    taken_back = replace(present, rejected=present.rejected or rejected)
    # The newest one of a spec counts. Its entry is written first, with the answer: all of it, or none.
    again = replace(stable, number=asked.next_number, rejected=None)
    message = f"the restart is over: revision {stable.hash}, which is of the same spec, serves on"
    return asked.accept(message, present, taken_back, again)
