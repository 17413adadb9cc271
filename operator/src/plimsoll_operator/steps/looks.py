"""How long has nobody looked at the canary? Its clocks in status go on from where they stood at the last look."""

from __future__ import annotations

from datetime import datetime, timedelta

from plimsoll_operator.conditions import moment_of
from plimsoll_operator.observed import Manifest
from plimsoll_operator.rollout.canary import looks
from plimsoll_operator.rollout.canary.stage import Stage, read_stage
from plimsoll_operator.steps.draft import Draft


def unlooked(draft: Draft) -> timedelta:
    """By what status has kept of the canary that it tells of, whichever that is."""
    return looks.unlooked(_looked_at(draft), draft.spec.rollout.analysis.interval, draft.now)


def stage_now(draft: Draft) -> Stage:
    """The stage in status, less the time in which nobody looked."""
    interval = draft.spec.rollout.analysis.interval
    return looks.without(read_stage(_kept(draft)), unlooked(draft), interval, draft.now)


def noted(draft: Draft, *, waits: bool) -> datetime | None:
    """When it was looked at last, this look included; None where no clock runs: of the canary, or of who `waits`."""
    stage = draft.move.stage if draft.move else None
    if not waits and not (stage and looks.is_timed(stage)):
        return None
    return looks.noted(_looked_at(draft), draft.spec.rollout.analysis.interval, draft.now)


def _looked_at(draft: Draft) -> datetime | None:
    return moment_of(_kept(draft).get("lookedAt"))


def _kept(draft: Draft) -> Manifest:
    kept: Manifest = draft.observed.owner.status.get("rollout", {})
    return kept
