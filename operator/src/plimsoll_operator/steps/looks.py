"""How long has nobody looked at the canary? Its clocks in status go on from where they stood at the last look."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from plimsoll_operator.rollout.canary import looks
from plimsoll_operator.rollout.canary.stage import Stage, read_stage
from plimsoll_operator.rollout.situation import Move
from plimsoll_operator.steps.draft import Draft


def unlooked(draft: Draft) -> timedelta:
    """By what status has kept of the canary that it tells of, whichever that is."""
    return looks.unlooked(_kept(draft), draft.spec.rollout.analysis.interval, draft.now)


def stage_now(draft: Draft) -> Stage:
    """The stage in status, less the time in which nobody looked."""
    return looks.without(_kept(draft), unlooked(draft), draft.now)


def looked(draft: Draft, move: Move) -> Move:
    """The move with this look in its stage."""
    if move.stage is None:
        return move
    return replace(move, stage=looks.noted(move.stage, draft.spec.rollout.analysis.interval, draft.now))


def _kept(draft: Draft) -> Stage:
    return read_stage(draft.observed.owner.status.get("rollout", {}))
