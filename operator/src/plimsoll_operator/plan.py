"""What one reconcile decided, as data. `cluster.apply` carries it out; nothing else writes to the cluster."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from plimsoll_operator.observed import Manifest, ObjectKey
from plimsoll_operator.quota import Usage


@dataclass(frozen=True)
class Scale:
    """Set a Deployment's replicas through its `scale` subresource."""

    deployment: str
    replicas: int


@dataclass(frozen=True)
class Rehearsal:
    """What the apiserver must be willing to take before anything is scaled; none of it is stored.

    `frees` is what a quota gets back from the pods that are to be stopped for it.
    """

    deployment: Manifest | None
    pod: Manifest
    frees: Usage


@dataclass(frozen=True)
class Event:
    """A Kubernetes Event on the InferenceDeployment."""

    type: Literal["Normal", "Warning"]
    reason: str
    message: str


@dataclass(frozen=True)
class Plan:
    """Writes in the order in which they are carried out: apply, rehearsal, scale, delete, events, status.

    Only what differs from the cluster is in it: the plan of an object at rest is empty but for `requeue_after`.
    `status` is the whole status to store, or None when the stored one already says the same.
    """

    apply: tuple[Manifest, ...] = ()
    rehearsal: Rehearsal | None = None
    scale: tuple[Scale, ...] = ()
    delete: tuple[ObjectKey, ...] = ()
    status: Manifest | None = None
    events: tuple[Event, ...] = ()
    requeue_after: timedelta | None = None

    @property
    def touches(self) -> bool:
        """Whether anything but words is written."""
        return bool(self.apply or self.scale or self.delete)

    @property
    def writes(self) -> int:
        return len(self.apply) + len(self.scale) + len(self.delete) + len(self.events) + (self.status is not None)
