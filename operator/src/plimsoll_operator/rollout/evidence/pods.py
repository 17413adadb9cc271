"""What the whole lives of both revisions' pods tell, and how much of the stable one's is like the canary's time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

_STEEPEST = 2
"""The power of the load up to which a kill may come more often: a night at half the load counts a quarter."""

_UNKNOWN_LOAD = 1 / 3
"""Of the present load: more is not taken for that of pods which are gone, since nobody counted their batches."""


class Compared(NamedTuple):
    """Events of both revisions, and what either was exposed to: pod-minutes, or batches."""

    canary: int
    stable: int
    canary_exposed: float
    stable_exposed: float


@dataclass(frozen=True)
class Gone:
    """Of the stable revision's pods that are there no more."""

    minutes: float = 0
    kills: int = 0
    ends: int = 0


@dataclass(frozen=True)
class Meanwhile:
    """The stable revision in the canary's own time. `measured_minutes` are the pod-minutes that its batches are of."""

    kills: int = 0
    minutes: float = 0
    shortages: int = 0
    batches: float = 0
    measured_minutes: float = 0
    ends: int = 0


@dataclass(frozen=True)
class Pods:
    """Counts of the canary since it began, of the stable revision since it can be known.

    Shortages are batches in which memory ran out: they and the batches are from the servers' own counters, for stable
    of the processes that run. The rest is from the Kubernetes API: kills for memory, ends of any other kind while the
    server served, and starts, of which those that failed ended before it did. What was not measured is zero.
    """

    canary_kills: int = 0
    stable_kills: int = 0
    canary_minutes: float = 0
    stable_minutes: float = 0
    canary_ends: int = 0
    stable_ends: int = 0
    canary_started: int = 0
    """How often a server of it got ready, or may still."""
    stable_started: int = 0
    canary_failed_starts: int = 0
    stable_failed_starts: int = 0
    canary_shortages: int = 0
    stable_shortages: int = 0
    canary_batches: float = 0
    stable_batches: float = 0
    meanwhile: Meanwhile = Meanwhile()
    gone: Gone = Gone()

    @property
    def load(self) -> float:
        """The stable revision's mean load in its life, as a share of that in the canary's time: batches per pod-minute.

        At most one, which it also is where nothing was measured.
        """
        now = self.meanwhile
        if not (self.stable_batches and self.stable_minutes and now.batches and now.measured_minutes):
            return 1.0
        return min(1.0, self.stable_batches / self.stable_minutes / (now.batches / now.measured_minutes))

    @property
    def _load_of_gone(self) -> float:
        """At most that of the pods that are there, before the canary's time; none where all have come in it."""
        now = self.meanwhile
        if not (self.stable_batches and now.batches and now.measured_minutes):
            return _UNKNOWN_LOAD
        minutes, batches = self.stable_minutes - now.minutes, self.stable_batches - now.batches
        if minutes <= 0 or batches <= 0:
            return 0.0
        return min(_UNKNOWN_LOAD, batches / minutes / (now.batches / now.measured_minutes))

    @property
    def kills(self) -> Compared:
        """By pod-minutes under the present load.

        Where the risk of a minute goes with the load to any power up to p, a life T with the mean load r holds as much
        of it as T·rᵖ minutes at the load of now at least (r ≤ 1; Jensen, Acta Math. 30, 1906).
        """
        kills = max(self.stable_kills + self.gone.kills, self.meanwhile.kills)
        return Compared(self.canary_kills, kills, self.canary_minutes, self._minutes)

    @property
    def kills_meanwhile(self) -> Compared:
        return Compared(self.canary_kills, self.meanwhile.kills, self.canary_minutes, self.meanwhile.minutes)

    @property
    def ends(self) -> Compared:
        """By pod-minutes under the present load, as kills: a crash may need a request of its own kind to come."""
        ends = max(self.stable_ends + self.gone.ends, self.meanwhile.ends)
        return Compared(self.canary_ends, ends, self.canary_minutes, self._minutes)

    @property
    def ends_meanwhile(self) -> Compared:
        return Compared(self.canary_ends, self.meanwhile.ends, self.canary_minutes, self.meanwhile.minutes)

    @property
    def shortages(self) -> Compared:
        """By batches, which go with the load: so one power of it is in them. A kill is a shortage too, if not counted.

        Without batches nothing is compared: that nobody counted is not that there was none.
        """
        past = self.stable_batches * self.load ** (_STEEPEST - 1)
        kills = max(self.stable_kills, self.meanwhile.kills)
        events = max(self.stable_shortages, self.meanwhile.shortages) + kills
        return Compared(self.canary_shortages, events, self._batches, max(past, self.meanwhile.batches))

    @property
    def shortages_meanwhile(self) -> Compared:
        events = self.meanwhile.shortages + self.meanwhile.kills
        return Compared(self.canary_shortages, events, self._batches, self.meanwhile.batches)

    @property
    def _minutes(self) -> float:
        """Of stable, as far as they are like those of now; of the canary's own time all are."""
        gone = self.gone.minutes * self._load_of_gone**_STEEPEST
        return max(self.stable_minutes * self.load**_STEEPEST + gone, self.meanwhile.minutes)

    @property
    def _batches(self) -> float:
        """Of the canary: at least those that ran out. None where an older operator counted only these."""
        return max(self.canary_batches, self.canary_shortages) if self.canary_batches else 0.0
