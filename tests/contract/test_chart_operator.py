"""The operator's pod: what it may do on its node, and what it is told."""

from __future__ import annotations

from datetime import timedelta

import pytest

from helm_chart import CHART_MODES, Chart, Objects, Values
from plimsoll_operator.settings import Settings, read_settings


@pytest.fixture(scope="module")
def default(chart: Chart) -> Objects:
    return chart.render()


def settings_of(objects: Objects) -> Settings:
    return read_settings({"POD_NAMESPACE": "plimsoll-system"} | objects.environment)


def test_two_operators_are_replaced_one_after_the_other(default: Objects) -> None:
    spec = default.one("Deployment")["spec"]
    assert spec["replicas"] == 2
    assert spec["strategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 1}}


def test_replicas_keep_apart_and_are_drained_one_at_a_time(default: Objects) -> None:
    labels = default.one("Deployment")["spec"]["selector"]["matchLabels"]
    spread = {constraint["topologyKey"]: constraint for constraint in default.pod["topologySpreadConstraints"]}
    assert set(spread) == {"kubernetes.io/hostname", "topology.kubernetes.io/zone"}
    for constraint in spread.values():
        assert constraint["labelSelector"]["matchLabels"] == labels
        assert constraint["whenUnsatisfiable"] == "ScheduleAnyway"
    budget = default.one("PodDisruptionBudget")["spec"]
    assert budget["selector"]["matchLabels"] == labels
    assert (budget["maxUnavailable"], budget["unhealthyPodEvictionPolicy"]) == (1, "AlwaysAllow")


def test_it_reaches_dns_and_the_apiserver_and_is_reached_for_its_metrics(default: Objects) -> None:
    policy = default.one("NetworkPolicy")["spec"]
    assert policy["podSelector"]["matchLabels"] == default.one("Deployment")["spec"]["selector"]["matchLabels"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert [port["port"] for rule in policy["ingress"] for port in rule["ports"]] == ["metrics"]
    assert {port["port"] for rule in policy["egress"] for port in rule["ports"]} == {53, 443, 6443, 8443, 16443}


def test_its_selector_holds_nothing_that_an_upgrade_changes(default: Objects) -> None:
    deployment = default.one("Deployment")
    labels = deployment["spec"]["selector"]["matchLabels"]
    assert set(labels) == {"app.kubernetes.io/name", "app.kubernetes.io/instance", "app.kubernetes.io/component"}
    assert deployment["spec"]["template"]["metadata"]["labels"] == labels


def test_it_meets_the_restricted_pod_security_standard(default: Objects) -> None:
    pod, container = default.pod, default.container
    assert pod["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
    assert {kind for volume in pod["volumes"] for kind in volume} <= {"name", "emptyDir"}
    assert not any("hostPort" in port for port in container["ports"])


def test_its_image_chooses_the_user_so_that_openshift_may_assign_one(default: Objects) -> None:
    assert "runAsUser" not in default.pod["securityContext"] | default.container["securityContext"]


def test_it_is_bounded_in_memory_and_asks_for_what_it_needs(default: Objects) -> None:
    assert default.container["resources"] == {
        "requests": {"cpu": "100m", "memory": "256Mi", "ephemeral-storage": "64Mi"},
        "limits": {"memory": "512Mi", "ephemeral-storage": "256Mi"},
    }


def test_the_operator_reads_every_setting_that_the_chart_writes(default: Objects) -> None:
    known = {str(field.alias) for field in Settings.model_fields.values()}
    assert set(default.environment) <= known


@pytest.mark.parametrize(
    ("values", "field", "expected"),
    [
        pytest.param({}, "server_image", "plimsoll/server:0.1.0", id="the server's image is of the chart's version"),
        pytest.param(
            {"serverImage": {"repository": "host:5000/s", "tag": "x"}}, "server_image", "host:5000/s:x", id="a tag"
        ),
        pytest.param(
            {"serverImage": {"tag": "x", "digest": "sha256:" + "0" * 64}},
            "server_image",
            "plimsoll/server@sha256:" + "0" * 64,
            id="a digest wins over a tag",
        ),
        pytest.param({}, "watch_namespace", "", id="all namespaces"),
        pytest.param({"watchNamespace": "guardrails"}, "watch_namespace", "guardrails", id="one namespace"),
        pytest.param({}, "frozen", False, id="not frozen"),
        pytest.param({"freeze": True}, "frozen", True, id="frozen"),
        pytest.param({"resyncPeriod": "5m"}, "resync_period", timedelta(minutes=5), id="a resync period"),
        pytest.param({"logFormat": "text"}, "log_format", "text", id="logs for people"),
        pytest.param({"fullnameOverride": "p"}, "profiles_configmap", "p-gpu-profiles", id="the ConfigMap's name"),
    ],
)
def test_a_value_becomes_the_operators_setting(chart: Chart, values: Values, field: str, expected: object) -> None:
    assert getattr(settings_of(chart.render(values)), field) == expected


def test_its_ports_are_those_that_it_listens_on_and_that_prometheus_and_probes_ask(default: Objects) -> None:
    settings, container = settings_of(default), default.container
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports == {"metrics": settings.metrics_port, "health": settings.health_port}
    annotations = default.one("Deployment")["spec"]["template"]["metadata"]["annotations"]
    assert annotations["prometheus.io/port"] == str(settings.metrics_port)
    assert (annotations["prometheus.io/scrape"], annotations["prometheus.io/path"]) == ("true", "/metrics")
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert container[probe]["httpGet"] == {"path": "/healthz", "port": "health"}


def test_the_bind_address_is_the_images_to_set(default: Objects) -> None:
    # A variable of the pod would win over the image's, also where an image's default is another address.
    assert "PLIMSOLL_BIND_ADDRESS" not in default.environment


def test_the_hubs_proxy_is_for_the_servers_pods_and_not_for_the_operator(chart: Chart, default: Objects) -> None:
    objects = chart.render({"hubProxy": "http://proxy:3128"})
    assert settings_of(objects).hub_proxy == "http://proxy:3128"
    assert [name for name in objects.environment if "PROXY" in name] == ["PLIMSOLL_HUB_PROXY"]
    assert not [name for name in default.environment if "PROXY" in name]


def test_no_secret_reaches_the_operator_but_those_for_prometheus(chart: Chart, default: Objects) -> None:
    objects = chart.render(CHART_MODES["full"])
    assert not [entry for entry in objects.container["env"] if "secretKeyRef" in entry.get("valueFrom", {})]
    assert [volume["name"] for volume in default.pod["volumes"]] == ["tmp"]
    secrets = {
        volume["secret"]["secretName"]: [item["key"] for item in volume["secret"]["items"]]
        for volume in objects.pod["volumes"]
        if "secret" in volume
    }
    assert secrets == {
        "prometheus-token": ["token"],
        "prometheus-user": ["username", "password"],
        "prometheus-ca": ["ca.crt"],
    }


def test_the_files_that_it_reads_for_prometheus_are_mounted(chart: Chart) -> None:
    objects = chart.render(CHART_MODES["full"])
    mounted = {mount["mountPath"]: mount for mount in objects.container["volumeMounts"]}
    settings = settings_of(objects)
    for file in (
        settings.prometheus_token_file,
        settings.prometheus_username_file,
        settings.prometheus_password_file,
        settings.prometheus_ca_file,
    ):
        folder, _, key = file.rpartition("/")
        assert mounted[folder]["readOnly"]
        [volume] = [v for v in objects.pod["volumes"] if v["name"] == mounted[folder]["name"]]
        assert key in [item["path"] for item in volume["secret"]["items"]]


@pytest.mark.parametrize(
    ("values", "ports"),
    [
        pytest.param({"url": "http://prometheus.monitoring:9091"}, {9090, 9091}, id="the address' own and the pods'"),
        pytest.param({"url": "https://metrics.corp/prometheus"}, {9090, 443}, id="the scheme's"),
        pytest.param({"url": "http://metrics.corp"}, {9090, 80}, id="without TLS"),
        pytest.param({"url": "https://metrics.corp", "proxy": "http://proxy:3128"}, {9090, 3128}, id="the proxy's"),
        pytest.param({"url": "https://[2001:db8::1]:9443/"}, {9090, 9443}, id="an IPv6 address"),
    ],
)
def test_the_policy_lets_it_reach_prometheus(chart: Chart, values: Values, ports: set[int]) -> None:
    _, prometheus = chart.render({"prometheus": values}).one("NetworkPolicy")["spec"]["egress"]
    assert {port["port"] for port in prometheus["ports"]} == ports
