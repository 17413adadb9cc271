"""What is counted, of whom, in which stretch of time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from math import isfinite
from typing import Literal, NamedTuple

Data = Literal["Measured", "NoTraffic", "NoMetrics", "CanaryMissing"]
"""What a look at the metrics brought: no data is an answer of its own."""


class SeriesKey(NamedTuple):
    """One pair of counters that is compared: `part` tells apart what a signal is made of.

    Those of the constants below, ("latency", "0.25") for each bucket, ("oom", "kills") and ("restarts", "").
    With a `tier` it is that tier's alone, else of all of them.
    """

    signal: str
    part: str = ""
    tier: str = ""


class Stratum(NamedTuple):
    """What is alike: requests of a tier, and of a class by the length of their bodies where the servers tell it."""

    tier: str
    length: str = ""


INCIDENTS = SeriesKey("errors")
"""Served requests, and incidents among them: what fails together counts once. For the evidence."""

FAILURES = SeriesKey("errors", "requests")
"""Served requests, and those that failed: what callers see. For the bound of a promotion, and in words."""

ABANDONED = SeriesKey("errors", "abandoned")
REFUSED = SeriesKey("errors", "refused")
"""All requests, and those whose callers gave up, or were told that they asked for something invalid."""
CALLERS = (ABANDONED, REFUSED)

UNKNOWN_TIER = "none"
"""The server's label for requests that ended before their tier was found out: refused, given up or failed, all of them.
So they are no stratum, but bad ones among all requests."""
EARLY = Stratum(UNKNOWN_TIER)

MOST_STRATA = 16
"""What is kept of each by itself. An object has eight tiers, which share twelve classes of lengths; a server may name
on its metrics what it likes."""

MOST_NAME = 512
"""Characters of a stratum's tier that status has room for: eight tiers' names."""

MOST_DIGITS = 16
"""Characters of its length."""

OBJECTIVE = SeriesKey("latency", "objective")
LATENCY = OBJECTIVE.signal
BATCHES = SeriesKey("oom", "batches")


@dataclass(frozen=True, slots=True)
class Counts:
    """Exposures (requests, batches or pod-minutes) of both sides in one stratum and one interval, and the bad ones."""

    canary: float
    stable: float
    canary_bad: float
    stable_bad: float

    def __post_init__(self) -> None:
        values = (self.canary, self.stable, self.canary_bad, self.stable_bad)
        if not (min(values) >= 0 and isfinite(sum(values))):
            raise ValueError(f"expected counts of zero or more, found {self}: difference the counters first")

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.canary + other.canary,
            self.stable + other.stable,
            self.canary_bad + other.canary_bad,
            self.stable_bad + other.stable_bad,
        )

    @property
    def mirrored(self) -> Counts:
        """What went well, with the sides exchanged: of that the stable revision has more where the canary is worse."""
        stable, canary = max(0.0, self.stable - self.stable_bad), max(0.0, self.canary - self.canary_bad)
        return Counts(self.stable, self.canary, stable, canary)

    @property
    def of_both(self) -> bool:
        """Whether there is anything to compare."""
        return self.canary > 0 and self.stable > 0


Strata = Mapping[Stratum, Counts]


@dataclass(frozen=True, slots=True)
class Interval:
    """Counts by series and stratum. What is absent was not measured, which is not zero."""

    start: datetime
    end: datetime
    counts: Mapping[SeriesKey, Strata]
