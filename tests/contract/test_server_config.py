"""The operator's pods and the server agree: configuration, environment, ports, paths."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from builders import PROFILES, make_spec
from plimsoll_operator.desired.pod import pod_template
from plimsoll_operator.model_shapes import dimensions_of
from plimsoll_operator.names import HTTP_PORT, HTTPS_PORT, METRICS_PORT
from plimsoll_operator.spec import parse_spec
from plimsoll_operator.steps.load_line import load_line_of
from plimsoll_server.config import parse_config
from plimsoll_server.settings import Settings

EXAMPLES = sorted(
    path
    for path in (Path(__file__).parents[2] / "examples").rglob("*.yaml")
    if "\nkind: InferenceDeployment\n" in path.read_text(encoding="utf-8")
)


def container_of(spec: dict[str, Any]) -> dict[str, Any]:
    parsed = parse_spec(spec)
    profile = PROFILES.get(parsed.gpu.profile, PROFILES["nvidia-h100-80gb"])
    shape = dimensions_of(parsed.model)
    line = load_line_of(parsed, shape, profile) if shape else None
    template = pod_template("domains", parsed, profile, line, "plimsoll/server:1")
    container: dict[str, Any] = template["spec"]["containers"][0]
    return container


def environment_of(spec: dict[str, Any]) -> dict[str, Any]:
    return {variable["name"]: variable for variable in container_of(spec)["env"]}


def specs() -> list[Any]:
    sections: dict[str, dict[str, Any]] = {
        "minimal": {},
        "token classification": {"model": {"uri": "pvc://m/pii", "task": "token-classification"}},
        "feature extraction": {"model": {"uri": "pvc://m/e", "task": "feature-extraction"}},
        "planned": {"model": {"uri": "pvc://m/d", "shape": "modernbert-base"}},
        "largest chunks": {"longInput": {"policy": "Chunk", "chunkTokens": 8192, "overlapTokens": 4096}},
        "smallest chunks": {"longInput": {"chunkTokens": 16, "overlapTokens": 0, "aggregation": "Max"}},
        "all of the memory": {"server": {"memoryUtilizationPercent": 100}},
        "a tier that does not fit": {
            "model": {"uri": "pvc://m/d", "shape": "modernbert-base", "attention": "eager", "dtype": "float32"},
            "tiers": [{"name": "short", "maxTokens": 512}, {"name": "whole", "maxTokens": 32768}],
        },
    }
    written = [pytest.param(make_spec(**changes), id=name) for name, changes in sections.items()]
    documents = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in EXAMPLES]
    return written + [pytest.param(d["spec"], id=d["metadata"]["name"]) for d in documents if "spec" in d]


@pytest.mark.parametrize("spec", specs())
def test_the_server_accepts_what_the_operator_writes(spec: dict[str, Any]) -> None:
    text = environment_of(spec)["PLIMSOLL_CONFIG"]["value"]
    read = parse_config(text)
    assert read.model_dump(mode="json", by_alias=True) == json.loads(text), "a field is lost or gets a default"


def test_every_variable_is_one_that_the_server_or_its_libraries_read() -> None:
    around = {
        "cache": {"ttl": "1h", "maxSize": "1Gi", "redisSecret": "redis"},
        "auth": {"apiKeySecret": "keys"},
        "rateLimit": "100/minute",
        "accessLog": True,
        "tracing": {"endpoint": "http://collector:4318"},
    }
    spec = make_spec(gpu={"profile": "cpu"}, server={"hubTokenSecret": "hub", "tlsSecret": "tls", **around})
    read = {field.alias for field in Settings.model_fields.values() if field.alias}
    of_tracing = {"OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG"}
    of_libraries = {"HF_HOME", "HF_TOKEN", "TMPDIR", *of_tracing}
    assert set(environment_of(spec)) - read - of_libraries == {"PLIMSOLL_CONFIG"}


def test_the_ports_are_those_the_server_listens_on() -> None:
    ports = {port["name"]: port["containerPort"] for port in container_of(make_spec())["ports"]}
    fields = Settings.model_fields
    assert ports == {"http": fields["http_port"].default, "metrics": fields["metrics_port"].default}
    assert (ports["http"], ports["metrics"]) == (HTTP_PORT, METRICS_PORT)


def test_with_a_certificate_the_server_finds_it_where_it_is_mounted_and_is_probed_by_https_alone() -> None:
    spec = make_spec(server={"tlsSecret": "domains-tls"})
    container = container_of(spec)
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports == {"https": HTTPS_PORT, "metrics": METRICS_PORT}
    assert Settings.model_fields["https_port"].default == HTTPS_PORT
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert (container[probe]["httpGet"]["scheme"], container[probe]["httpGet"]["port"]) == ("HTTPS", "https")
    [mount] = [mount for mount in container["volumeMounts"] if mount["name"] == "tls"]
    assert mount == {"name": "tls", "mountPath": "/etc/plimsoll/tls", "readOnly": True}
    assert environment_of(spec)["PLIMSOLL_TLS_DIRECTORY"]["value"] == mount["mountPath"]


@pytest.mark.parametrize("variable", ["HF_HOME", "PLIMSOLL_CALIBRATION_DIRECTORY"])
def test_what_a_start_leaves_for_the_containers_next_one_is_on_a_volume_that_it_may_write(variable: str) -> None:
    """A layer of the container would be gone, and the root file system is read-only."""
    template = pod_template("domains", parse_spec(make_spec()), PROFILES["nvidia-l4"], None, "plimsoll/server:1")
    path = environment_of(make_spec())[variable]["value"]
    [mount] = [mount for mount in container_of(make_spec())["volumeMounts"] if mount["mountPath"] == path]
    assert "readOnly" not in mount
    assert {"name": mount["name"], "emptyDir": {}} in template["spec"]["volumes"]


def test_a_token_is_only_ever_a_reference_to_a_secret() -> None:
    token = environment_of(make_spec(server={"hubTokenSecret": "hub"}))["HF_TOKEN"]
    assert "value" not in token
    assert token["valueFrom"]["secretKeyRef"]["name"] == "hub"


def test_what_the_operator_leaves_out_is_the_servers_own_default() -> None:
    usual, fields = parse_spec(make_spec()).server.cache, Settings.model_fields
    assert usual.max_size == fields["cache_bytes"].default
    assert usual.ttl.total_seconds() == fields["cache_ttl_seconds"].default
