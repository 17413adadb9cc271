"""What a pod is told of callers, rates, kept answers, logs and traces; and whose pods stay as they are."""

from __future__ import annotations

from typing import Any

import pytest

from builders import PROFILES, make_spec
from plimsoll_operator.desired.pod import pod_template
from plimsoll_operator.spec import Spec, parse_spec, revision_input

COLLECTOR = "http://collector.observability.svc:4318"


def parsed(**server: Any) -> Spec:
    return parse_spec(make_spec(server=server))


def rendered(**server: Any) -> dict[str, Any]:
    spec = parsed(**server)
    return pod_template("domains", spec, PROFILES[spec.gpu.profile], None, "plimsoll/server:1")


def added_variables(**server: Any) -> dict[str, str]:
    plain = {entry["name"] for entry in rendered()["spec"]["containers"][0]["env"]}
    return {
        entry["name"]: entry["value"]
        for entry in rendered(**server)["spec"]["containers"][0]["env"]
        if entry["name"] not in plain
    }


DEFAULTS_WRITTEN_DOWN = [
    pytest.param({"cache": {"ttl": "5m", "maxSize": "64Mi"}}, id="the cache's defaults"),
    pytest.param({"cache": {"ttl": "300s", "maxSize": 67108864}}, id="the same in other units"),
    pytest.param({"accessLog": False}, id="no access log"),
    pytest.param({"cache": {}}, id="an empty section"),
]


@pytest.mark.parametrize("server", DEFAULTS_WRITTEN_DOWN)
def test_a_default_written_down_changes_neither_the_pods_nor_the_revision(server: dict[str, Any]) -> None:
    assert rendered(**server) == rendered()
    assert revision_input(parsed(**server)) == revision_input(parsed())


@pytest.mark.parametrize(
    ("server", "variables"),
    [
        pytest.param({"rateLimit": "100/minute"}, {"PLIMSOLL_RATE_LIMIT": "100/minute"}, id="a rate limit"),
        pytest.param({"accessLog": True}, {"PLIMSOLL_ACCESS_LOG": "true"}, id="an access log"),
        pytest.param({"cache": {"ttl": "1h"}}, {"PLIMSOLL_CACHE_TTL_SECONDS": "3600"}, id="how long answers are kept"),
        pytest.param({"cache": {"maxSize": "1Gi"}}, {"PLIMSOLL_CACHE_BYTES": "1073741824"}, id="a larger cache"),
        pytest.param({"cache": {"maxSize": 0}}, {"PLIMSOLL_CACHE_BYTES": "0"}, id="no cache"),
        pytest.param(
            {"tracing": {"endpoint": COLLECTOR, "samplePercent": 5}},
            {
                "OTEL_EXPORTER_OTLP_ENDPOINT": COLLECTOR,
                "OTEL_TRACES_SAMPLER": "parentbased_traceidratio",
                "OTEL_TRACES_SAMPLER_ARG": "0.05",
            },
            id="traces",
        ),
    ],
)
def test_what_is_asked_for_is_told_to_the_server(server: dict[str, Any], variables: dict[str, str]) -> None:
    assert added_variables(**server) == variables


@pytest.mark.parametrize(
    ("server", "variable", "secret", "key"),
    [
        pytest.param(
            {"auth": {"apiKeySecret": "domains-keys"}}, "PLIMSOLL_API_KEYS_FILE", "domains-keys", "keys", id="API keys"
        ),
        pytest.param(
            {"cache": {"redisSecret": "domains-redis"}}, "PLIMSOLL_REDIS_URL_FILE", "domains-redis", "url", id="a Redis"
        ),
    ],
)
def test_a_secret_is_one_file_that_renews_itself_and_never_a_variable(
    server: dict[str, Any], variable: str, secret: str, key: str
) -> None:
    spec = rendered(**server)["spec"]
    [volume] = [volume for volume in spec["volumes"] if "secret" in volume]
    assert volume["secret"]["secretName"] == secret
    assert volume["secret"]["items"] == [{"key": key, "path": key}], "nothing else of the Secret is handed out"
    [mount] = [mount for mount in spec["containers"][0]["volumeMounts"] if mount["name"] == volume["name"]]
    assert mount["readOnly"] is True
    assert "subPath" not in mount, "such a file would never be renewed"
    assert added_variables(**server) == {variable: f"{mount['mountPath']}/{key}"}


def test_a_revisions_input_reads_back_as_what_it_was_made_of() -> None:
    asked = parsed(
        cache={"ttl": "10m", "maxSize": "16Mi", "redisSecret": "redis", "redisPort": 6380},
        auth={"apiKeySecret": "keys"},
        rateLimit="5/second",
        tracing={"endpoint": COLLECTOR},
    )
    again = parse_spec(revision_input(asked))
    assert again.server == asked.server
    assert revision_input(again) == revision_input(asked)
