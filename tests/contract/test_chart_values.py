"""Values: each is described, used and checked, and one that cannot be meant is refused with what to do."""

from __future__ import annotations

import copy
import dataclasses
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from helm_chart import CHART, CHART_MODES, Chart

CHARTS = CHART.parent
VALUES = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
SCHEMA = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))

WHOLE = {"resources", "gpuProfiles", "dashboards.labels"}


def settings(values: dict[str, Any], parent: str = "") -> list[str]:
    """Dotted paths of all settings; maps that the chart hands on whole count as one."""
    paths: list[str] = []
    for key, value in values.items():
        path = f"{parent}{key}"
        whole = not isinstance(value, dict) or not value or path in WHOLE
        paths += [path] if whole else settings(value, f"{path}.")
    return paths


def readme_table() -> dict[str, str]:
    rows = re.findall(
        r"^\| `([\w.]+)` \| .+? \| (.*) \|$", (CHART / "README.md").read_text("utf-8"), flags=re.MULTILINE
    )
    return dict(rows)


def test_every_value_is_described_in_whole_sentences() -> None:
    table = readme_table()
    assert sorted(table) == sorted(settings(VALUES))
    assert [path for path, text in table.items() if not re.fullmatch(r"[A-Z].*\.", text)] == []


@pytest.mark.parametrize("script", ["sync_crd.py", "values_table.py"])
def test_what_is_generated_is_current(script: str) -> None:
    done = subprocess.run(
        [sys.executable, CHARTS / script, "--check"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


ANOTHER: dict[str, Any] = {
    "nameOverride": "another",
    "fullnameOverride": "another",
    "image.repository": "another",
    "image.tag": "another",
    "image.digest": "sha256:" + "1" * 64,
    "image.pullPolicy": "Always",
    "serverImage.repository": "another",
    "serverImage.tag": "another",
    "serverImage.digest": "sha256:" + "1" * 64,
    "imagePullSecrets": [{"name": "another"}],
    "replicas": 3,
    "watchNamespace": "another",
    "freeze": True,
    "resyncPeriod": "5m",
    "logFormat": "text",
    "crds.install": False,
    "crds.keep": False,
    "rbac.create": False,
    "rbac.aggregateToUsers": False,
    "serviceAccount.create": False,
    "serviceAccount.name": "another",
    "resources": {"limits": {"memory": "1Gi"}},
    "nodeSelector": {"another": "label"},
    "tolerations": [{"key": "another"}],
    "priorityClassName": "another",
    "networkPolicy.enabled": False,
    "networkPolicy.apiServerPorts": [1],
    "networkPolicy.prometheusPorts": [1],
    "prometheus.url": "http://another:9090",
    "prometheus.delay": "15s",
    "prometheus.bearerTokenSecret": "another",
    "prometheus.basicAuthSecret": "another",
    "prometheus.caSecret": "another",
    "prometheus.proxy": "http://another:3128",
    "prometheusAdapter.createConfigMap": True,
    "prometheusAdapter.namespace": "another",
    "alerts.enabled": True,
    "alerts.labels": {"another": "label"},
    "alerts.namespace": "another",
    "alerts.runbookUrl": "https://another/runbook",
    "dashboards.enabled": True,
    "dashboards.labels": {"another": "label"},
    "dashboards.namespace": "another",
    "hubProxy": "http://another:3128",
    "gpuProfiles": {"another": {"memory": "1Gi"}},
    "jobWorkers": [{"namespace": "guardrails", "deployment": "domains", "redisSecret": "domains-redis"}],
}
"""A value other than the default for each setting."""

SURROUNDINGS: list[dict[str, Any]] = [
    {},
    {"serviceAccount": {"name": "mine"}},
    dict(CHART_MODES["full"]),
]


@pytest.mark.parametrize("path", settings(VALUES))
def test_every_value_changes_what_is_installed(chart: Chart, path: str) -> None:
    assert is_used(chart, path, ANOTHER[path])


def test_a_value_that_nothing_uses_would_be_found(chart: Chart, tmp_path: Path) -> None:
    copied = Path(shutil.copytree(CHART, tmp_path / "plimsoll"))
    schema = {**SCHEMA, "properties": {**SCHEMA["properties"], "unread": {"type": "string"}}}
    (copied / "values.yaml").write_text(yaml.safe_dump({**VALUES, "unread": "this"}))
    (copied / "values.schema.json").write_text(json.dumps(schema))
    with_it = dataclasses.replace(chart, path=copied)
    assert with_it.accepts({"unread": "another"})
    assert not is_used(with_it, "unread", "another")
    assert "unread" not in readme_table()


def is_used(chart: Chart, path: str, value: Any) -> bool:
    """Whether `value` makes a difference to what is installed, in some surroundings."""

    def changes(surroundings: dict[str, Any]) -> bool:
        changed = copy.deepcopy(surroundings)
        target = changed
        *parents, last = path.split(".")
        for name in parents:
            target = target.setdefault(name, {})
        target[last] = value
        return chart.accepts(changed) and chart.text(changed) != chart.text(surroundings)

    return any(map(changes, SURROUNDINGS))


@pytest.mark.parametrize("path", settings(VALUES))
def test_every_value_has_a_type_and_no_neighbour_that_is_a_typo(path: str) -> None:
    schema = SCHEMA
    for name in path.split("."):
        schema = _resolved(schema)
        assert schema["additionalProperties"] is False
        schema = schema["properties"][name]
    assert {"type", "enum"} & set(_resolved(schema))


def _resolved(schema: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in schema:
        return schema
    found: dict[str, Any] = SCHEMA["definitions"][Path(schema["$ref"]).name]
    return found


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "a misspelt name": ({"freez": True}, "additional properties 'freez' not allowed"),
    "a misspelt name inside": ({"image": {"repo": "a"}}, "'repo' not allowed"),
    "a flag as a text": ({"freeze": "true"}, "at '/freeze': got string, want boolean"),
    "a tag as a number": ({"image": {"tag": 1.2}}, "at '/image/tag': got number, want string"),
    "a digest that is a tag": ({"image": {"digest": "v1"}}, "'v1' does not match pattern '^(sha256:"),
    "a tag in the repository": ({"image": {"repository": "a/b@sha256:0"}}, "at '/image/repository'"),
    "an unknown pull policy": ({"image": {"pullPolicy": "always"}}, "'Always', 'IfNotPresent', 'Never'"),
    "replicas as a text": ({"replicas": "2"}, "at '/replicas': got string, want integer"),
    "more replicas than could help": ({"replicas": 20}, "at '/replicas': maximum: got 20, want 5"),
    "a port by its name": ({"networkPolicy": {"apiServerPorts": ["https"]}}, "got string, want integer"),
    "several namespaces": ({"watchNamespace": "a,b"}, "at '/watchNamespace': 'a,b' does not match"),
    "a period without a unit": ({"resyncPeriod": "60"}, "at '/resyncPeriod': '60' does not match pattern"),
    "an unknown log format": ({"logFormat": "xml"}, "'json', 'text'"),
    "pull secrets as names": ({"imagePullSecrets": ["a"]}, "at '/imagePullSecrets/0': got string, want object"),
    "a proxy without a scheme": ({"hubProxy": "proxy:3128"}, "at '/hubProxy'"),
    "a proxy's port by name": ({"hubProxy": "http://proxy:squid"}, "at '/hubProxy'"),
    "a proxy with a password": ({"hubProxy": "http://me:secret@proxy:3128"}, "at '/hubProxy'"),
    "Prometheus without a scheme": ({"prometheus": {"url": "prometheus:9090"}}, "at '/prometheus/url'"),
    "Prometheus with a password": ({"prometheus": {"url": "http://me:secret@a:9090"}}, "at '/prometheus/url'"),
    "Prometheus with a query": ({"prometheus": {"url": "http://a:9090/?x=y"}}, "at '/prometheus/url'"),
    "a runbook without a scheme": ({"alerts": {"runbookUrl": "wiki/runbook"}}, "at '/alerts/runbookUrl'"),
    "a label as a number": ({"dashboards": {"labels": {"grafana_dashboard": 1}}}, "got number, want string"),
    "a profile without memory": ({"gpuProfiles": {"x": {}}}, "at '/gpuProfiles/x': missing property 'memory'"),
    "a profile's memory as a number": ({"gpuProfiles": {"x": {"memory": 16}}}, "got number, want string"),
    "a profile's memory in GB": ({"gpuProfiles": {"x": {"memory": "16GB"}}}, "'16GB' does not match pattern"),
    "a profile's resource without a domain": (
        {"gpuProfiles": {"x": {"memory": "1Gi", "resourceName": "gpu"}}},
        "at '/gpuProfiles/x/resourceName'",
    ),
    "a profile's misspelt field": ({"gpuProfiles": {"x": {"memory": "1Gi", "node": {}}}}, "'node' not allowed"),
    "a toleration's unknown effect": ({"tolerations": [{"effect": "Never"}]}, "at '/tolerations/0/effect'"),
    "no service account": ({"serviceAccount": {"create": False}}, "give the name of an existing one"),
}


@pytest.mark.parametrize(("values", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_values_that_cannot_be_meant_are_refused_with_a_reason(
    chart: Chart, values: dict[str, Any], message: str
) -> None:
    assert message in chart.refusal(values)
