"""When was it decided? The moment at which the revision on its way was promoted or taken back, kept in status."""

from __future__ import annotations

from datetime import datetime

from plimsoll_operator.conditions import moment_of
from plimsoll_operator.observed import Manifest
from plimsoll_operator.rollout.situation import Move
from plimsoll_operator.steps.draft import Draft

_TAKEN_BACK = ("RollingBack", "RolledBack")


def decided_at(draft: Draft, move: Move) -> datetime | None:
    """Now, at the look that decides; then as status has kept it, until another revision is on its way."""
    stored: Manifest = draft.observed.owner.status.get("rollout", {})
    if move.promote or move.reject or _was_decided_since(draft, move, stored):
        return draft.now
    if draft.canary and move.phase != "RollingBack":
        return None
    return moment_of(stored.get("decidedAt"))


def _was_decided_since(draft: Draft, move: Move, stored: Manifest) -> bool:
    """By a person's request, or by an operator that ended before it wrote so: status still tells of the time before."""
    if _has_another_stable(draft, stored):
        return True
    canary = stored.get("canary")
    if not canary or stored.get("phase") in _TAKEN_BACK:
        return False
    rejected = any(revision.rejected for revision in draft.revisions if revision.hash == canary)
    taken_back = rejected and move.phase in _TAKEN_BACK
    return taken_back or (draft.stable is not None and draft.stable.hash == canary)


def _has_another_stable(draft: Draft, stored: Manifest) -> bool:
    """Whether the label has moved since status was written: nobody but a `rollback` moves it without a canary."""
    before = stored.get("stable")
    return bool(before) and draft.stable is not None and draft.stable.hash != before
