"""What a person asks for beside the spec: one annotation, carried out once per ID and acknowledged in status.

A command such as a restart is no state, so it cannot stand in the spec: GitOps would undo it, or repeat it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

VERBS = ("promote", "abort", "retry", "restart", "rollback", "pause", "resume")

REMEMBERED = 20
"""Requests of which the IDs are kept: an annotation that goes back to one of them asks for nothing."""

QUOTED = 80
"""Characters of an unreadable request that its acknowledgement quotes."""

_FORM = re.compile(r"(?P<verb>[a-z]+)(?:@(?P<revision>[a-z0-9]{1,63}))?#(?P<id>[A-Za-z0-9._-]{1,63})")


class InvalidRequestError(ValueError):
    """The annotation cannot be read; the message says what to write."""


@dataclass(frozen=True)
class Request:
    """One command: what to do, an ID of its own, and the revision that it is bound to, empty for any."""

    verb: str
    id: str
    revision: str = ""

    def __str__(self) -> str:
        return f"{self.verb}{'@' if self.revision else ''}{self.revision}#{self.id}"


def parse_request(text: str) -> Request:
    """Read the annotation. Raises InvalidRequestError."""
    found = _FORM.fullmatch(text)
    if found is None:
        raise InvalidRequestError(
            f"expected VERB#ID or VERB@REVISION#ID, with an ID of at most 63 letters, digits, '.', '_' and '-', "
            f"found {text[:QUOTED]!r}; `kubectl plimsoll` writes it for you"
        )
    if found["verb"] not in VERBS:
        raise InvalidRequestError(f"expected one of the verbs {', '.join(VERBS)}, found {found['verb'][:QUOTED]!r}")
    return Request(found["verb"], found["id"], found["revision"] or "")


@dataclass(frozen=True)
class Restarts:
    """The restarts that led to a revision: how many there ever were, and the IDs of the latest, the newest last."""

    count: int = 0
    ids: tuple[str, ...] = ()

    @property
    def nonce(self) -> str:
        """What tells a restarted revision from the one before it; empty for one that never was."""
        return self.ids[-1] if self.ids else ""

    def followed_by(self, request_id: str) -> Restarts:
        return Restarts(self.count + 1, (*self.ids, request_id)[-REMEMBERED:])


Outcome = Literal["Accepted", "Waiting", "Refused", "Outdated", "Invalid"]


@dataclass(frozen=True)
class Ledger:
    """The requests that were answered for good: how many there ever were, the latest of them, and the pause in force.

    The history keeps it beside the decisions that the requests led to, so a request is carried out once whatever
    becomes of status. An entry is the request as it was written, with the revision that it came to be about, and a `!`
    behind it where nothing was done.
    """

    count: int = 0
    entries: tuple[str, ...] = ()
    pause: str = ""

    def followed_by(self, request: Request, *, done: bool, revision: str = "") -> Ledger:
        """One more answer, about `revision`. A pause lasts until a `resume`, or a `promote` that overrules it."""
        told = replace(request, revision=request.revision or revision)
        latest = (*self.entries, f"{told}{'' if done else '!'}")[-REMEMBERED:]
        pause = str(request) if request.verb == "pause" else ""
        return Ledger(self.count + 1, latest, pause if done and request.verb in _OF_PAUSES else self.pause)

    def verb_of(self, request_id: str) -> str:
        """What this ID was used for; empty for a new one."""
        return next((told.verb for told, _ in self._told() if told.id == request_id), "")

    def revision_of(self, request_id: str) -> str:
        """What the request with this ID was about; empty where that is not known."""
        return next((told.revision for told, _ in self._told() if told.id == request_id), "")

    def carried_out(self, request_id: str) -> bool:
        return any(told.id == request_id and done for told, done in self._told())

    def _told(self) -> Iterator[tuple[Request, bool]]:
        """Each request, and whether it was carried out."""
        for entry in self.entries:
            what, _, request_id = entry.removesuffix("!").rpartition("#")
            verb, _, revision = what.partition("@")
            yield Request(verb, request_id, revision), not entry.endswith("!")

    def pauses(self, revision: str) -> Request | None:
        """The pause that holds this revision's rollout: one that names none holds any."""
        request = parse_request(self.pause) if self.pause else None
        return request if request and request.revision in ("", revision) else None


_OF_PAUSES = ("pause", "resume", "promote")


@dataclass(frozen=True)
class Answer:
    """What became of a request, and which revision it is about. Only `Waiting` may still change."""

    request: Request
    outcome: Outcome
    message: str
    revision: str = ""

    @property
    def is_final(self) -> bool:
        return self.outcome != "Waiting"

    def repeats(self, stored: Mapping[str, Any]) -> bool:
        """Whether `status.rollout.lastRequest` says this already, and since when."""
        said = (stored.get("id"), stored.get("verb"), stored.get("outcome"))
        return said == (self.request.id, self.request.verb, self.outcome)
