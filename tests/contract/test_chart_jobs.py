"""The chart's workers of jobs: what they are told is what a worker reads, and they may do no more than they need."""

from __future__ import annotations

from typing import Any

import pytest

from helm_chart import CHART_MODES, Chart, Object, Objects
from plimsoll_operator.names import HTTP_PORT, HTTPS_PORT, LABEL_NAME
from plimsoll_server.jobs.settings import WorkerSettings, read_worker_settings


@pytest.fixture(scope="module")
def objects(chart: Chart) -> Objects:
    return chart.render(CHART_MODES["jobs"])


def pod_of(objects: Objects, name: str) -> Object:
    pod: Object = objects.one("Deployment", name)["spec"]["template"]["spec"]
    return pod


def environment_of(objects: Objects, name: str) -> dict[str, Any]:
    [container] = pod_of(objects, name)["containers"]
    return {entry["name"]: entry.get("value", "guardrails") for entry in container["env"]}


def test_without_an_entry_there_is_no_worker(chart: Chart) -> None:
    assert [found["metadata"]["name"] for found in chart.render().of("Deployment")] == ["plimsoll"]


@pytest.mark.parametrize(
    ("name", "url", "files"),
    [
        pytest.param("domains", "http://domains.guardrails.svc", {"redis": "url"}, id="in the clear"),
        pytest.param(
            "vectors",
            "https://vectors.guardrails.svc",
            {"redis": "url", "key": "key", "ca": "ca.crt"},
            id="with a key and a certificate",
        ),
    ],
)
def test_a_worker_is_told_what_it_reads_and_finds_its_files(
    objects: Objects, name: str, url: str, files: dict[str, str]
) -> None:
    told = environment_of(objects, f"{name}-jobs")
    read = {field.alias for field in WorkerSettings.model_fields.values()}
    assert set(told) - read == {"PLIMSOLL_TERMINATION_LOG"}
    settings = read_worker_settings(told)
    assert (settings.namespace, settings.deployment, settings.server_url) == ("guardrails", name, url)
    pod = pod_of(objects, f"{name}-jobs")
    mounted = {
        f"{mount['mountPath']}/{item['path']}"
        for mount in pod["containers"][0]["volumeMounts"]
        for volume in pod["volumes"]
        if volume["name"] == mount["name"]
        for item in volume["secret"]["items"]
    }
    assert mounted == {f"/etc/plimsoll/{folder}/{key}" for folder, key in files.items()}
    named = (settings.redis_url_file, settings.key_file, settings.ca_file)
    assert {str(file) for file in named if file is not None} == mounted


def test_a_worker_runs_the_servers_image_with_its_own_command_and_no_rights(objects: Objects) -> None:
    pod = pod_of(objects, "domains-jobs")
    [container] = pod["containers"]
    assert container["image"] == objects.environment["PLIMSOLL_SERVER_IMAGE"]
    assert container["args"] == ["work"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_no_service_of_an_inference_deployment_selects_a_worker(objects: Objects) -> None:
    for found in objects.of("Deployment"):
        assert LABEL_NAME not in found["spec"]["template"]["metadata"]["labels"]


@pytest.mark.parametrize(
    ("name", "ports"),
    [
        pytest.param("domains-jobs", {53, 6379, 80, HTTP_PORT}, id="in the clear"),
        pytest.param("vectors-jobs", {53, 6380, 443, HTTPS_PORT}, id="with a certificate"),
    ],
)
def test_a_worker_reaches_names_its_redis_and_the_servers_and_nobody_reaches_it(
    objects: Objects, name: str, ports: set[int]
) -> None:
    policy = objects.one("NetworkPolicy", name)["spec"]
    [rule] = policy["egress"]
    assert {port["port"] for port in rule["ports"]} == ports
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert "ingress" not in policy
    labels = objects.one("Deployment", name)["spec"]["template"]["metadata"]["labels"]
    assert policy["podSelector"]["matchLabels"].items() <= labels.items()


@pytest.mark.parametrize("missing", ["namespace", "deployment", "redisSecret"])
def test_an_entry_without_what_it_needs_is_refused_by_name(chart: Chart, missing: str) -> None:
    entry = {"namespace": "guardrails", "deployment": "domains", "redisSecret": "domains-redis"}
    del entry[missing]
    assert missing in chart.refusal({"jobWorkers": [entry]})
