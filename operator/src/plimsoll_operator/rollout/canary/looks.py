"""Only time in which somebody looked counts: an hour that the clock jumped over, or nobody was there, decides nothing.

Looks are had at every interval. Where the last one is longer ago than can be by chance, or is yet to come, all clocks
of the trial go on from where they stood at that look.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from plimsoll_operator.rollout.canary.stage import Stage

OVERSLEPT = timedelta(minutes=1)
"""Looks that are no further apart than this, or three intervals, are as close as an operator that restarts has them.

Of a longer gap so much counts, or an interval where that is longer: with looks that are always too far apart every
clock runs more slowly, and none stands still for good.
"""


def unlooked(looked_at: datetime | None, interval: timedelta, now: datetime) -> timedelta:
    """Time since the last look that is not to count; less than none where the clock was set back since."""
    if looked_at is None:
        return timedelta(0)
    since = now - looked_at
    if timedelta(0) <= since <= max(OVERSLEPT, 3 * interval):
        return timedelta(0)
    return since if since < timedelta(0) else since - max(OVERSLEPT, interval)


def without(stage: Stage, gap: timedelta, interval: timedelta, now: datetime) -> Stage:
    """The stage as if time had stood still for so long. What a pause holds gets its time back as the pause ends; one
    that began at a moment to come began now, and what it holds stood as far from it.

    For a step a look is worth one interval, however long ago the one before it was: a step may last less than a minute.
    """
    holds = stage.paused_since is not None
    ahead = max(timedelta(0), stage.paused_since - now) if stage.paused_since else timedelta(0)
    of_the_step = gap + max(timedelta(0), OVERSLEPT - interval) if gap > timedelta(0) else gap
    return replace(
        stage,
        counts_from=_moved(stage.counts_from, -ahead if holds else gap, now),
        step_started=_moved(stage.step_started, -ahead if holds else of_the_step, now),
        paused_since=stage.paused_since and stage.paused_since - ahead,
        missing_since=_moved(stage.missing_since, gap, now),
        unready_since=_moved(stage.unready_since, gap, now),
        outage_since=_moved(stage.outage_since, gap, now),
        alone_since=_moved(stage.alone_since, gap, now),
    )


def noted(looked_at: datetime | None, interval: timedelta, now: datetime) -> datetime:
    """When it was looked at last: once an interval it is noted anew, so that no look makes status differ by itself."""
    recently = looked_at is not None and timedelta(0) <= now - looked_at < interval
    return looked_at if looked_at is not None and recently else now


def is_timed(stage: Stage) -> bool:
    """Whether time decides anything: none of a pause does, nor of a wait for data after time was up."""
    compared = stage.counts_from is not None and not stage.held and stage.paused_since is None
    return compared or any((stage.missing_since, stage.unready_since, stage.outage_since))


def _moved(moment: datetime | None, gap: timedelta, now: datetime) -> datetime | None:
    """A moment at which a clock began, so much later; never one to come."""
    return moment and min(moment + gap, now)
