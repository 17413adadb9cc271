"""Builders of the operator's inputs: say only what a test is about, the rest is ordinary."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from plimsoll_operator.cluster.history import parse_revision
from plimsoll_operator.gpu_profiles import GpuProfile
from plimsoll_operator.names import ANNOTATION_REQUEST, FIELD_MANAGER, LABEL_REVISION
from plimsoll_operator.observed import Manifest, ObjectKey, Observed, Owner, Pod, Workload
from plimsoll_operator.plan import Plan, Scale
from plimsoll_operator.reconcile import Policy, reconcile

NOW = datetime(2026, 5, 4, 3, 0, tzinfo=UTC)
POLICY = Policy(server_image="plimsoll/server:1")
PROFILES = {
    "nvidia-l4": GpuProfile("nvidia-l4", 23034 << 20, "nvidia.com/gpu", {"nvidia.com/gpu.product": "NVIDIA-L4"}),
    "nvidia-h100-80gb": GpuProfile("nvidia-h100-80gb", 81559 << 20, "nvidia.com/gpu"),
    "cpu": GpuProfile("cpu", 4 << 30),
}


def make_spec(**sections: Any) -> dict[str, Any]:
    """A minimal `spec`; sections replace the ones given. It asks for no canary unless told to."""
    return {
        "model": {"uri": "pvc://models/domains"},
        "gpu": {"profile": "nvidia-l4"},
        "tiers": [{"name": "short", "maxTokens": 512, "concurrency": 8}],
        **sections,
        "rollout": {"strategy": "RollingUpdate", **sections.get("rollout", {})},
    }


def make_owner(spec: Manifest | None = None, status: Manifest | None = None, generation: int = 1) -> Owner:
    return Owner("guardrails", "domains", "uid-1", generation, "42", spec or make_spec(), status or {})


def make_observed(spec: Manifest | None = None, **fields: Any) -> Observed:
    """An object as just created: nothing of it exists yet."""
    return Observed(owner=make_owner(spec), profiles=PROFILES, **fields)


def make_pods(revision: str, ready: int = 0, *others: Pod) -> tuple[Pod, ...]:
    """`ready` pods that serve, then `others` as given."""
    serving = tuple(
        Pod(f"{revision}-{n}", revision, ready=True, scheduled=True, terminating=False) for n in range(ready)
    )
    return (*serving, *others)


def make_pod(revision: str, **fields: Any) -> Pod:
    """A pod that does not serve."""
    idle: dict[str, Any] = {"name": f"{revision}-x", "ready": False, "scheduled": True, "terminating": False}
    return Pod(revision=revision, **(idle | fields))


def make_workload(revision: str, replicas: int, *pods: Pod) -> Workload:
    return Workload(f"domains-{revision}", revision, replicas, pods)


class Cluster:
    """Carries plans out on plain data, as the apiserver and its controllers would, with `gpus` devices.

    It holds no rules of Plimsoll: it lets a test walk a rollout move by move and look at each state between. `broken`
    holds hashes or model URIs of revisions whose pods never get ready; `demand` is how many pods the autoscaler would
    like its target to have.
    """

    def __init__(self, spec: Manifest, gpus: int = 100) -> None:
        self.observed = make_observed(spec)
        self.gpus = gpus
        self.now = NOW
        self.policy = POLICY
        self.broken: set[str] = set()
        self.demand: int | None = None
        self.pods: list[Pod] = []
        self._names = itertools.count()

    def change(self, spec: Manifest) -> None:
        owner = self.observed.owner
        self.observed = replace(self.observed, owner=replace(owner, spec=spec, generation=owner.generation + 1))

    def request(self, text: str | None) -> None:
        """Write the annotation that asks for something, or take it off."""
        annotations = {} if text is None else {ANNOTATION_REQUEST: text}
        self.observed = replace(self.observed, owner=replace(self.observed.owner, annotations=annotations))

    def reconcile(self, policy: Policy | None = None, writes: int | None = None) -> Plan:
        """One reconcile, of which the first `writes` are carried out; then the controllers act."""
        plan = reconcile(self.observed, policy or self.policy, self.now)
        self.carry_out(plan, writes)
        self.pass_time()
        return plan

    def settle(self, moves: int = 60) -> list[Observed]:
        """Reconcile until nothing is written and nothing moves any more; every state on the way, the first included."""
        states = [self.observed]
        for _ in range(moves):
            if self.reconcile().writes == 0 and self.observed == states[-1]:
                return states
            states.append(self.observed)
        raise AssertionError(f"not at rest after {moves} moves")

    def carry_out(self, plan: Plan, writes: int | None = None) -> None:
        children = dict(self.observed.children)
        replicas = self._replicas()
        ordered: list[Any] = [*plan.apply, *plan.scale, *plan.delete, plan.status]
        for write in ordered[:writes]:
            match write:
                case Scale(deployment, count):
                    assert deployment in replicas, f"{deployment} is scaled but does not exist"
                    replicas[deployment] = count
                case ObjectKey():
                    del children[write]
                case {"kind": str()}:
                    children[ObjectKey.of(write)] = _as_stored(write)
                case Mapping():
                    self.observed = replace(self.observed, owner=replace(self.observed.owner, status=write))
        self.store(children, replicas)

    def store(self, children: Mapping[ObjectKey, Manifest], replicas: Mapping[str, int] | None = None) -> None:
        """Hold these children. A Deployment without an entry in `replicas` is new and gets one, as from the API."""
        known = self._replicas() if replicas is None else replicas
        found = list(children.values())
        names = {_selected(child): child["metadata"]["name"] for child in found if child["kind"] == "Deployment"}
        self.observed = replace(
            self.observed,
            children=dict(children),
            revisions=tuple(parse_revision(child) for child in found if child["kind"] == "ControllerRevision"),
            workloads={
                revision: make_workload(revision, known.get(name, 1), *self._pods_of(revision))
                for revision, name in names.items()
            },
        )

    def pass_time(self, seconds: float = 5) -> None:
        """Every controller acts once: the autoscaler, those of the Deployments, the scheduler and the kubelets."""
        self.now += timedelta(seconds=seconds)
        self._autoscale()
        self._run_kubelets()
        self._count_pods()
        self._schedule()
        self.store(self.observed.children)

    def _replicas(self) -> dict[str, int]:
        return {workload.name: workload.replicas for workload in self.observed.workloads.values()}

    def _pods_of(self, revision: str) -> list[Pod]:
        return [pod for pod in self.pods if pod.revision == revision]

    def _autoscale(self) -> None:
        """Scale the autoscaler's target, if there is one that is not at zero, within bounds and behaviour."""
        key = ObjectKey("autoscaling/v2", "HorizontalPodAutoscaler", self.observed.owner.name)
        replicas = self._replicas()
        if key not in self.observed.children:
            return
        wanted = self.observed.children[key]["spec"]
        target = wanted["scaleTargetRef"]["name"]
        now = replicas.get(target, 0)
        if now == 0:
            return
        desired = now if self.demand is None else self.demand
        if wanted["behavior"]["scaleDown"]["selectPolicy"] == "Disabled":
            desired = max(now, desired)
        bounded = min(wanted["maxReplicas"], max(wanted["minReplicas"], desired))
        self.store(self.observed.children, {**replicas, target: bounded})

    def _run_kubelets(self) -> None:
        """Pods on a node become ready, unless their revision is broken; those that were told to end are gone."""
        uris = {revision.hash: revision.input["model"]["uri"] for revision in self.observed.revisions}
        self.pods = [
            replace(pod, ready=pod.scheduled and not {pod.revision, uris.get(pod.revision)} & self.broken)
            for pod in self.pods
            if not pod.terminating
        ]

    def _count_pods(self) -> None:
        """Create the pods that are missing and end the surplus: those that serve last."""
        counts = {workload.revision: workload.replicas for workload in self.observed.workloads.values()}
        ranked = sorted(self.pods, key=lambda pod: (not pod.ready, not pod.scheduled))
        self.pods = []
        for revision in sorted(counts.keys() | {pod.revision for pod in ranked}):
            pods = [pod for pod in ranked if pod.revision == revision]
            count = counts.get(revision, 0)
            self.pods += pods[:count]
            self.pods += [replace(pod, terminating=True) for pod in pods[count:] if pod.scheduled]
            self.pods += [
                make_pod(revision, name=f"{revision}-{next(self._names)}", scheduled=False)
                for _ in range(count - len(pods))
            ]

    def _schedule(self) -> None:
        """A pod keeps its device until it is gone. Where devices were lost, the pods on them are."""
        held = [pod for pod in self.pods if pod.scheduled]
        lost = {pod.name for pod in held[self.gpus :]}
        free = iter(range(self.gpus - len(held)))
        self.pods = [
            pod if pod.scheduled else _placed(pod) if next(free, None) is not None else _pending(pod)
            for pod in self.pods
            if pod.name not in lost
        ]


def _placed(pod: Pod) -> Pod:
    return replace(pod, scheduled=True, unschedulable="")


def _pending(pod: Pod) -> Pod:
    return replace(pod, unschedulable="Insufficient nvidia.com/gpu")


def _selected(deployment: Manifest) -> str:
    """The revision whose pods a Deployment selects."""
    return str(deployment["spec"]["selector"]["matchLabels"][LABEL_REVISION])


def _as_stored(manifest: Manifest) -> Manifest:
    metadata = {**manifest["metadata"], "creationTimestamp": "2026-05-04T03:00:00Z"}
    return {**manifest, "metadata": {**metadata, "managedFields": [_applied(manifest)]}}


def _applied(manifest: Manifest) -> Manifest:
    """The apiserver's note that all of it is the operator's."""
    return {"manager": FIELD_MANAGER, "operation": "Apply", "fieldsV1": {f"f:{name}": {} for name in manifest}}
