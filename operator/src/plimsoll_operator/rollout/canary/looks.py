"""Only time in which somebody looked counts: an hour that the clock jumped over, or nobody was there, decides nothing.

Looks are had at every interval. Where the last one is longer ago than can be by chance, or is yet to come, all clocks
of the trial go on from where they stood at that look.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from plimsoll_operator.rollout.canary.stage import Stage

OVERSLEPT = timedelta(minutes=1)
"""Looks that are no further apart than this, or three intervals, are as close as an operator that restarts has them."""


def unlooked(stage: Stage, interval: timedelta, now: datetime) -> timedelta:
    """Time since the last look that is not to count; less than none where the clock was set back since."""
    if stage.looked_at is None:
        return timedelta(0)
    since = now - stage.looked_at
    return since if since < timedelta(0) or since > max(OVERSLEPT, 3 * interval) else timedelta(0)


def without(stage: Stage, gap: timedelta, now: datetime) -> Stage:
    """The stage as if time had stood still for so long. What a pause holds gets its time back as the pause ends."""
    holds = stage.paused_since is not None
    return replace(
        stage,
        counts_from=stage.counts_from if holds else _moved(stage.counts_from, gap, now),
        step_started=stage.step_started if holds else _moved(stage.step_started, gap, now),
        missing_since=_moved(stage.missing_since, gap, now),
        unready_since=_moved(stage.unready_since, gap, now),
    )


def noted(stage: Stage, interval: timedelta, now: datetime) -> Stage:
    """With this look in it while a clock runs: once an interval, so that no look makes status differ by itself."""
    if not _is_timed(stage):
        return replace(stage, looked_at=None)
    recently = stage.looked_at is not None and timedelta(0) <= now - stage.looked_at < interval
    return stage if recently else replace(stage, looked_at=now)


def _is_timed(stage: Stage) -> bool:
    """Whether time decides anything: none of a pause does, nor of a wait for data after time was up."""
    compared = stage.counts_from is not None and not stage.held and stage.paused_since is None
    return compared or stage.missing_since is not None or stage.unready_since is not None


def _moved(moment: datetime | None, gap: timedelta, now: datetime) -> datetime | None:
    """A moment at which a clock began, so much later; never one to come."""
    return moment and min(moment + gap, now)
