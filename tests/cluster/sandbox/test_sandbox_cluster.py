"""What makes it a cluster: rights, scheduling, Services, metrics, autoscaling, and a record of who did what."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from typing import Any

import httpx
import pytest

from audit_tail import whole_lines
from cluster_kit import Kit, eventually
from plimsoll_sandbox.sandbox import Sandbox
from pod_manifests import (
    events,
    make_deployment,
    make_pod,
    make_service,
    make_shell,
    refuses,
    text_of,
    wait_for_phase,
    wait_for_ready,
)

pytestmark = pytest.mark.cluster

GPU = {"limits": {"nvidia.com/gpu": "1"}}
ON_L4 = {
    "nodeSelector": {"nvidia.com/gpu.product": "NVIDIA-L4"},
    "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
}
READY = {"httpGet": {"path": "/ready", "port": 8080}, "periodSeconds": 1}
SCRAPED = {"prometheus.io/scrape": "true", "prometheus.io/port": "8080", "prometheus.io/path": "/metrics"}

ASK_AS_POD = """
import kubernetes, os, sys
kubernetes.config.load_kube_config()
api = kubernetes.client.CoreV1Api()
print(api.list_namespaced_pod(os.environ["POD_NAMESPACE"]).items[0].metadata.name)
try:
    api.list_namespaced_secret(os.environ["POD_NAMESPACE"])
except kubernetes.client.ApiException as error:
    print(error.status, error.reason)
"""


def test_a_pod_may_do_what_its_service_account_may_and_nothing_else(kit: Kit) -> None:
    kit.kubectl("create", "role", "reader", "--verb=get,list", "--resource=pods")
    kit.kubectl("create", "rolebinding", "reader", "--role=reader", f"--serviceaccount={kit.namespace}:default")
    kit.apply(make_pod(command=[sys.executable, "-c", ASK_AS_POD], spec={"restartPolicy": "Never"}))
    wait_for_phase(kit, "pod", "Succeeded", deadline=60)
    assert kit.kubectl("logs", "pod").splitlines() == ["pod", "403 Forbidden"]


def test_a_pod_without_a_mounted_token_has_no_way_in(kit: Kit) -> None:
    spec = {"restartPolicy": "Never", "automountServiceAccountToken": False}
    kit.apply(make_shell('echo "kubeconfig: $KUBECONFIG"', spec=spec))
    wait_for_phase(kit, "pod", "Succeeded")
    assert kit.kubectl("logs", "pod").strip() == "kubeconfig:"


def test_the_apiserver_is_reached_by_its_own_service(kit: Kit, sandbox: Sandbox) -> None:
    address = kit.kubectl("get", "service", "kubernetes", "-n", "default", "-o", "jsonpath={.spec.clusterIP}")
    with socket.create_connection((address, 443), timeout=5):
        pass
    assert sandbox.url("default", "kubernetes").endswith(f"{address}:443")


def test_a_third_pod_waits_for_a_gpu(kit: Kit) -> None:
    for number in range(3):
        kit.apply(make_shell("sleep 600", name=f"gpu-{number}", resources=GPU, spec=ON_L4))
    eventually(lambda: len(_scheduled(kit)) == 2, deadline=30)
    assert {pod["spec"]["nodeName"] for pod in _scheduled(kit)} == {"nvidia-l4-0", "nvidia-l4-1"}
    (waiting,) = (pod for pod in kit.select("pods") if "nodeName" not in pod["spec"])
    assert waiting["status"]["phase"] == "Pending"
    kit.kubectl("delete", "pod", "gpu-0", "gpu-1", "--wait=false")
    wait_for_ready(kit, waiting["metadata"]["name"])


def test_a_pod_that_tolerates_no_gpu_node_stays_off_it(kit: Kit) -> None:
    kit.apply(make_shell("sleep 600", spec={"nodeSelector": ON_L4["nodeSelector"]}))
    eventually(lambda: "FailedScheduling" in dict(events(kit, "pod")), deadline=20)
    assert "untolerated taint" in dict(events(kit, "pod"))["FailedScheduling"]


def test_a_service_without_ready_pods_refuses(kit: Kit, sandbox: Sandbox) -> None:
    kit.apply(make_service("web"))
    url = sandbox.url(kit.namespace, "web")
    with pytest.raises(httpx.ConnectError):
        httpx.get(url)
    kit.apply(make_pod("serve", name="web"))
    eventually(lambda: text_of(url) == "web", deadline=20)
    kit.kubectl("delete", "pod", "web")
    eventually(lambda: refuses(url), deadline=5)


def test_a_response_under_way_survives_the_deletion_of_its_pod(kit: Kit, sandbox: Sandbox) -> None:
    kit.apply(make_pod("serve", name="web", readinessProbe=READY, spec={"terminationGracePeriodSeconds": 20}))
    kit.apply(make_service("web"))
    wait_for_ready(kit, "web")
    url = sandbox.url(kit.namespace, "web")
    eventually(lambda: text_of(url) == "web", deadline=20)
    answers: list[str] = []
    client = threading.Thread(target=lambda: answers.append(httpx.get(f"{url}/slow", timeout=20).text))
    client.start()
    time.sleep(0.5)
    kit.kubectl("delete", "pod", "web", "--wait=false")
    client.join()
    assert answers == ["0 1 2 3 4 5 6 7 8 9 "]


def test_prometheus_finds_pods_that_ask_for_it(kit: Kit, sandbox: Sandbox) -> None:
    kit.apply(_scraped_pod("0.25"))
    query = f'plimsoll_saturation_ratio{{namespace="{kit.namespace}"}}'
    (series,) = eventually(lambda: _ask_prometheus(sandbox, query), deadline=40)
    assert series["metric"]["pod"] == series["metric"]["replica"] == "pod"
    assert series["metric"]["inference_namespace"] == kit.namespace
    assert series["value"][1] == "0.25"


def test_the_autoscaler_scales_on_a_custom_metric_up_and_down(kit: Kit) -> None:
    pod = _scraped_pod("1.4")
    kit.apply(make_deployment("busy", 1, pod))
    kit.apply(_autoscaler("busy"))
    # 1.4 against 0.7 asks for twice as many, again and again, up to the most.
    eventually(lambda: _replicas(kit, "busy") == 3, deadline=90)
    # One that was not there yet would go on asking for more.
    eventually(lambda: len(kit.select("pods", "app=busy")) == 3, deadline=20)
    for found in kit.select("pods", "app=busy"):
        name = found["metadata"]["name"]
        wait_for_ready(kit, name)
        httpx.put(f"http://{kit.get('pod', name)['status']['podIP']}:8080/saturation?0.1")
    eventually(lambda: _replicas(kit, "busy") == 1, deadline=90)


def test_the_audit_log_tells_who_did_what(kit: Kit, sandbox: Sandbox) -> None:
    kit.kubectl("create", "configmap", "evidence")
    kit.kubectl("get", "configmap", "evidence")

    def recorded() -> list[tuple[str, str]] | None:
        entries = (json.loads(line) for line in whole_lines(sandbox.audit_log) if kit.namespace in line)
        about = [entry for entry in entries if entry.get("objectRef", {}).get("namespace") == kit.namespace]
        found = [(entry["user"]["username"], entry["verb"]) for entry in about if "configmaps/evidence" in _path(entry)]
        return found if ("plimsoll:admin", "get") in found else None

    eventually(recorded, deadline=10)


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (("exec", "pod", "--", "true"), "only serve logs"),
        (("logs", "pod", "-c", "absent"), "absent"),
    ],
    ids=["exec", "no such container"],
)
def test_what_a_node_cannot_do_is_said(kit: Kit, sandbox: Sandbox, command: tuple[str, ...], reason: str) -> None:
    kit.apply(make_shell("sleep 600"))
    wait_for_ready(kit, "pod")
    said = sandbox.kubectl("-n", kit.namespace, *command, check=False)
    assert reason in said


def test_nobody_else_may_ask_a_node_for_logs(kit: Kit, sandbox: Sandbox) -> None:
    port = sandbox.config.network.ports["kubelet"]
    address = sandbox.config.nodes[0].address
    answer = subprocess.run(
        ["curl", "-sk", f"https://{address}:{port}/healthz"], capture_output=True, text=True, check=False
    )
    assert answer.returncode != 0


def _scraped_pod(saturation: str) -> dict[str, Any]:
    pod = make_pod("serve", "--saturation", saturation, readinessProbe=READY)
    pod["metadata"]["annotations"] = SCRAPED
    return pod


def _autoscaler(name: str) -> dict[str, Any]:
    target = {"type": "AverageValue", "averageValue": "700m"}
    metric = {"type": "Pods", "pods": {"metric": {"name": "plimsoll_saturation_ratio"}, "target": target}}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": name},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
            "minReplicas": 1,
            "maxReplicas": 3,
            "metrics": [metric],
            "behavior": {"scaleDown": {"stabilizationWindowSeconds": 0}},
        },
    }


def _replicas(kit: Kit, name: str) -> int:
    return int(kit.get("deployment", name)["spec"]["replicas"])


def _scheduled(kit: Kit) -> list[dict[str, Any]]:
    return [pod for pod in kit.select("pods") if "nodeName" in pod["spec"]]


def _ask_prometheus(sandbox: Sandbox, query: str) -> list[dict[str, Any]]:
    answer = httpx.get(f"{sandbox.prometheus_url}/api/v1/query", params={"query": query})
    found: list[dict[str, Any]] = answer.json()["data"]["result"]
    return found


def _path(entry: dict[str, Any]) -> str:
    return str(entry["requestURI"])
