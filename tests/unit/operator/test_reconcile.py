"""One reconcile at a time: what is written, what is left alone, and what the object says of itself."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from builders import NOW, POLICY, PROFILES, Cluster, make_observed, make_pod, make_pods, make_spec, make_workload
from plimsoll_operator.observed import ObjectKey, Observed
from plimsoll_operator.plan import Plan
from plimsoll_operator.reconcile import Policy, reconcile
from rollouts import at_rest, delete


def condition(plan: Plan, kind: str) -> dict[str, Any]:
    assert plan.status is not None
    return next(dict(c) for c in plan.status["conditions"] if c["type"] == kind)


def test_a_new_object_gets_all_its_children_owned_by_it() -> None:
    plan = reconcile(make_observed(), POLICY, NOW)
    kinds = [manifest["kind"] for manifest in plan.apply]
    assert sorted(kinds) == [
        "ControllerRevision",
        "Deployment",
        "HorizontalPodAutoscaler",
        "NetworkPolicy",
        "PodDisruptionBudget",
        "Service",
        "ServiceAccount",
    ]
    assert kinds.index("ServiceAccount") < kinds.index("Deployment")
    for manifest in plan.apply:
        [owner] = manifest["metadata"]["ownerReferences"]
        assert (owner["uid"], owner["controller"]) == ("uid-1", True)


def test_no_deployment_is_ever_applied_with_replicas() -> None:
    plan = reconcile(make_observed(), POLICY, NOW)
    [deployment] = [manifest for manifest in plan.apply if manifest["kind"] == "Deployment"]
    assert "replicas" not in deployment["spec"]


def test_an_object_at_rest_is_written_nothing() -> None:
    cluster = at_rest()
    assert reconcile(cluster.observed, POLICY, cluster.now) == Plan()


def test_a_newer_operator_restarts_no_pod() -> None:
    cluster = at_rest()
    newer = Policy(server_image="plimsoll/server:2")
    changed = {name: replace(p, tolerations=({"operator": "Exists"},)) for name, p in PROFILES.items()}
    assert reconcile(replace(cluster.observed, profiles=changed), newer, cluster.now).apply == ()


def test_a_newer_operator_restarts_no_pod_in_place_where_the_history_was_deleted() -> None:
    cluster = at_rest()
    [(key, before)] = [(key, live) for key, live in cluster.observed.children.items() if key.kind == "Deployment"]
    delete(cluster, "ControllerRevision")
    cluster.policy = Policy(server_image="plimsoll/server:2")
    plan = cluster.reconcile()
    assert cluster.observed.children[key] == before
    [started] = [manifest for manifest in plan.apply if manifest["kind"] == "Deployment"]
    assert "plimsoll/server:2" in str(started)
    states = cluster.settle()
    assert min(state.ready for state in states) == 1
    assert key not in cluster.observed.children


@pytest.mark.parametrize(
    "sections",
    [
        pytest.param({"server": {"memoryUtilizationPercent": 85}}, id="a default written down"),
        pytest.param({"scaling": {"maxReplicas": 4}}, id="scaling"),
        pytest.param({"rollout": {"progressDeadline": "5m"}}, id="rollout settings"),
    ],
)
def test_what_changes_no_pod_makes_no_revision(sections: dict[str, Any]) -> None:
    cluster = at_rest()
    before = set(cluster.observed.workloads)
    cluster.change(make_spec(**sections))
    cluster.settle()
    assert set(cluster.observed.workloads) == before


def test_replicas_set_by_the_autoscaler_are_left_alone() -> None:
    cluster = at_rest()
    [workload] = cluster.observed.workloads.values()
    scaled = replace(cluster.observed, workloads={workload.revision: replace(workload, replicas=5)})
    assert reconcile(scaled, POLICY, cluster.now).scale == ()


def test_a_stable_revision_scaled_to_zero_is_raised_again() -> None:
    cluster = at_rest(make_spec(scaling={"minReplicas": 2}))
    [workload] = cluster.observed.workloads.values()
    stopped = replace(cluster.observed, workloads={workload.revision: replace(workload, replicas=0, pods=())})
    [scale] = reconcile(stopped, POLICY, cluster.now).scale
    assert scale.replicas == 2


def test_a_provider_of_none_fixes_the_replicas_and_removes_the_autoscaler() -> None:
    cluster = at_rest()
    cluster.change(make_spec(scaling={"provider": "None", "minReplicas": 3}))
    cluster.settle()
    assert [workload.replicas for workload in cluster.observed.workloads.values()] == [3]
    assert not [key for key in cluster.observed.children if key.kind == "HorizontalPodAutoscaler"]


def test_the_autoscaler_may_not_shrink_for_one_window_after_a_rollout() -> None:
    cluster = at_rest(make_spec(scaling={"scaleDownStabilization": "2m"}))
    cluster.change(make_spec(scaling={"scaleDownStabilization": "2m"}, model={"uri": "pvc://models/other"}))
    cluster.settle()
    assert _scale_down(cluster) == "Disabled"
    plan = reconcile(cluster.observed, POLICY, cluster.now)
    assert plan.requeue_after is not None
    assert plan.requeue_after <= timedelta(minutes=2)
    cluster.now += timedelta(minutes=2)
    cluster.settle()
    assert _scale_down(cluster) == "Max"


def _scale_down(cluster: Cluster) -> str:
    [autoscaler] = [live for key, live in cluster.observed.children.items() if key.kind == "HorizontalPodAutoscaler"]
    return str(autoscaler["spec"]["behavior"]["scaleDown"]["selectPolicy"])


def blocked_observations() -> list[Any]:
    taken = (ObjectKey("v1", "Service", "domains"),)
    return [
        pytest.param(make_observed(make_spec(gpu={"profile": "nvidia-x1"})), "GPUProfileNotFound", "nvidia-h100-80gb"),
        pytest.param(
            replace(make_observed(), profiles={}, profiles_error="ConfigMap plimsoll-gpu-profiles is missing"),
            "GPUProfilesUnreadable",
            "ConfigMap",
        ),
        pytest.param(make_observed(claim_found=False), "ClaimNotFound", "'models'"),
        pytest.param(
            make_observed(
                make_spec(
                    model={"uri": "pvc://m/d", "shape": "modernbert-base"},
                    gpu={"profile": "cpu"},
                    server={"resources": {"limits": {"memory": "1Gi"}}},
                )
            ),
            "NothingFits",
            "no tier fits cpu",
        ),
        pytest.param(
            make_observed(
                make_spec(
                    model={"uri": "pvc://m/d", "shape": "modernbert-base"},
                    gpu={"profile": "cpu"},
                    server={"resources": {"limits": {"memory": "500m"}}},
                )
            ),
            "NothingFits",
            "exceed 0 MiB",
            id="half a byte, which the API takes for memory",
        ),
        pytest.param(make_observed(make_spec(tiers=[])), "InvalidSpec", "spec.tiers"),
        pytest.param(make_observed(foreign=taken), "NameTaken", "Service domains"),
        pytest.param(make_observed(make_spec(model={"uri": "ftp://x"})), "InvalidSpec", "hf://org/repository"),
        pytest.param(make_observed({"model": {"uri": "pvc://a"}}), "InvalidSpec", "spec.gpu"),
    ]


@pytest.mark.parametrize(("observed", "reason", "advice"), blocked_observations())
def test_what_stands_in_the_way_is_named_with_advice(observed: Observed, reason: str, advice: str) -> None:
    plan = reconcile(observed, POLICY, NOW)
    stalled = condition(plan, "Stalled")
    assert (stalled["status"], stalled["reason"]) == ("True", reason)
    assert advice in stalled["message"]
    assert condition(plan, "Reconciling")["status"] == "False"
    assert [event.reason for event in plan.events if event.type == "Warning"] == [reason]


def test_a_bad_change_leaves_the_serving_revision_in_place() -> None:
    cluster = at_rest()
    before = cluster.observed.workloads
    cluster.change(make_spec(gpu={"profile": "nvidia-x1"}))
    plan = cluster.reconcile()
    assert cluster.observed.workloads == before
    assert condition(plan, "Stalled")["reason"] == "GPUProfileNotFound"
    assert condition(plan, "Available")["status"] == "True"
    assert condition(plan, "Ready")["status"] == "False"
    assert not plan.delete


@pytest.mark.parametrize("ready", [0, 2])
def test_a_spec_that_cannot_be_read_leaves_it_told_whether_anything_serves(ready: int) -> None:
    serving = make_workload("0ld", 2, *make_pods("0ld", ready))
    observed = make_observed(make_spec(model={"uri": "ftp://x"}), workloads={"0ld": serving})
    plan = reconcile(observed, POLICY, NOW)
    assert condition(plan, "Available")["status"] == ("True" if ready else "False")
    assert plan.status is not None
    assert (plan.status["replicas"], plan.status["readyReplicas"]) == (2, ready)


def test_a_name_that_belongs_to_another_is_never_written() -> None:
    taken = ObjectKey("v1", "Service", "domains")
    plan = reconcile(make_observed(foreign=(taken,)), POLICY, NOW)
    assert taken not in {ObjectKey.of(manifest) for manifest in plan.apply}


@pytest.mark.parametrize(
    ("pod", "reason", "advice"),
    [
        pytest.param(
            {"waiting_reason": "ImagePullBackOff", "waiting_message": "no x"}, "ImagePullFailed", "spec.server.image"
        ),
        pytest.param({"waiting_reason": "CreateContainerConfigError"}, "ContainerNotStarted", "cannot start"),
        pytest.param({"last_exit_reason": "OOMKilled", "last_exit_code": 137}, "OOMKilled", "memoryUtilizationPercent"),
        pytest.param({"waiting_reason": "CrashLoopBackOff", "last_exit_code": 1}, "CrashLoop", "--previous"),
        pytest.param({"restarts": 2, "last_exit_message": "no config.json"}, "CrashLoop", "no config.json"),
        pytest.param({"scheduled": False, "unschedulable": "Insufficient gpu"}, "Unschedulable", "Insufficient gpu"),
    ],
)
def test_an_unready_pod_is_explained(pod: dict[str, Any], reason: str, advice: str) -> None:
    cluster = at_rest()
    [revision] = cluster.observed.workloads
    sick = make_workload(revision, 1, make_pod(revision, **pod))
    plan = reconcile(replace(cluster.observed, workloads={revision: sick}), POLICY, cluster.now)
    for kind, status in (("Available", "False"), ("Ready", "False"), ("Reconciling", "True")):
        told = condition(plan, kind)
        assert (told["status"], told["reason"]) == (status, reason)
        assert advice in told["message"]


def test_a_spec_above_its_load_line_runs_at_the_safe_concurrency_and_names_a_larger_gpu() -> None:
    eager = {"uri": "pvc://models/domains", "shape": "modernbert-base", "attention": "eager", "dtype": "float32"}
    tiers = [{"name": "long", "maxTokens": 8192, "concurrency": 4}, {"name": "whole", "maxTokens": 16384}]
    plan = reconcile(make_observed(make_spec(model=eager, tiers=tiers)), POLICY, NOW)
    told = condition(plan, "WithinLoadLine")
    assert told["status"] == "False"
    assert "tier long asks for 4 at once, nvidia-l4 carries 1" in told["message"]
    assert "nvidia-h100-80gb would carry all" in told["message"]
    assert plan.status is not None
    assert [line["safeConcurrency"] for line in plan.status["loadLine"]] == [1, 0]
    assert [tier["safeConcurrency"] for tier in server_config(plan)["tiers"]] == [1, 0]


def test_without_a_shape_the_load_line_is_unknown_and_nothing_is_claimed() -> None:
    plan = reconcile(make_observed(), POLICY, NOW)
    assert condition(plan, "WithinLoadLine")["status"] == "Unknown"
    assert [tier["safeConcurrency"] for tier in server_config(plan)["tiers"]] == [None]


def server_config(plan: Plan) -> dict[str, Any]:
    [deployment] = [manifest for manifest in plan.apply if manifest["kind"] == "Deployment"]
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    [config] = [variable["value"] for variable in container["env"] if variable["name"] == "PLIMSOLL_CONFIG"]
    parsed: dict[str, Any] = json.loads(config)
    return parsed


def test_status_is_not_written_again_when_it_says_the_same() -> None:
    cluster = at_rest()
    later = reconcile(cluster.observed, POLICY, cluster.now + timedelta(days=1))
    assert later.status is None


@pytest.mark.parametrize(
    ("task", "aggregation"),
    [("text-classification", "Mean"), ("feature-extraction", "Mean"), ("token-classification", "Union")],
)
def test_chunks_are_put_together_as_the_task_needs(task: str, aggregation: str) -> None:
    plan = reconcile(make_observed(make_spec(model={"uri": "pvc://models/domains", "task": task})), POLICY, NOW)
    assert server_config(plan)["longInput"]["aggregation"] == aggregation
