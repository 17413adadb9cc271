"""An InferenceDeployment's life on the real control plane: created, changed, drained of its fields, deleted."""

from __future__ import annotations

from typing import Any

import pytest

from cluster_kit import Kit, eventually, names
from light_server import light, ready

pytestmark = pytest.mark.cluster


def serving_pods(kit: Kit, name: str) -> set[str]:
    return {pod["metadata"]["uid"] for pod in kit.pods(name) if is_ready(pod)}


def is_ready(pod: dict[str, Any]) -> bool:
    return any(c["type"] == "Ready" and c["status"] == "True" for c in pod.get("status", {}).get("conditions", []))


def test_a_new_object_gets_its_children_and_serves(kit: Kit) -> None:
    ready(kit, light("born", scaling={"minReplicas": 2}))
    kinds = {manifest["kind"] for manifest in kit.children("born")}
    assert kinds >= {
        "Deployment",
        "ControllerRevision",
        "Service",
        "ServiceAccount",
        "PodDisruptionBudget",
        "HorizontalPodAutoscaler",
        "NetworkPolicy",
    }
    assert kit.condition("born", "Available")["status"] == "True"
    columns = kit.kubectl("get", "infd", "born").splitlines()
    assert columns[0].split() == ["NAME", "READY", "STABLE", "CANARY", "ROLLOUT", "REPLICAS", "GPU", "AGE"]
    assert columns[1].split()[:2] == ["born", "True"]
    kit.kubectl("wait", "infd/born", "--for=condition=Ready", "--timeout=5s")


def test_a_rolling_update_never_leaves_the_service_without_a_pod(kit: Kit) -> None:
    ready(kit, light("rolled", scaling={"minReplicas": 2, "provider": "None"}))
    old = serving_pods(kit, "rolled")
    kit.apply(light("rolled", scaling={"minReplicas": 2, "provider": "None"}, server={"memoryUtilizationPercent": 80}))
    fewest = 2

    def done() -> bool:
        nonlocal fewest
        fewest = min(fewest, len(serving_pods(kit, "rolled")))
        return kit.condition("rolled", "Ready").get("status") == "True" and not old & serving_pods(kit, "rolled")

    eventually(done, 120, lambda: kit.kubectl("get", "infd,pods"))
    assert fewest == 2
    eventually(lambda: len(kit.select("deployments", "plimsoll.dev/name=rolled")) == 1, 30)
    assert len(kit.select("controllerrevisions", "plimsoll.dev/name=rolled")) == 2


def test_recreate_ends_the_old_pods_before_the_new_ones_start(kit: Kit) -> None:
    ready(kit, light("recreated", rollout={"strategy": "Recreate"}))
    [old] = serving_pods(kit, "recreated")
    kit.apply(light("recreated", rollout={"strategy": "Recreate"}, server={"memoryUtilizationPercent": 80}))
    most = 0

    def done() -> bool:
        nonlocal most
        pods = kit.select("pods", "plimsoll.dev/name=recreated")
        most = max(most, len(pods))
        return len(pods) == 1 and old != pods[0]["metadata"]["uid"] and is_ready(pods[0])

    eventually(done, 120, lambda: kit.kubectl("get", "infd,pods"))
    assert most == 1
    kit.wait_for("recreated", "Ready", "True")


def test_a_gpu_pod_lands_on_a_node_of_its_profile(kit: Kit) -> None:
    ready(kit, light("accelerated", gpu={"profile": "nvidia-l4"}))
    [pod] = kit.pods("accelerated")
    node = kit.get("node", pod["spec"]["nodeName"])
    assert node["metadata"]["labels"]["nvidia.com/gpu.product"] == "NVIDIA-L4"
    assert pod["spec"]["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == "1"
    kit.kubectl("delete", "infd", "accelerated")


def test_what_cannot_run_says_why_and_what_to_do(kit: Kit) -> None:
    kit.apply(light("unknown", gpu={"profile": "nvidia-x1"}))
    told = kit.wait_for("unknown", "Stalled", "True", "GPUProfileNotFound")
    assert "nvidia-l4" in told["message"]
    kit.apply(light("claimless", model={"uri": "pvc://nowhere/model"}))
    assert "'nowhere'" in kit.wait_for("claimless", "Stalled", "True", "ClaimNotFound")["message"]
    kit.apply(light("imageless", server={"image": "test/no-such-image:1"}))
    assert "spec.server.image" in kit.wait_for("imageless", "Ready", "False", "ImagePullFailed")["message"]
    kit.apply(light("crowded", gpu={"profile": "nvidia-t4"}))
    assert "nvidia-t4" in kit.wait_for("crowded", "Ready", "False", "NoFreeGPU")["message"]


def test_a_name_that_is_taken_is_left_to_its_owner(kit: Kit) -> None:
    kit.kubectl("create", "service", "clusterip", "taken", "--tcp=80:80")
    before = kit.get("service", "taken")
    kit.apply(light("taken"))
    assert "Service taken" in kit.wait_for("taken", "Stalled", "True", "NameTaken")["message"]
    assert kit.get("service", "taken")["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]


def test_replicas_that_others_set_are_left_to_them(kit: Kit) -> None:
    ready(kit, light("scaled"))
    [deployment] = kit.select("deployments", "plimsoll.dev/name=scaled")
    kit.kubectl("scale", "deployment", deployment["metadata"]["name"], "--replicas=2")
    eventually(lambda: len(serving_pods(kit, "scaled")) == 2, 60)
    assert kit.get("deployment", deployment["metadata"]["name"])["spec"]["replicas"] == 2


def test_deleting_the_object_leaves_nothing(kit: Kit) -> None:
    ready(kit, light("mortal"))
    kit.kubectl("delete", "infd", "mortal", "--timeout=20s")
    eventually(lambda: not kit.children("mortal"), 60, lambda: str(names(kit.children("mortal"))))


def test_what_a_quota_refuses_is_told_by_the_object(kit: Kit) -> None:
    tight = Kit(kit.kubectl_path, kit.kubeconfig, "tight")
    tight.kubectl("create", "namespace", "tight")
    tight.kubectl("create", "quota", "none", "--hard=count/services=0")
    tight.apply(light("refused"))
    told = tight.wait_for("refused", "Stalled", "True", "WriteRefused")
    assert "exceeded quota" in told["message"]
    assert tight.condition("refused", "Ready")["status"] == "False"
    tight.kubectl("delete", "quota", "none")
    tight.wait_for("refused", "Ready", "True", deadline=120)
    tight.kubectl("delete", "namespace", "tight", "--wait=false")
