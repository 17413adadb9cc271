"""PLIMSOLL_CONFIG and the environment: what is wrong is named, with what to write instead."""

from __future__ import annotations

import json
from typing import Any

import pytest

from plimsoll_server.config import ConfigError, parse_config
from plimsoll_server.settings import read_settings
from server_builders import server_config


def document(**sections: Any) -> dict[str, Any]:
    return server_config("/models/domains", **sections)


def without(section: str) -> dict[str, Any]:
    return {name: value for name, value in document().items() if name != section}


def test_a_minimal_document_gets_the_defaults() -> None:
    config = parse_config('{"version": 1, "model": {"location": "/m"}, "tiers": [{"name": "s", "maxTokens": 512}]}')
    assert (config.model.family, config.model.task, config.model.dtype) == ("modernbert", "text-classification", "auto")
    assert (config.long_input.policy, config.long_input.chunk_tokens) == ("Auto", 8192)
    assert config.tiers[0].concurrency == 1
    assert config.memory_utilization_percent == 85


TIERS = [{"name": "short", "maxTokens": 512}, {"name": "long", "maxTokens": 4096}]

BAD = [
    pytest.param("{", "not JSON", id="malformed"),
    pytest.param("[]", "holds a list", id="a list"),
    pytest.param(json.dumps(without("version")), "version None; this server reads version 1", id="no version"),
    pytest.param(json.dumps(document(version=2)), "version 2; this server reads version 1", id="a later version"),
    pytest.param(json.dumps(document(version=True)), "version True", id="a version that only equals 1"),
    pytest.param(json.dumps(document(cache={})), "cache: unknown field; remove it, or run", id="unknown"),
    pytest.param(json.dumps(document(model={"quantise": 4})), "model.quantise: unknown field", id="unknown inside"),
    pytest.param(json.dumps(document(model={"task": "translation"})), "model.task", id="unknown task"),
    pytest.param(json.dumps(without("tiers")), "tiers: Field required", id="no tiers"),
    pytest.param(json.dumps(document(tiers=[])), "tiers", id="empty tiers"),
    pytest.param(json.dumps(document(tiers=TIERS[::-1])), "maxTokens must ascend, but long has 4096", id="order"),
    pytest.param(
        json.dumps(document(tiers=[TIERS[0], {"name": "short", "maxTokens": 600}])), "a name of its own", id="twins"
    ),
    pytest.param(
        json.dumps(document(tiers=[{"name": "s", "maxTokens": 512, "safeConcurrency": 0}])),
        "allows no tier at all",
        id="nothing fits",
    ),
    pytest.param(json.dumps(document(tiers=[{"name": "s", "maxTokens": 4}])), "write 16 or more", id="too small"),
    pytest.param(
        json.dumps(document(tiers=[{"name": "none", "maxTokens": 512}])), "write another name", id="no tier at all"
    ),
    pytest.param(
        json.dumps(document(tiers=[{"name": "s", "maxTokens": "512"}])), "tiers.0.maxTokens", id="a number as text"
    ),
    pytest.param(
        json.dumps(document(longInput={"chunkTokens": 512, "overlapTokens": 257})),
        "overlapTokens (257) must be at most half of chunkTokens (512)",
        id="overlap",
    ),
    pytest.param(
        json.dumps(document(longInput={"aggregation": "Union"})), "write Mean or Max", id="union of label scores"
    ),
    pytest.param(json.dumps(document(memoryUtilizationPercent=0)), "memoryUtilizationPercent", id="no memory"),
]


@pytest.mark.parametrize(("text", "message"), BAD)
def test_a_bad_document_is_refused_with_the_reason(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        parse_config(text)
    assert message in str(refusal.value)


def environment(**variables: str) -> dict[str, str]:
    return {"PLIMSOLL_CONFIG": json.dumps(document()), "PATH": "/bin", **variables}


def test_the_environment_names_the_replica() -> None:
    settings = read_settings(
        environment(POD_NAME="domains-1", POD_NAMESPACE="guardrails", PLIMSOLL_DEPLOYMENT="d", PLIMSOLL_REVISION="r")
    )
    assert (settings.pod_name, settings.namespace, settings.deployment, settings.revision) == (
        "domains-1", "guardrails", "d", "r",
    )  # fmt: skip


def test_an_empty_variable_counts_as_absent() -> None:
    assert read_settings(environment(PLIMSOLL_MEMORY_LIMIT_BYTES="")).memory_limit_bytes is None


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        pytest.param({"PLIMSOLL_CONFIG": ""}, "PLIMSOLL_CONFIG is not set", id="no configuration"),
        pytest.param({"PLIMSOLL_HTTP_PORT": "http"}, "PLIMSOLL_HTTP_PORT", id="port"),
        pytest.param(
            {"PLIMSOLL_CONNECTION_MAX_AGE_SECONDS": "0"}, "PLIMSOLL_CONNECTION_MAX_AGE_SECONDS", id="no age at all"
        ),
        pytest.param({"PLIMSOLL_MEMORY_LIMIT_BYTES": "4Gi"}, "PLIMSOLL_MEMORY_LIMIT_BYTES", id="limit with a unit"),
        pytest.param({"PLIMSOLL_LOG_LEVEL": "loud"}, "PLIMSOLL_LOG_LEVEL", id="log level"),
    ],
)
def test_a_bad_variable_is_named(variables: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_settings(environment(**variables))
