"""What a reconcile has found out and decided so far; each step fills in its own part."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from plimsoll_operator.gpu_profiles import GpuProfile
from plimsoll_operator.load_line import LoadLine
from plimsoll_operator.observed import Manifest, ObjectKey, Observed, Rejection, Revision, Workload
from plimsoll_operator.plan import Rehearsal, Scale
from plimsoll_operator.requests import Answer, Ledger, Restarts
from plimsoll_operator.rollout.evidence import Data, Evidence, Verdict
from plimsoll_operator.rollout.measuring.analysis import Analysis
from plimsoll_operator.rollout.measuring.inquiry import SETTLE
from plimsoll_operator.rollout.placed import Placed
from plimsoll_operator.rollout.situation import Move
from plimsoll_operator.spec import Spec

AT_REST = ("Idle", "RolledBack")
"""Phases in which no pod is to move."""

Probe = Literal["startup", "readiness"]
Order = Literal["", "promote"]


class Reason(NamedTuple):
    """A reason in one word for machines, and a message for the person who reads it."""

    reason: str
    message: str


@dataclass(frozen=True)
class Policy:
    """What the installation decides for every object: the default image, the fleet-wide freeze, the way to the hub.

    `prometheus_delay` is how long after a moment its measurements can be asked for.
    """

    server_image: str
    frozen: bool = False
    hub_proxy: str = ""
    prometheus_delay: timedelta = SETTLE


@dataclass(frozen=True)
class Start:
    """Whole seconds that a pod took for each phase of its start, and in all until `ready`; None until it is known."""

    pod: str
    revision: str
    scheduled: int | None = None
    image: int | None = None
    weights: int | None = None
    warm_up: int | None = None
    ready: int | None = None


@dataclass(frozen=True)
class Draft:
    """The decision in the making.

    `blocked` says why no new revision can be made of the present spec, `held` why the pods must not move now.
    `restarts` are those that the target is to have behind it, `ledger` the requests that were answered for good,
    `answer` is what becomes of the person's request, and `rendering` is the pod template as this operator renders the
    spec now.
    `asked_for` is the hash of the revision that the spec asks for, empty while it cannot be made; `target` is the
    one that the pods are to reach. `rejection` is why those two differ, where the one asked for was tried and rejected.
    `paused` is who holds steps and promotions, `order` what a person has asked of the canary that runs. `analysis`,
    `evidence`, `data` and `verdict` are there while an unproven canary runs; `blind` is how long its data has lacked,
    and `ended` how often its containers were killed or ended by themselves.
    `placed` is how many pods have a node, while a rollout has pods that have none.
    `looked_at` is when the clocks of this rollout were looked at last, to the interval; None while none runs.
    `most_ready` is how many pods of the target were ready at once in this rollout.
    """

    observed: Observed
    policy: Policy
    now: datetime
    spec: Spec
    profile: GpuProfile | None = None
    load_line: LoadLine | None = None
    load_line_unknown: Reason | None = None
    blocked: Reason | None = None
    held: Reason | None = None
    paused: Reason | None = None
    order: Order = ""
    restarts: Restarts = field(default_factory=Restarts)
    ledger: Ledger = field(default_factory=Ledger)
    answer: Answer | None = None
    rendering: Manifest | None = None
    revisions: tuple[Revision, ...] = ()
    asked_for: str = ""
    target: Revision | None = None
    rejection: Rejection | None = None
    analysis: Analysis | None = None
    evidence: Evidence | None = None
    data: Data | None = None
    blind: timedelta = timedelta(0)
    ended: int = 0
    verdict: Verdict | None = None
    rollout_started: datetime | None = None
    rollout_progressed: datetime | None = None
    rollout_finished: datetime | None = None
    wanted: int = 0
    placed: Placed | None = None
    looked_at: datetime | None = None
    most_ready: int = 0
    move: Move | None = None
    starts: tuple[Start, ...] = ()
    children: tuple[Manifest, ...] = ()
    scale: tuple[Scale, ...] = ()
    rehearsal: Rehearsal | None = None
    delete: tuple[ObjectKey, ...] = ()

    @property
    def stable(self) -> Revision | None:
        return next((revision for revision in self.revisions if revision.stable), None)

    @property
    def stand_in(self) -> Workload | None:
        """What served before, while the stable revision is to take over from it and no pod of that serves.

        So it is after a `rollback` by request, which moves the label first. One whose pod has no GPU needs one of those
        that this holds.
        """
        running = self.target and self.observed.workload(self.target.hash)
        if self.target is None or not self.target.stable or (running and (running.ready or running.unschedulable)):
            return None
        served = [found for found in self.revisions if found.promoted and found.hash != self.target.hash]
        newest_first = sorted(served, key=lambda revision: -revision.number)
        running_beside = [workload for found in newest_first if (workload := self.observed.workload(found.hash))]
        serving = [workload for workload in running_beside if workload.ready and workload.replicas]
        return max(serving, key=lambda workload: workload.ready, default=None)

    @property
    def remembered(self) -> int | None:
        """Pods that this rollout leads to, as status has kept them since it began."""
        wanted = self.observed.owner.status.get("rollout", {}).get("wantedReplicas")
        return None if wanted is None else int(wanted)

    @property
    def judges(self) -> bool:
        """Whether a revision is tried before its pods take over."""
        return self.spec.rollout.strategy == "Canary"

    @property
    def waits_for_a_place(self) -> bool:
        """The target's pods wait for a GPU, all of them, beside the stable revision alone, which has given none up."""
        target = self.target and self.observed.workload(self.target.hash)
        if not target or not target.pods or not self.stable or self.stable.hash == target.revision:
            return False
        given = self.observed.owner.status.get("rollout", {}).get("placesGiven", 0)
        alone = set(self.observed.workloads) == {target.revision, self.stable.hash}
        return alone and not given and len(target.unschedulable) == len(target.pods)

    @property
    def waiting(self) -> bool:
        """The target may not start yet: what serves goes on as if nothing else were asked for."""
        return self.held is not None and self.target is not None and self.observed.workload(self.target.hash) is None

    @property
    def canary(self) -> str:
        """The revision on its way in, or on its way out as long as it is taken back; empty when there is none.

        One that a `rollback` leaves was no canary: it served until then.
        """
        if self.target is None or not self.target.stable:
            return self.target.hash if self.target else ""
        if self.move is None or self.move.phase != "RollingBack":
            return ""
        before = self.observed.owner.status.get("rollout", {}).get("canary")
        tried = [found for found in self.revisions if not found.promoted or found.hash == before]
        leaving = [found for found in tried if found.hash in self.observed.workloads and not found.stable]
        return max(leaving, key=lambda revision: revision.number).hash if leaving else ""

    @property
    def on_trial(self) -> bool:
        """A canary runs beside the stable revision, and is not decided on."""
        return self.move is not None and self.move.stage is not None

    @property
    def resting(self) -> Workload | None:
        """The Deployment that no rollout moves: the target's when it is reached, the stable one's until it starts."""
        at_rest = self.move is not None and self.move.phase in AT_REST
        revision = self.stable if self.waiting else self.target if at_rest else None
        return self.observed.workload(revision.hash) if revision else None

    @property
    def rolling(self) -> bool:
        """A rollout is under way: the pods are not all of the stable revision, or there is none yet."""
        return self.move is not None and self.move.phase not in AT_REST


Step = Callable[[Draft], Draft]
