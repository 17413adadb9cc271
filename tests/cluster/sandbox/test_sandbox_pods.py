"""What a container is given: environment, files, arguments, address, log."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster_kit import Kit, eventually
from plimsoll_sandbox.sandbox import Sandbox
from pod_manifests import (
    container_status,
    make_config_map,
    make_deployment,
    make_pod,
    make_secret,
    make_service,
    make_shell,
    make_shell_container,
    text_of,
    wait_for_phase,
    wait_for_ready,
    wait_for_state,
)

pytestmark = pytest.mark.cluster

READY = {"httpGet": {"path": "/ready", "port": 8080}, "periodSeconds": 1}


def field(path: str) -> dict[str, Any]:
    return {"valueFrom": {"fieldRef": {"fieldPath": path}}}


def resource(name: str, divisor: str = "1") -> dict[str, Any]:
    return {"valueFrom": {"resourceFieldRef": {"resource": name, "divisor": divisor}}}


def key_of(kind: str, name: str, key: str, **more: Any) -> dict[str, Any]:
    return {"valueFrom": {f"{kind}KeyRef": {"name": name, "key": key, **more}}}


VARIABLES: dict[str, dict[str, Any]] = {
    "PLAIN": {"value": "plain"},
    "REFERRING": {"value": "$(PLAIN)-$(MISSING)-$$(PLAIN)"},
    "OWN_NAME": field("metadata.name"),
    "OWN_LABEL": field("metadata.labels['app']"),
    "OWN_ANNOTATION": field("metadata.annotations['example.com/note']"),
    "OWN_ADDRESS": field("status.podIP"),
    "NODE": field("spec.nodeName"),
    "MEMORY": resource("limits.memory"),
    "MEBIBYTES": resource("limits.memory", "1Mi"),
    "MILLICORES": resource("requests.cpu", "1m"),
    "FROM_MAP": key_of("configMap", "settings", "colour"),
    "FROM_SECRET": key_of("secret", "keys", "token"),
    "ABSENT": key_of("configMap", "settings", "none", optional=True),
    "JSON": {"value": '{"location": "/models/domains", "other": "/models2", "list": ["/etc/settings"]}'},
}


@pytest.fixture(scope="module")
def shown(shared_kit: Kit, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What one container with every kind of variable and volume has seen of them."""
    models = tmp_path_factory.mktemp("models")
    (models / "sub").mkdir()
    (models / "sub" / "weights").write_text("from the claim")
    shared_kit.apply(make_config_map("settings", colour="blue", size="large"))
    shared_kit.apply(make_secret("keys", token="s3cret"))
    for manifest in make_claim(shared_kit.namespace, models):
        shared_kit.apply(manifest)
    shared_kit.apply(make_curious_pod())
    wait_for_phase(shared_kit, "curious", "Succeeded")
    found: dict[str, Any] = json.loads(shared_kit.kubectl("logs", "curious"))
    found["pod"] = shared_kit.get("pod", "curious")
    found["names"] = {path.rpartition("/")[2] or path: text for path, text in found["files"].items()}
    return found


def make_claim(namespace: str, folder: Path) -> list[dict[str, Any]]:
    size = {"requests": {"storage": "1Gi"}}
    access: dict[str, Any] = {"accessModes": ["ReadOnlyMany"], "storageClassName": ""}
    claim = {"name": "models", "namespace": namespace}
    volume = {**access, "capacity": {"storage": "1Gi"}, "hostPath": {"path": str(folder)}, "claimRef": claim}
    return [
        {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": namespace}, "spec": volume},
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": claim,
            "spec": {**access, "resources": size, "volumeName": namespace},
        },
    ]


def make_curious_pod() -> dict[str, Any]:
    mounts: dict[str, dict[str, Any]] = {
        "settings": {"mountPath": "/etc/settings"},
        "one-key": {"mountPath": "/etc/one/renamed", "subPath": "renamed"},
        "models": {"mountPath": "/models", "subPath": "sub", "readOnly": True},
        "about": {"mountPath": "/etc/about"},
        "everything": {"mountPath": "/var/run/everything"},
    }
    volumes: list[dict[str, Any]] = [
        {"name": "settings", "configMap": {"name": "settings"}},
        {"name": "one-key", "secret": {"secretName": "keys", "items": [{"key": "token", "path": "renamed"}]}},
        {"name": "models", "persistentVolumeClaim": {"claimName": "models"}},
        {
            "name": "about",
            "downwardAPI": {"items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]},
        },
        {
            "name": "everything",
            "projected": {
                "sources": [
                    {"serviceAccountToken": {"path": "aimed-token", "audience": "example"}},
                    {"configMap": {"name": "settings", "items": [{"key": "size", "path": "below/size"}]}},
                    {"secret": {"name": "keys"}},
                ]
            },
        },
    ]
    files = ["/etc/settings/colour", "/etc/one/renamed", "/models/weights", "/etc/about/labels"]
    files += [f"/var/run/everything/{name}" for name in ("aimed-token", "below/size", "token")]
    pod = make_pod(
        "show",
        *files,
        name="curious",
        env=[{"name": name, **source} for name, source in VARIABLES.items()],
        envFrom=[{"configMapRef": {"name": "settings"}, "prefix": "ALL_"}],
        resources={"limits": {"memory": "256Mi"}, "requests": {"cpu": "250m"}},
        volumeMounts=[{"name": name, **mount} for name, mount in mounts.items()],
        spec={"restartPolicy": "Never", "volumes": volumes},
    )
    pod["metadata"]["annotations"] = {"example.com/note": "of interest"}
    return pod


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PLAIN", "plain"),
        ("REFERRING", "plain-$(MISSING)-$(PLAIN)"),
        ("OWN_NAME", "curious"),
        ("OWN_LABEL", "curious"),
        ("OWN_ANNOTATION", "of interest"),
        ("MEMORY", str(256 << 20)),
        ("MEBIBYTES", "256"),
        ("MILLICORES", "250"),
        ("FROM_MAP", "blue"),
        ("FROM_SECRET", "s3cret"),
        ("ABSENT", None),
        ("ALL_colour", "blue"),
        ("ALL_size", "large"),
        ("HOSTNAME", "curious"),
    ],
)
def test_a_container_sees_its_variables(shown: dict[str, Any], name: str, value: str | None) -> None:
    assert shown["environment"].get(name) == value


def test_a_container_knows_its_own_address_and_node(shown: dict[str, Any]) -> None:
    pod = shown["pod"]
    assert shown["environment"]["OWN_ADDRESS"] == pod["status"]["podIP"]
    assert shown["environment"]["NODE"] == pod["spec"]["nodeName"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("colour", "blue"),
        ("renamed", "s3cret"),
        ("weights", "from the claim"),
        ("labels", 'app="curious"'),
        ("size", "large"),
        ("token", "s3cret"),
    ],
    ids=["ConfigMap", "Secret by sub-path", "claim by sub-path", "downward API", "projected item", "projected Secret"],
)
def test_a_container_reads_its_volumes(shown: dict[str, Any], name: str, content: str) -> None:
    assert shown["names"][name] == content


def test_a_projected_token_is_one_of_the_apiserver(shown: dict[str, Any]) -> None:
    header, body, signature = shown["names"]["aimed-token"].split(".")
    assert header
    assert body
    assert signature


def test_mount_paths_are_rewritten_whole_also_within_json(shown: dict[str, Any]) -> None:
    document = json.loads(shown["environment"]["JSON"])
    assert Path(document["location"]).parent.joinpath("weights").read_text() == "from the claim"
    assert document["other"] == "/models2"
    assert document["list"][0].endswith("/volumes/settings")


def test_the_token_of_a_pod_has_a_kubeconfig_beside_it(shown: dict[str, Any]) -> None:
    assert shown["environment"]["KUBECONFIG"].endswith("/kubeconfig")
    assert shown["environment"]["KUBERNETES_SERVICE_HOST"].endswith(".0.1")


def test_pods_of_a_deployment_answer_through_their_service(kit: Kit, sandbox: Sandbox) -> None:
    kit.apply(make_deployment("web", 2, make_pod("serve", readinessProbe=READY)))
    kit.apply(make_service("web"))
    kit.kubectl("rollout", "status", "deployment/web", "--timeout=120s", deadline=150)
    names = {pod["metadata"]["name"] for pod in kit.select("pods", "app=web")}
    url = sandbox.url(kit.namespace, "web")
    # A connection each: it is connections that are spread.
    eventually(lambda: {text_of(url) for _ in range(40)} == names, deadline=20)


def test_a_container_is_told_of_the_services_of_its_namespace(kit: Kit) -> None:
    kit.apply(make_service("other-one", port=8080))
    kit.apply(make_pod("show", spec={"restartPolicy": "Never"}))
    wait_for_phase(kit, "pod", "Succeeded")
    environment = json.loads(kit.kubectl("logs", "pod"))["environment"]
    address = kit.get("service", "other-one")["spec"]["clusterIP"]
    assert environment["OTHER_ONE_SERVICE_HOST"] == address
    assert environment["OTHER_ONE_PORT_8080_TCP"] == f"tcp://{address}:8080"


def test_files_of_a_config_map_follow_its_changes(kit: Kit) -> None:
    kit.apply(make_config_map("settings", colour="blue"))
    volumes = [{"name": "settings", "configMap": {"name": "settings"}}]
    mounts = [{"name": "settings", "mountPath": "/etc/settings"}]
    script = "while :; do cat /etc/settings/colour; echo; sleep 1; done"
    kit.apply(make_shell(script, volumeMounts=mounts, spec={"volumes": volumes}))
    wait_for_ready(kit, "pod")
    kit.apply(make_config_map("settings", colour="green"))
    eventually(lambda: "green" in kit.kubectl("logs", "pod"), deadline=60)


def test_an_empty_folder_is_shared_by_the_containers_of_a_pod(kit: Kit) -> None:
    mounts = [{"name": "scratch", "mountPath": "/scratch"}]
    first = make_shell_container("echo from the first > /scratch/note", name="first", volumeMounts=mounts)
    spec = {"restartPolicy": "Never", "initContainers": [first], "volumes": [{"name": "scratch", "emptyDir": {}}]}
    kit.apply(make_shell("cat /scratch/note", volumeMounts=mounts, spec=spec))
    wait_for_phase(kit, "pod", "Succeeded")
    assert kit.kubectl("logs", "pod") == "from the first\n"


def test_an_image_volume_mounts_what_the_image_map_says(kit: Kit, image_map: Path, tmp_path: Path) -> None:
    (tmp_path / "weights").write_text("from the image")
    volumes = [{"name": "models", "image": {"reference": "registry.example/models:1"}}]
    mounts = [{"name": "models", "mountPath": "/models"}]
    script = "cat /models/weights"
    kit.apply(make_shell(script, volumeMounts=mounts, spec={"restartPolicy": "Never", "volumes": volumes}))
    assert "models:1" in wait_for_state(kit, "pod", "waiting", "ErrImagePull")["message"]
    document = yaml.safe_load(image_map.read_text())
    document["images"]["registry.example/models:1"] = {"path": str(tmp_path)}
    image_map.write_text(yaml.safe_dump(document))
    wait_for_phase(kit, "pod", "Succeeded")
    assert kit.kubectl("logs", "pod") == "from the image"


@pytest.fixture(scope="module")
def counting(shared_kit: Kit) -> Kit:
    """A pod whose container has ended once after three lines, and writes three more in its second life."""
    script = 'for i in 1 2 3; do echo "line $i"; done; test -e again || { touch again; exit 3; }; sleep 600'
    shared_kit.apply(make_shell(script, name="counting"))
    eventually(lambda: container_status(shared_kit, "counting").get("restartCount"), deadline=60)
    wait_for_ready(shared_kit, "counting")
    eventually(lambda: "line 3" in shared_kit.kubectl("logs", "counting"), deadline=20)
    return shared_kit


@pytest.mark.parametrize(
    ("options", "lines"),
    [
        ((), ["line 1", "line 2", "line 3"]),
        (("--tail=1",), ["line 3"]),
        (("--previous",), ["line 1", "line 2", "line 3"]),
        (("--previous", "--tail=2"), ["line 2", "line 3"]),
        (("--since=1h",), ["line 1", "line 2", "line 3"]),
        (("--limit-bytes=8",), ["line 1", "l"]),
    ],
    ids=["all", "tail", "previous", "previous tail", "since", "limit"],
)
def test_kubectl_reads_logs(counting: Kit, options: tuple[str, ...], lines: list[str]) -> None:
    assert counting.kubectl("logs", "counting", *options).splitlines() == lines


def test_log_lines_carry_their_times_when_asked(counting: Kit) -> None:
    moment, text = counting.kubectl("logs", "counting", "--timestamps", "--tail=1").strip().split(" ", 1)
    assert moment.startswith("20")
    assert moment.endswith("Z")
    assert text == "line 3"


def test_following_a_log_ends_with_the_container(kit: Kit) -> None:
    kit.apply(make_shell("for i in 1 2 3; do echo $i; sleep 1; done", spec={"restartPolicy": "Never"}))
    eventually(lambda: "1" in kit.kubectl("logs", "pod", "--ignore-errors"), deadline=20)
    assert kit.kubectl("logs", "pod", "--follow").split() == ["1", "2", "3"]


def test_the_previous_log_is_there_throughout_a_crash_loop(kit: Kit) -> None:
    kit.apply(make_shell("echo last words; sleep 1; exit 1"))
    eventually(lambda: container_status(kit, "pod").get("restartCount", 0) >= 1, deadline=30)
    for _ in range(20):
        assert kit.kubectl("logs", "pod", "--previous") == "last words\n"
        time.sleep(0.4)
