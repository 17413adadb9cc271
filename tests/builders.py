"""Builders of the operator's inputs: say only what a test is about, the rest is ordinary."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from plimsoll_operator.gpu_profiles import GpuProfile
from plimsoll_operator.observed import Manifest, ObjectKey, Observed, Owner, Pod, Revision, Workload
from plimsoll_operator.plan import Plan
from plimsoll_operator.reconcile import Policy, reconcile

NOW = datetime(2026, 5, 4, 3, 0, tzinfo=UTC)
POLICY = Policy(server_image="plimsoll/server:1")
PROFILES = {
    "nvidia-l4": GpuProfile("nvidia-l4", 23034 << 20, "nvidia.com/gpu", {"nvidia.com/gpu.product": "NVIDIA-L4"}),
    "nvidia-h100-80gb": GpuProfile("nvidia-h100-80gb", 81559 << 20, "nvidia.com/gpu"),
    "cpu": GpuProfile("cpu", 4 << 30),
}


def make_spec(**sections: Any) -> dict[str, Any]:
    """A minimal `spec`; sections replace the ones given."""
    return {
        "model": {"uri": "pvc://models/domains"},
        "gpu": {"profile": "nvidia-l4"},
        "tiers": [{"name": "short", "maxTokens": 512, "concurrency": 8}],
        **sections,
    }


def make_owner(spec: Manifest | None = None, status: Manifest | None = None, generation: int = 1) -> Owner:
    return Owner("guardrails", "domains", "uid-1", generation, spec or make_spec(), status or {})


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
    return Pod(
        **{"name": f"{revision}-x", "revision": revision, "ready": False, "scheduled": True, "terminating": False}
        | fields
    )


def make_workload(revision: str, replicas: int, *pods: Pod) -> Workload:
    return Workload(f"domains-{revision}", revision, replicas, pods)


class Cluster:
    """Carries plans out on plain data, as the apiserver and its controllers would, with `gpus` devices.

    It holds no rules of Plimsoll: it lets a test walk a rollout move by move and look at each state between.
    """

    def __init__(self, spec: Manifest, gpus: int = 100) -> None:
        self.observed = make_observed(spec)
        self.gpus = gpus
        self.now = NOW
        self.broken: set[str] = set()

    def change(self, spec: Manifest) -> None:
        owner = self.observed.owner
        self.observed = replace(self.observed, owner=replace(owner, spec=spec, generation=owner.generation + 1))

    def reconcile(self, policy: Policy = POLICY) -> Plan:
        plan = reconcile(self.observed, policy, self.now)
        self._carry_out(plan)
        self.now += timedelta(seconds=5)
        return plan

    def settle(self, moves: int = 50) -> list[Observed]:
        """Reconcile until nothing is written any more; every state on the way, the first one included."""
        states = [self.observed]
        for _ in range(moves):
            if self.reconcile().writes == 0:
                return states
            states.append(self.observed)
        raise AssertionError(f"not at rest after {moves} moves")

    def _carry_out(self, plan: Plan) -> None:
        children = dict(self.observed.children)
        replicas = {workload.name: workload.replicas for workload in self.observed.workloads.values()}
        for manifest in plan.apply:
            children[ObjectKey.of(manifest)] = manifest
            if manifest["kind"] == "Deployment":
                replicas.setdefault(manifest["metadata"]["name"], 1)
        replicas |= {scale.deployment: scale.replicas for scale in plan.scale}
        for key in plan.delete:
            children.pop(key, None)
            if key.kind == "Deployment":
                replicas.pop(key.name, None)
        owner = self.observed.owner
        if plan.status is not None:
            owner = replace(owner, status=plan.status)
        self.observed = replace(
            self.observed,
            owner=owner,
            children=children,
            revisions=tuple(_revisions(children.values())),
            workloads=self._workloads(children.values(), replicas),
        )

    def _workloads(self, children: Iterable[Manifest], replicas: Mapping[str, int]) -> dict[str, Workload]:
        """Pods keep their GPU; new ones get what is left, and are ready one reconcile later."""
        deployments = [child for child in children if child["kind"] == "Deployment"]
        before = self.observed.workloads
        hashes = {
            child["metadata"]["labels"]["plimsoll.dev/revision"]: child["metadata"]["name"] for child in deployments
        }
        kept = {h: min(replicas[n], len(_scheduled(before.get(h)))) for h, n in hashes.items()}
        free = self.gpus - sum(kept.values())
        workloads = {}
        for revision, name in hashes.items():
            placed = min(replicas[name], kept[revision] + free)
            free -= placed - kept[revision]
            ready = 0 if revision in self.broken else kept[revision]
            unready = [make_pod(revision, name=f"{revision}-u{n}") for n in range(placed - ready)]
            pending = [
                make_pod(
                    revision, name=f"{revision}-p{n}", scheduled=False, unschedulable="Insufficient nvidia.com/gpu"
                )
                for n in range(replicas[name] - placed)
            ]
            workloads[revision] = Workload(
                name, revision, replicas[name], make_pods(revision, ready, *unready, *pending)
            )
        return workloads


def _scheduled(workload: Workload | None) -> list[Pod]:
    return [pod for pod in workload.pods if pod.scheduled] if workload else []


def _revisions(children: Iterable[Manifest]) -> Iterable[Revision]:
    for child in children:
        if child["kind"] == "ControllerRevision":
            labels = child["metadata"]["labels"]
            yield Revision(
                hash=labels["plimsoll.dev/revision"],
                name=child["metadata"]["name"],
                number=child["revision"],
                stable=labels.get("plimsoll.dev/stable") == "true",
                created_at="2026-05-04T03:00:00Z",
                input=child["data"]["input"],
                template=child["data"]["template"],
            )
