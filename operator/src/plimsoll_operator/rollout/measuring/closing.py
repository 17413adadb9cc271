"""From which moment to which may be judged? Only between moments at which everything is known of all that is awaited.

Prometheus scrapes each replica at a moment of its own, be it every 5 s or every minute, and what it scraped may reach
it late. A stretch in which one replica was scraped and another was not compares nothing; one that is judged before
all scrapes by its end are there loses what they bring. So a stretch ends only where each replica that is awaited was
scraped within it, and nothing by its end is still on its way. Until then it grows, moment by moment.
"""

from __future__ import annotations

from collections.abc import Set
from datetime import datetime
from typing import NamedTuple

from plimsoll_operator.rollout.measuring.measurements import Measurements, Replica


class Stretch(NamedTuple):
    """Numbers of the moments at which it begins and ends."""

    first: int
    last: int


def stretches(found: Measurements, awaited: Set[Replica] = frozenset()) -> list[Stretch]:
    """The oldest first. What was never scraped, or not of late, is not waited for."""
    closed: list[Stretch] = []
    start = next((number for number, moment in enumerate(found.moments) if moment >= found.since), len(found.moments))
    for number in range(start + 1, len(found.moments)):
        if _is_complete(found, awaited, found.moments[start], found.moments[number]):
            closed.append(Stretch(start, number))
            start = number
    return closed


def _is_complete(found: Measurements, awaited: Set[Replica], start: datetime, end: datetime) -> bool:
    newest = found.moments[-1]
    for replica in awaited:
        live = [scrapes for scrapes in found.scrapes.get(replica, ()) if scrapes.is_awaited(end, newest)]
        if live and not any(scrapes.is_between(start, end) for scrapes in live):
            return False
        if not all(scrapes.is_known_at(end) for scrapes in live):
            return False
    return True
