"""What a person asks for beside the spec: one annotation, carried out once per ID and acknowledged in status.

A command such as a restart is no state, so it cannot stand in the spec: GitOps would undo it, or repeat it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal

VERBS = ("promote", "abort", "retry", "restart", "rollback", "pause", "resume")

REMEMBERED = 20
"""Restarts of which the IDs are kept: an annotation that goes back to one of them asks for nothing."""

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


Outcome = Literal["Accepted", "Waiting", "Outdated", "Unsupported", "Invalid"]


@dataclass(frozen=True)
class Answer:
    """What became of a request. Only `Waiting` may still change."""

    request: Request
    outcome: Outcome
    message: str

    def repeats(self, stored: dict[str, Any]) -> bool:
        """Whether `status.rollout.lastRequest` says this already, and since when."""
        return (stored.get("id"), stored.get("outcome")) == (self.request.id, self.outcome)
