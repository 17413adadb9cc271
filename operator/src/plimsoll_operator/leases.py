"""Who may write, and for how long: the rules of a Lease, without a client and without a clock of their own.

The holder renews every `RETRY` and writes only while its last renewal is younger than `DEADLINE`, counted from before
the renewal was sent. Others wait until they have seen the Lease unchanged for `LEASE`, counted from after they saw it.
Both count on their own clock, so no two clocks are compared, and between the end of the one's right and the beginning
of the other's there are at least `LEASE - DEADLINE`.

Somebody else can delete the Lease, blank it, or put another one in its place, and nobody can tell how often that
happened. So a write gives a right at once only over what the writer knows: its own last write, a release that its
holder signed, or what it has seen unchanged for `LEASE`. Whatever else it writes, it holds the Lease *anew*: with no
right before `DEADLINE` is over, when every right from before has ended. What it had itself stays until that ends.
"""

from __future__ import annotations

import math
from collections import deque
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
RELEASED = timedelta(seconds=1)
"""Duration of a Lease that its holder gave back. Who only takes the holder's name out of it leaves `LEASE`."""
REMEMBERED = 16
"""Writes without an answer: more than are sent within `DEADLINE`."""


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
        """The Lease was renewed, or taken when it was free, by a request that was sent at `sent`."""
        self._renewed = sent

    def taken_anew(self, sent: float) -> None:
        """The Lease was written by a request that was sent at `sent` and answered just now, over the unknown."""
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
    def begun(self) -> bool:
        """Whether the Lease as it is gives a right, so that nobody else can have one."""
        return self.remaining > 0 and self._clock() >= self._begins

    @property
    def holds(self) -> bool:
        """Whether this process may write."""
        return self.begun or self._clock() < self._earlier_ends

    def check(self) -> None:
        """To be called right before each write. Raises NotLeadingError."""
        if not self.holds:
            ago = "never" if math.isinf(self.age) else f"{self.age:.1f} s ago"
            raise NotLeadingError(
                f"not sent: the Lease was renewed {ago}, expected within {DEADLINE.total_seconds():.0f} s, "
                "and not just taken anew"
            )


class Signature:
    """By which a process knows its own Lease again, also one that it wrote and got no answer for."""

    def __init__(self, identity: str) -> None:
        self._identity = identity
        self._times: deque[str] = deque(maxlen=REMEMBERED)

    def sends(self, lease: Manifest) -> None:
        """`lease` is about to be written over one that is known: should it be found, nothing came in between."""
        self._times.append(lease["spec"]["renewTime"])

    def wrote(self, lease: Manifest) -> None:
        """The answer has come, so nothing that was sent before is still on its way and could be stored."""
        self._times.clear()
        self._times.append(lease["spec"]["renewTime"])

    def is_on(self, lease: Manifest) -> bool:
        return holder(lease) == self._identity and lease["spec"].get("renewTime") in self._times


class Vigil:
    """What one who does not hold the Lease has seen of it, and when it may be taken."""

    def __init__(self, identity: str) -> None:
        self._identity = identity
        self._version: str | None = None
        self._wait = math.inf
        self._since = 0.0
        self.began_blank = False
        """What was seen is still the first look's, and as the chart makes it: it may never have been held."""

    def sees(self, lease: Manifest | None, now: float) -> None:
        """The Lease was read, or found missing, by `now`."""
        version = "" if lease is None else str(lease["metadata"]["resourceVersion"])
        if version != self._version:
            self.began_blank = self._version is None and lease is not None and not lease.get("spec")
            self._since = now
        self._version = version
        if lease is None:
            self._wait = COURTESY.total_seconds()
        else:
            free = is_released(lease) or holder(lease) == self._identity
            self._wait = 0.0 if free else LEASE.total_seconds()

    def until_free(self, now: float) -> float:
        """Seconds until the Lease may be taken if it stays as it is; without end before the first look."""
        return max(0.0, self._since + self._wait - now)


def is_released(lease: Manifest) -> bool:
    """Whether its last holder gave it back, by which nobody has a right."""
    spec = lease.get("spec") or {}
    return not holder(lease) and spec.get("leaseDurationSeconds") == int(RELEASED.total_seconds())


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
    """The Lease without a holder, signed: whoever waits may take it at once."""
    kept = {field: value for field, value in lease["spec"].items() if field != "holderIdentity"}
    signed = {"leaseDurationSeconds": int(RELEASED.total_seconds()), "renewTime": _micro_time(now)}
    return {**lease, "spec": kept | signed}


def _micro_time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
