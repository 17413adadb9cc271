"""What a strategy looks at and what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from plimsoll_operator.observed import Rejection, Workload
from plimsoll_operator.rollout.canary.stage import Stage

Phase = Literal[
    "Idle",
    "Progressing",
    "WaitingForGPU",
    "Surging",
    "Analysing",
    "Promoting",
    "RollingBack",
    "RolledBack",
    "Paused",
    "Inconclusive",
]

ONE_AT_A_TIME = "ReplacingOneAtATime"
"""Why fewer serve than asked for while a rollout goes on: an old pod makes room before its successor serves."""


@dataclass(frozen=True)
class Situation:
    """A rollout as it stands: the revision to reach, and the older ones that still have pods.

    `wanted` is how many pods served when the rollout began, and `carried` how many of those the GPUs that there are
    can carry, as far as that is known; the stable revision comes first in `older`.
    """

    target: str
    running: Workload | None
    older: tuple[Workload, ...]
    wanted: int
    carried: int
    gpu: str

    @property
    def ready(self) -> int:
        """Pods of any revision that answer the Service."""
        return (self.running.ready if self.running else 0) + sum(workload.ready for workload in self.older)

    @property
    def least(self) -> int:
        """Ready pods with which the target takes over where nothing else serves: none of a model that is parked."""
        return min(1, self.wanted)

    @property
    def leaving(self) -> int:
        """Pods of older revisions that were told to end, or will be in a moment, and still hold their GPU."""
        return sum(max(0, len(workload.pods) - workload.replicas) for workload in self.older)


@dataclass(frozen=True)
class Move:
    """The next step of a rollout.

    `replicas` names the revisions to scale and leaves the others alone. `start` creates the target's Deployment,
    `promote` makes the target the stable revision, `reject` marks it as one that is not tried again, `retire` deletes
    Deployments that have no pod left. `stage` is how far a canary is, while one is on trial.
    """

    phase: Phase
    reason: str
    message: str
    replicas: Mapping[str, int] = field(default_factory=dict)
    start: bool = False
    promote: bool = False
    reject: Rejection | None = None
    retire: tuple[str, ...] = ()
    stage: Stage | None = None


def retired(older: tuple[Workload, ...]) -> tuple[str, ...]:
    """Older revisions whose last pod is gone."""
    return tuple(workload.revision for workload in older if workload.replicas == 0 and not workload.pods)


def changed(older: tuple[Workload, ...], kept: Mapping[str, int]) -> dict[str, int]:
    """The entries of `kept` that differ from the replicas asked for now."""
    return {w.revision: kept[w.revision] for w in older if kept[w.revision] != w.replicas}
