"""The operator's environment: every problem is told at once, by the name of the variable."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from plimsoll_operator.settings import InvalidSettingsError, Settings, read_settings

REQUIRED = {"PLIMSOLL_SERVER_IMAGE": "plimsoll/server:1", "POD_NAMESPACE": "plimsoll-system"}


def settings(**environment: str) -> Settings:
    return read_settings(REQUIRED | environment)


def test_the_two_variables_that_only_the_chart_can_know_are_enough() -> None:
    read = settings()
    assert (read.server_image, read.namespace) == ("plimsoll/server:1", "plimsoll-system")
    assert (read.profiles_configmap, read.watch_namespace, read.frozen) == ("plimsoll-gpu-profiles", "", False)
    assert (str(read.bind_address), read.metrics_port, read.health_port) == ("0.0.0.0", 9090, 8080)
    assert (read.resync_period, read.request_timeout) == (timedelta(seconds=60), timedelta(seconds=30))


@pytest.mark.parametrize(
    ("variable", "value", "field", "expected"),
    [
        ("PLIMSOLL_FREEZE", "true", "frozen", True),
        ("PLIMSOLL_FREEZE", "false", "frozen", False),
        ("PLIMSOLL_FREEZE", "", "frozen", False),
        ("PLIMSOLL_WATCH_NAMESPACE", "guardrails", "watch_namespace", "guardrails"),
        ("PLIMSOLL_METRICS_PORT", "19090", "metrics_port", 19090),
        ("PLIMSOLL_METRICS_PORT", "", "metrics_port", 9090),
        ("PLIMSOLL_LOG_FORMAT", "text", "log_format", "text"),
        ("PLIMSOLL_RESYNC_PERIOD", "5m", "resync_period", timedelta(minutes=5)),
        ("KUBECONFIG", "/home/me/config", "kubeconfig", "/home/me/config"),
        ("PLIMSOLL_HUB_PROXY", "http://proxy.corp:3128", "hub_proxy", "http://proxy.corp:3128"),
        ("PLIMSOLL_HUB_PROXY", "https://[2001:db8::1]:3128/", "hub_proxy", "https://[2001:db8::1]:3128/"),
        ("PLIMSOLL_PROMETHEUS_URL", "http://prometheus:9090/path/", "prometheus_url", "http://prometheus:9090/path/"),
        ("PLIMSOLL_PROMETHEUS_URL", "", "prometheus_url", ""),
        ("PLIMSOLL_PROMETHEUS_TOKEN_FILE", "/etc/token", "prometheus_token_file", "/etc/token"),
        ("PLIMSOLL_PROMETHEUS_PROXY", "http://proxy:3128", "prometheus_proxy", "http://proxy:3128"),
        ("SOMETHING_ELSE", "x", "frozen", False),
    ],
)
def test_a_variable_is_read(variable: str, value: str, field: str, expected: Any) -> None:
    assert getattr(settings(**{variable: value}), field) == expected


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("PLIMSOLL_SERVER_IMAGE", "", "PLIMSOLL_SERVER_IMAGE: Field required"),
        ("PLIMSOLL_METRICS_PORT", "tcp://10.96.0.7:9090", "valid integer"),
        ("PLIMSOLL_HEALTH_PORT", "70000", "less than or equal to 65535"),
        ("PLIMSOLL_FREEZE", "maybe", "valid boolean"),
        ("PLIMSOLL_WATCH_NAMESPACE", "team-a,team-b", "should match pattern"),
        ("PLIMSOLL_BIND_ADDRESS", "localhost", "valid IPv4 or IPv6 address"),
        ("PLIMSOLL_LOG_FORMAT", "xml", "'json' or 'text'"),
        ("PLIMSOLL_RESYNC_PERIOD", "sixty", "such as 30s or 5m"),
        ("PLIMSOLL_REQUEST_TIMEOUT", "0s", "longer than zero"),
        ("PLIMSOLL_PROMETHEUS_URL", "prometheus:9090", "expected http://HOST:PORT"),
        ("PLIMSOLL_PROMETHEUS_URL", "https://me:secret@prometheus", "without user and password"),
        ("PLIMSOLL_WORKERS", "0", "greater than or equal to 1"),
        ("PLIMSOLL_HUB_PROXY", "proxy.corp:3128", "expected http://HOST:PORT"),
        ("PLIMSOLL_HUB_PROXY", "http://proxy.corp:70000", "Port out of range"),
        ("PLIMSOLL_HUB_PROXY", "http://me:word@proxy.corp:3128", "without user and password"),
    ],
)
def test_a_variable_that_does_not_fit_is_named_with_what_was_expected(variable: str, value: str, says: str) -> None:
    with pytest.raises(InvalidSettingsError) as refused:
        settings(**{variable: value})
    assert str(refused.value).startswith(f"{variable}: ")
    assert says in str(refused.value)
    assert value.rpartition("@")[2] in str(refused.value)


def test_every_problem_is_told_at_once() -> None:
    with pytest.raises(InvalidSettingsError) as refused:
        read_settings({"PLIMSOLL_WORKERS": "many"})
    told = {line.partition(":")[0] for line in str(refused.value).splitlines()}
    assert told == {"PLIMSOLL_SERVER_IMAGE", "POD_NAMESPACE", "PLIMSOLL_WORKERS"}


def test_a_password_in_an_address_is_not_repeated() -> None:
    with pytest.raises(InvalidSettingsError) as refused:
        settings(PLIMSOLL_PROMETHEUS_URL="https://me:s3cret@prometheus:9090")
    assert "s3cret" not in str(refused.value)
    assert "//…@prometheus:9090" in str(refused.value)
