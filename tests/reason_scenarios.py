"""How each reason of `Ready` comes about on plain data: the status that the reconcile itself gives then."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import canaries
from builders import NOW, POLICY, Cluster, make_observed, make_pod, make_spec, make_workload
from plimsoll_operator.observed import Manifest, ObjectKey, Observed
from plimsoll_operator.reconcile import reconcile
from plimsoll_operator.rollout.evidence import Data, Decision
from plimsoll_operator.standstill import crd_outdated, write_failing, write_refused
from rollouts import at_rest, seconds, settled, spec_of, starting_pod

MOVES = 40


def walked(cluster: Cluster, reason: str) -> Manifest:
    """The first status on the way that gives this reason for `Ready`."""
    for _ in range(MOVES):
        plan = cluster.reconcile()
        status = plan.status or cluster.observed.owner.status
        if condition(status, "Ready")["reason"] == reason:
            return status
    raise AssertionError(f"{reason} did not come up in {MOVES} moves")


def condition(status: Manifest, kind: str) -> dict[str, Any]:
    return next(dict(found) for found in status["conditions"] if found["type"] == kind)


def looked_at(observed: Observed, now: Any = NOW) -> Manifest:
    return reconcile(observed, POLICY, now).status or observed.owner.status


def changed(cluster: Cluster, spec: Manifest) -> Cluster:
    cluster.change(spec)
    return cluster


def sick(**pod: Any) -> Callable[[str], Manifest]:
    """An object at rest whose only pod falls ill."""

    def status(_: str) -> Manifest:
        cluster = at_rest()
        [revision] = cluster.observed.workloads
        workload = make_workload(revision, 1, make_pod(revision, **pod))
        return looked_at(replace(cluster.observed, workloads={revision: workload}), cluster.now)

    return status


def silent(_: str) -> Manifest:
    cluster = at_rest()
    [revision] = cluster.observed.workloads
    workload = make_workload(revision, 1, starting_pod(revision, 30, cluster.now - seconds(600)))
    before = replace(cluster.observed, workloads={revision: workload})
    stored = replace(before, owner=replace(before.owner, status=looked_at(before, cluster.now)))
    return looked_at(stored, cluster.now + seconds(60))


def pods_refused(_: str) -> Manifest:
    cluster = at_rest()
    [revision] = cluster.observed.workloads
    refused = replace(make_workload(revision, 1), replica_failure="exceeded quota")
    return looked_at(replace(cluster.observed, workloads={revision: refused}), cluster.now)


def past_the_deadline(_: str) -> Manifest:
    cluster = changed(settled(1, gpus=10), spec_of(2, 1, progressDeadline="10m"))
    cluster.broken.add("pvc://models/v2")
    for _move in range(5):
        cluster.reconcile()
    cluster.pass_time(timedelta(minutes=11).total_seconds())
    return looked_at(cluster.observed, cluster.now)


def frozen(_: str) -> Manifest:
    cluster = changed(settled(1, gpus=10), spec_of(2, 1))
    return reconcile(cluster.observed, replace(POLICY, frozen=True), cluster.now).status or {}


def told(plan_of: Callable[..., Any], words: str) -> Callable[[str], Manifest]:
    return lambda _: plan_of(make_observed(), words, NOW).status


def tiny(**memory: str) -> Observed:
    model = {"uri": "hf://o/m:" + "0" * 40, "shape": "modernbert-base"}
    return make_observed(make_spec(model=model, gpu={"profile": "cpu"}, server={"resources": {"limits": memory}}))


def on_trial(decide: Decision = "Undecided", data: Data = "Measured", **canary: Any) -> Callable[[str], Manifest]:
    """A canary that is judged so, until the reason comes up."""

    def status(reason: str) -> Manifest:
        trials = canaries.changed(canaries.served(3), canary={"steps": [10], "maxDuration": "1m", **canary})
        trials.decision, trials.data = decide, data
        return walked(trials, reason)

    return status


RECREATE = {"strategy": "Recreate"}


def untried(_: str) -> Manifest:
    trials = canaries.changed(canaries.served(0))
    trials.settle()
    return trials.observed.owner.status


SCENARIOS: Mapping[str, Callable[[str], Manifest]] = {
    "Serving": lambda _: at_rest().observed.owner.status,
    "Parked": lambda _: at_rest(spec_of(1, 0)).observed.owner.status,
    "Starting": lambda reason: walked(Cluster(make_spec()), reason),
    "Replacing": lambda reason: walked(changed(settled(2, gpus=10), spec_of(2, 2)), reason),
    "ReplacingOneAtATime": lambda reason: walked(changed(settled(2, gpus=2), spec_of(2, 2)), reason),
    "StoppingOld": lambda reason: walked(changed(settled(1, gpus=1), spec_of(2, 1, **RECREATE)), reason),
    "Complete": lambda reason: walked(changed(settled(1, gpus=10), spec_of(2, 1)), reason),
    "NoFreeGPU": lambda reason: walked(changed(settled(1, gpus=1), spec_of(2, 1)), reason),
    "Unschedulable": sick(scheduled=False, unschedulable="Insufficient nvidia.com/gpu"),
    "ImagePullFailed": sick(waiting_reason="ErrImagePull"),
    "ContainerNotStarted": sick(waiting_reason="CreateContainerConfigError"),
    "OOMKilled": sick(last_exit_reason="OOMKilled"),
    "CrashLoop": sick(restarts=3, last_exit_code=1),
    "ProbeFailing": silent,
    "PodsRefused": pods_refused,
    "TooFewReady": sick(),
    "Paused": lambda reason: walked(changed(settled(1, gpus=10), spec_of(2, 1, paused=True)), reason),
    "Frozen": frozen,
    "Untried": untried,
    "ProgressDeadlineExceeded": past_the_deadline,
    "GPUProfileNotFound": lambda _: looked_at(make_observed(make_spec(gpu={"profile": "nvidia-x1"}))),
    "GPUProfilesUnreadable": lambda _: looked_at(replace(make_observed(), profiles={}, profiles_error="no ConfigMap")),
    "ClaimNotFound": lambda _: looked_at(make_observed(claim_found=False)),
    "NothingFits": lambda _: looked_at(tiny(memory="256Mi")),
    "NameTaken": lambda _: looked_at(make_observed(foreign=(ObjectKey("v1", "Service", "domains"),))),
    "InvalidSpec": lambda _: looked_at(make_observed(make_spec(tiers=[]))),
    "WriteRefused": told(write_refused, "exceeded quota"),
    "WriteFailing": told(write_failing, "failed calling webhook"),
    "RevisionUnreadable": lambda _: looked_at(make_observed(unreadable="ControllerRevision domains-abc: restore it")),
    "Surging": on_trial(),
    "Analysing": on_trial(),
    "NoTraffic": on_trial(data="NoTraffic"),
    "NoMetrics": on_trial(data="NoMetrics"),
    "CanaryMissing": on_trial(data="CanaryMissing"),
    "Inconclusive": on_trial(),
    "Promoting": on_trial("Promote"),
    "RollingBack": on_trial("Rollback"),
    "RolledBack": on_trial("Rollback"),
    "CRDOutdated": told(crd_outdated, "it lacks spec.model.shape"),
}


def status_of(reason: str) -> Manifest:
    """The status of an object whose `Ready` gives this reason."""
    return SCENARIOS[reason](reason)
