"""Who may write, and for how long: the rules of a Lease, without a client and without a clock of their own.

The holder renews every `RETRY` and writes only while its last renewal is younger than `DEADLINE`, counted from before
the renewal was sent. Others wait until they have seen the Lease unchanged for `LEASE`, counted from after they saw it.
Both count on their own monotonic clock, so no two clocks are compared, and between the end of the one's right and the
beginning of the other's there are at least `LEASE - DEADLINE`.

Who deletes the Lease does not stop its holder, and nobody can tell how often that happened. So a Lease that was made
anew gives no right before `DEADLINE` is over, when every right from before has ended. What its maker had of the old
one stays until that ends.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from plimsoll_operator.cluster.errors import KubeError
from plimsoll_operator.observed import Manifest

LEASE = timedelta(seconds=15)
DEADLINE = timedelta(seconds=10)
RETRY = timedelta(seconds=2)
COURTESY = 3 * RETRY
"""For the holder of a Lease that was deleted to make it anew before others do."""


class NotLeadingError(KubeError):
    """This process may not write: it never held the Lease, or its last renewal is too old."""


class Tenure:
    """The right to write, by `clock` in seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._renewed = -math.inf
        self._begins = -math.inf
        self._earlier_ends = -math.inf

    def renewed(self, sent: float) -> None:
        """The Lease was renewed, or taken from who held it before, by a request that was sent at `sent`."""
        self._renewed = sent

    def made_anew(self, sent: float) -> None:
        """The Lease was missing and was made by a request that was sent at `sent` and has just been answered."""
        if self._begins <= self._clock():
            self._earlier_ends = self._renewed + DEADLINE.total_seconds()
        self._begins = self._clock() + DEADLINE.total_seconds()
        self._renewed = sent

    def end(self) -> None:
        self._renewed = self._earlier_ends = -math.inf

    @property
    def age(self) -> float:
        """Seconds since the last renewal."""
        return self._clock() - self._renewed

    @property
    def remaining(self) -> float:
        """Seconds until the Lease counts for nothing unless it is renewed."""
        return max(0.0, DEADLINE.total_seconds() - self.age)

    @property
    def holds(self) -> bool:
        """Whether this process may write."""
        now = self._clock()
        return now < self._earlier_ends or (self.remaining > 0 and now >= self._begins)

    def check(self) -> None:
        """To be called right before each write. Raises NotLeadingError."""
        if not self.holds:
            ago = "never" if math.isinf(self.age) else f"{self.age:.1f} s ago"
            raise NotLeadingError(
                f"not sent: the Lease was renewed {ago}, expected within {DEADLINE.total_seconds():.0f} s, "
                "and not just made anew"
            )


class Vigil:
    """What one who does not hold the Lease has seen of it, and when it may be taken."""

    def __init__(self, identity: str) -> None:
        self._identity = identity
        self._version: str | None = None
        self._wait = math.inf
        self._since = 0.0

    def sees(self, lease: Manifest | None, now: float) -> None:
        """The Lease was read, or found missing, by `now`."""
        version = "" if lease is None else str(lease["metadata"]["resourceVersion"])
        if version != self._version:
            self._since = now
        self._version = version
        if lease is None:
            self._wait = COURTESY.total_seconds()
        else:
            free = holder(lease) in ("", self._identity)
            self._wait = 0.0 if free else LEASE.total_seconds()

    def until_free(self, now: float) -> float:
        """Seconds until the Lease may be taken if it stays as it is; without end before the first look."""
        return max(0.0, self._since + self._wait - now)


def holder(lease: Manifest) -> str:
    """Who holds the Lease; empty when it was released or never held."""
    return str((lease.get("spec") or {}).get("holderIdentity") or "")


def transitions(lease: Manifest) -> int:
    """How often the Lease went from one holder to another."""
    return int((lease.get("spec") or {}).get("leaseTransitions") or 0)


def new_lease(namespace: str, name: str) -> dict[str, Any]:
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"namespace": namespace, "name": name},
    }


def taken(lease: Manifest, identity: str, now: datetime) -> dict[str, Any]:
    """The Lease as `identity` takes or renews it. What is not the election's stays; so does its version, the guard."""
    spec = {
        "holderIdentity": identity,
        "leaseDurationSeconds": int(LEASE.total_seconds()),
        "renewTime": _micro_time(now),
    }
    if holder(lease) != identity:
        spec |= {"acquireTime": _micro_time(now), "leaseTransitions": transitions(lease) + 1}
    return {**lease, "spec": {**(lease.get("spec") or {}), **spec}}


def released(lease: Manifest, now: datetime) -> dict[str, Any]:
    """The Lease without a holder: whoever waits may take it at once."""
    kept = {field: value for field, value in lease["spec"].items() if field != "holderIdentity"}
    return {**lease, "spec": {**kept, "renewTime": _micro_time(now)}}


def _micro_time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
