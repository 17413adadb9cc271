"""What Prometheus is asked for one canary, and what it answered: raw counters at evenly spaced moments. Plain data."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import NamedTuple

from plimsoll_operator.rollout.measuring.scrapes import Scrapes


@dataclass(frozen=True)
class Inquiry:
    """Counters of two revisions of one object, at `first` and then `steps` times every `step`.

    What lies between the moments up to `since` has been judged before: those moments only show where counters stood.
    `due` is the newest moment by our own clock; a later inquiry differs in it.
    """

    namespace: str
    deployment: str
    canary: str
    stable: str
    first: datetime
    since: datetime
    due: datetime
    step: timedelta
    steps: int

    @property
    def last(self) -> datetime:
        return self.first + self.steps * self.step


class Replica(NamedTuple):
    """A pod as it names itself on its series."""

    revision: str
    name: str


class Counter(NamedTuple):
    """Which counter: a metric of one tier of one replica, the value of its own label where it has one, and the class of
    lengths (of requests' bodies) where it tells them apart."""

    revision: str
    replica: str
    tier: str
    metric: str
    label: str
    length: str = ""

    @property
    def of(self) -> Replica:
        return Replica(self.revision, self.replica)


Values = tuple[float | None, ...]
"""A counter at each moment; None where Prometheus knew none."""


class Problem(NamedTuple):
    """Why there are no measurements: one word for machines, and a sentence that says what to do."""

    reason: str
    message: str


@dataclass(frozen=True)
class Measurements:
    """The answer to an inquiry. `moments` ends with the last one that Prometheus' own clock has passed.

    `clock` is what that one showed as it answered, and `ahead` how far ours was ahead of it; None where nothing was
    asked.
    With a `problem` there is nothing else in it.
    """

    since: datetime
    moments: tuple[datetime, ...] = ()
    counters: Mapping[str, Mapping[Counter, Values]] = field(default_factory=dict)
    """By signal."""
    scrapes: Mapping[Replica, tuple[Scrapes, ...]] = field(default_factory=dict)
    """By each job that scrapes it; none where Prometheus does not tell."""
    problem: Problem | None = None
    clock: datetime | None = None
    ahead: timedelta = timedelta(0)

    def only(self, replicas: Set[Replica]) -> Measurements:
        """Those of these: anybody whose metrics are scraped can name himself as he likes."""
        counters = {
            signal: {counter: values for counter, values in of_signal.items() if counter.of in replicas}
            for signal, of_signal in self.counters.items()
        }
        return replace(self, counters=counters)

    @property
    def until(self) -> datetime:
        """Up to when this tells anything."""
        return max((self.since, *self.moments))
