"""When a replica was scraped: what its counters show at a moment is what they were at the last scrape before it."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

SILENT = timedelta(minutes=2)
"""A replica that was not scraped for so long is waited for no more."""

SLACK = 0.5
"""Seconds by which a scrape may be early or late by itself."""


class Scrapes(NamedTuple):
    """Of one replica by one job: when, in Unix seconds, oldest first; at least one."""

    times: tuple[float, ...]

    def is_awaited(self, end: datetime, newest: datetime) -> bool:
        """Whether it had begun by `end`, and has not fallen silent as of the newest moment."""
        return self.times[0] <= end.timestamp() and newest.timestamp() - self.times[-1] < SILENT.total_seconds()

    def is_between(self, start: datetime, end: datetime) -> bool:
        return any(start.timestamp() < time <= end.timestamp() for time in self.times)

    def is_known_at(self, moment: datetime) -> bool:
        """Whether no scrape by that moment is still on its way: one after it is here, or the next is due after it.

        Scrapes are as far apart as most of them were. Of a single one that is not known, and nothing is lost: a counter
        counts from its second scrape on.
        """
        apart = sorted(later - earlier for earlier, later in pairwise(self.times))
        if not apart:
            return True
        due = self.times[-1] + apart[(len(apart) - 1) // 2]
        return max(self.times[-1], due - SLACK) > moment.timestamp()
