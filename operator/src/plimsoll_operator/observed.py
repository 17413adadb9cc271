"""What the cluster holds for one InferenceDeployment, read once and put into named buckets. Plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from plimsoll_operator.gpu_profiles import GpuProfile
from plimsoll_operator.requests import Ledger, Restarts
from plimsoll_operator.rollout.measuring.measurements import Measurements

Manifest = Mapping[str, Any]
"""A Kubernetes object as JSON."""

MEMORY = "memory"
"""The resource, as a kubelet names it."""


class ObjectKey(NamedTuple):
    """Identity of a child within its owner's namespace."""

    api_version: str
    kind: str
    name: str

    @classmethod
    def of(cls, manifest: Manifest) -> ObjectKey:
        return cls(manifest["apiVersion"], manifest["kind"], manifest["metadata"]["name"])


@dataclass(frozen=True)
class Owner:
    """The InferenceDeployment itself, as read from the apiserver."""

    namespace: str
    name: str
    uid: str
    generation: int
    resource_version: str
    """Of the very object that was read: its status is written for no other one."""
    spec: Manifest
    status: Manifest = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)

    @property
    def called(self) -> str:
        """How it is named to `kubectl plimsoll`, behind a verb."""
        return f"{self.name} -n {self.namespace}"


@dataclass(frozen=True)
class Milestones:
    """How far a pod has got, and when, as far as the Kubernetes API tells: it keeps no time of `started`."""

    created: datetime
    scheduled: datetime | None = None
    running: datetime | None = None
    """Start of the server's container as it runs now."""
    started: bool = False
    """Its startup probe has passed: the weights are loaded."""
    ready_changed: datetime | None = None
    """When it last became ready, or ceased to be."""


@dataclass(frozen=True)
class Pack:
    """What the server ran when it was ended, as it had noted itself."""

    tier: str
    tokens: int
    sequences: int


@dataclass(frozen=True)
class Pod:
    """A pod of one revision, cut down to what decisions need."""

    name: str
    revision: str
    ready: bool
    scheduled: bool
    terminating: bool
    unschedulable: str = ""
    """The scheduler's message while the pod has no node."""
    waiting_reason: str = ""
    """Why the server's container is not running: CrashLoopBackOff, ErrImagePull, …"""
    waiting_message: str = ""
    restarts: int = 0
    last_exit_reason: str = ""
    """How the container ended last: OOMKilled, Error, …"""
    last_exit_code: int | None = None
    last_exit_message: str = ""
    """What the container said last, as the kubelet kept it."""
    last_exit_at: datetime | None = None
    last_run: timedelta | None = None
    """How long it had run then."""
    last_pack: Pack | None = None
    milestones: Milestones | None = None
    evicted: str = ""
    """What its kubelet ended it for the want of, for good: memory, or other. Empty of one that was not evicted."""


@dataclass(frozen=True)
class Workload:
    """The Deployment of one revision and its pods."""

    name: str
    revision: str
    replicas: int
    """Replicas asked for (`spec.replicas`), by the autoscaler or by the operator."""
    pods: tuple[Pod, ...] = ()
    replica_failure: str = ""
    """Message of the Deployment's ReplicaFailure condition: quota, admission."""
    evicted: tuple[Pod, ...] = ()
    """Pods that were ended by their kubelet and never start again. They stay behind until somebody deletes them."""

    @property
    def ready(self) -> int:
        return sum(pod.ready and not pod.terminating for pod in self.pods)

    @property
    def unschedulable(self) -> tuple[Pod, ...]:
        return tuple(pod for pod in self.pods if pod.unschedulable and not pod.terminating)

    @property
    def over_quota(self) -> int:
        """Pods that a ResourceQuota refuses: they are asked for, and there are none of them to say so."""
        there = sum(not pod.terminating for pod in self.pods)
        return max(0, self.replicas - there) if "exceeded quota" in self.replica_failure else 0

    @property
    def without_a_place(self) -> int:
        """Pods that no node has room for, or that a quota has none for."""
        return len(self.unschedulable) + self.over_quota


@dataclass(frozen=True)
class Rejection:
    """Why a revision is not to be tried again: a reason in one word, and a message with the figures."""

    reason: str
    message: str


@dataclass(frozen=True)
class Revision:
    """One entry of the history: the user's input and the pod template rendered for it, frozen together.

    `restarts` are those that led to it: a restart renders the same input anew. `unknown` is what a newer operator has
    written beside: it cannot be changed, so it is carried along. `rejected` says why it must not be rolled out again.
    """

    hash: str
    name: str
    number: int
    stable: bool
    created_at: str
    input: Manifest
    template: Manifest
    restarts: Restarts = field(default_factory=Restarts)
    unknown: Manifest = field(default_factory=dict)
    rejected: Rejection | None = None
    ledger: Ledger = field(default_factory=Ledger)
    """The requests that were answered by the time it was asked for last."""
    promoted: bool = False
    """Whether it ever was the stable one: an older revision that serves is told from an unproven canary by it."""


@dataclass(frozen=True)
class Observed:
    """Everything one reconcile looks at. `children` holds only objects that this owner controls.

    `foreign` are objects that stand under a name that we need but belong to somebody else.
    `unreadable` says which revisions could not be read and what to do; `revisions` is then not all of the history.
    `profiles_error` says why the GPU profile table could not be read; `profiles` is then empty.
    `claim_found` is None when the model needs no claim, `measurements` when there was nothing to ask Prometheus now.
    """

    owner: Owner
    profiles: Mapping[str, GpuProfile]
    profiles_error: str = ""
    revisions: tuple[Revision, ...] = ()
    unreadable: str = ""
    workloads: Mapping[str, Workload] = field(default_factory=dict)
    children: Mapping[ObjectKey, Manifest] = field(default_factory=dict)
    foreign: tuple[ObjectKey, ...] = ()
    claim_found: bool | None = None
    measurements: Measurements | None = None

    @property
    def stable(self) -> Revision | None:
        """The revision that carries the stable label: the newest should two carry it, status' own should none."""
        told = self.owner.status.get("rollout", {}).get("stable", "")
        marked = [revision for revision in self.revisions if revision.stable]
        mirrored = [revision for revision in self.revisions if revision.hash == told]
        return max(marked or mirrored, key=lambda revision: revision.number, default=None)

    @property
    def half_promoted(self) -> bool:
        """An operator ended between the write that marks a stable revision and the one that unmarks the other."""
        return sum(revision.stable for revision in self.revisions) > 1

    @property
    def replicas(self) -> int:
        """Pods of any revision that are asked for."""
        return sum(workload.replicas for workload in self.workloads.values())

    @property
    def ready(self) -> int:
        """Pods of any revision behind the Service that answer."""
        return sum(workload.ready for workload in self.workloads.values())

    def workload(self, revision: str) -> Workload | None:
        return self.workloads.get(revision)
