"""The chart as a whole: it renders in every mode, with the API, the GPU profiles and the metric's rule."""

from __future__ import annotations

import re
import textwrap

import pytest
import yaml

from helm_chart import CHART, CHART_MODES, NAMESPACE, Chart, Objects, Values
from plimsoll_operator.gpu_profiles import GpuProfile, parse_gpu_profiles
from plimsoll_operator.names import GROUP, PLURAL, SATURATION_METRIC

CRD = CHART.parents[1] / "crds" / f"{GROUP}_{PLURAL}.yaml"
MIB = 2**20


def profiles_of(objects: Objects) -> dict[str, GpuProfile]:
    return parse_gpu_profiles(
        yaml.safe_load(objects.one("ConfigMap", "plimsoll-gpu-profiles")["data"]["profiles.yaml"])
    )


@pytest.fixture(scope="module")
def default(chart: Chart) -> Objects:
    return chart.render()


@pytest.mark.parametrize("values", CHART_MODES.values(), ids=CHART_MODES.keys())
def test_helm_lint_is_content(chart: Chart, values: Values) -> None:
    assert chart.lint(values) == ""


@pytest.mark.parametrize("values", CHART_MODES.values(), ids=CHART_MODES.keys())
def test_objects_are_where_the_release_is_and_carry_its_labels(chart: Chart, values: Values) -> None:
    for found in chart.render(values).all:
        metadata = found["metadata"]
        assert metadata.get("namespace", NAMESPACE) in {NAMESPACE, "guardrails", "monitoring"}
        assert metadata["labels"]["app.kubernetes.io/instance"] == "plimsoll"
        assert metadata["labels"]["helm.sh/chart"].startswith("plimsoll-")


def test_a_kubernetes_that_is_too_old_is_refused(chart: Chart) -> None:
    assert "chart requires kubeVersion: >=1.30.0-0" in chart.refusal({}, "--kube-version=1.29.9")
    assert chart.accepts({}, "--kube-version=1.30.0")


def test_a_long_release_name_still_gives_valid_names(chart: Chart) -> None:
    objects = chart.render({"fullnameOverride": "x" * 80})
    assert max(len(found["metadata"]["name"]) for found in objects.all) <= 63


def test_the_crd_is_the_one_that_is_edited_kept_when_the_release_goes(default: Objects) -> None:
    source = yaml.safe_load(CRD.read_text(encoding="utf-8"))
    rendered = default.one("CustomResourceDefinition")
    assert rendered["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"} | source["metadata"].get(
        "annotations", {}
    )
    assert rendered["metadata"]["name"] == source["metadata"]["name"]
    assert rendered["spec"] == source["spec"]


def test_the_crd_goes_with_the_release_where_that_is_told(chart: Chart) -> None:
    told = chart.render({"crds": {"keep": False}}).one("CustomResourceDefinition")
    assert "helm.sh/resource-policy" not in told["metadata"].get("annotations", {})


def test_the_crd_is_no_part_of_helms_crds_folder_which_is_never_upgraded(chart: Chart) -> None:
    assert not (CHART / "crds").exists()
    assert chart.render({"crds": {"install": False}}).of("CustomResourceDefinition") == []


GPUS = [
    # name, MiB that nvidia-smi shows, label of GPU feature discovery, resource
    ("nvidia-t4", 15360, {"nvidia.com/gpu.product": "Tesla-T4"}, "nvidia.com/gpu"),
    ("nvidia-l4", 23034, {"nvidia.com/gpu.product": "NVIDIA-L4"}, "nvidia.com/gpu"),
    ("nvidia-a10", 23028, {"nvidia.com/gpu.product": "NVIDIA-A10"}, "nvidia.com/gpu"),
    ("nvidia-a10g", 23028, {"nvidia.com/gpu.product": "NVIDIA-A10G"}, "nvidia.com/gpu"),
    ("nvidia-l40s", 46068, {"nvidia.com/gpu.product": "NVIDIA-L40S"}, "nvidia.com/gpu"),
    ("nvidia-a100-40gb", 40960, {"nvidia.com/gpu.product": "NVIDIA-A100-SXM4-40GB"}, "nvidia.com/gpu"),
    ("nvidia-a100-80gb", 81920, {"nvidia.com/gpu.product": "NVIDIA-A100-SXM4-80GB"}, "nvidia.com/gpu"),
    ("nvidia-h100-80gb", 81559, {"nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3"}, "nvidia.com/gpu"),
    ("nvidia-h200", 143771, {"nvidia.com/gpu.product": "NVIDIA-H200"}, "nvidia.com/gpu"),
    ("nvidia-b200", 183359, {"nvidia.com/gpu.product": "NVIDIA-B200"}, "nvidia.com/gpu"),
    (
        "nvidia-a100-mig-3g.20gb",
        19968,
        {"nvidia.com/mig-3g.20gb.product": "NVIDIA-A100-SXM4-40GB-MIG-3g.20gb"},
        "nvidia.com/mig-3g.20gb",
    ),
    (
        "nvidia-h100-mig-1g.10gb",
        9984,
        {"nvidia.com/mig-1g.10gb.product": "NVIDIA-H100-80GB-HBM3-MIG-1g.10gb"},
        "nvidia.com/mig-1g.10gb",
    ),
]


@pytest.mark.parametrize(("name", "memory", "labels", "resource"), GPUS, ids=[gpu[0] for gpu in GPUS])
def test_the_operator_reads_each_gpus_facts(
    default: Objects, name: str, memory: int, labels: dict[str, str], resource: str
) -> None:
    profile = profiles_of(default)[name]
    assert (profile.memory_bytes, profile.node_selector, profile.resource_name) == (memory * MIB, labels, resource)
    assert profile.tolerations == ({"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"},)


def test_a_cpu_is_a_profile_without_a_device(default: Objects) -> None:
    cpu = profiles_of(default)["cpu"]
    assert (cpu.is_gpu, cpu.memory_bytes, cpu.node_selector) == (False, 4 * 2**30, {})


def test_no_two_profiles_find_the_same_nodes(default: Objects) -> None:
    selectors = [tuple(sorted(profile.node_selector.items())) for profile in profiles_of(default).values()]
    assert len(set(selectors)) == len(selectors)


def test_a_gpu_type_is_added_or_taken_away_by_one_entry(chart: Chart) -> None:
    profiles = profiles_of(chart.render({"gpuProfiles": {"mine": {"memory": "1Gi"}, "nvidia-t4": None}}))
    assert "mine" in profiles
    assert "nvidia-l4" in profiles
    assert "nvidia-t4" not in profiles


def test_the_adapters_rule_finds_a_pod_by_the_metrics_own_labels(chart: Chart) -> None:
    config_map = chart.render(CHART_MODES["full"]).one("ConfigMap", "plimsoll-prometheus-adapter")
    assert config_map["metadata"]["namespace"] == "monitoring"
    (rule,) = yaml.safe_load(config_map["data"]["config.yaml"])["rules"]
    assert rule["name"]["as"] == SATURATION_METRIC
    assert rule["seriesQuery"].startswith(SATURATION_METRIC + "{")
    assert rule["resources"]["overrides"] == {
        "inference_namespace": {"resource": "namespace"},
        "replica": {"resource": "pod"},
    }


def test_the_values_for_prometheus_adapter_in_the_docs_hold_the_rule_that_the_chart_ships() -> None:
    rules = yaml.safe_load((CHART / "files" / "prometheus-adapter-rule.yaml").read_text(encoding="utf-8"))["rules"]
    page = (CHART.parents[1] / "docs" / "scaling.md").read_text(encoding="utf-8")
    [shown] = re.findall(r"```yaml\n(.+?)\s*```", page, flags=re.DOTALL)
    assert yaml.safe_load(textwrap.dedent(shown))["rules"]["custom"] == rules


def test_the_readme_shows_the_rule_that_the_chart_ships() -> None:
    rule = (CHART / "files" / "prometheus-adapter-rule.yaml").read_text(encoding="utf-8")
    assert rule in (CHART / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        pytest.param({}, "serves all namespaces", id="all namespaces"),
        pytest.param({"watchNamespace": "guardrails"}, "kubectl -n guardrails get infd -w", id="one namespace"),
        pytest.param({"freeze": True}, "The fleet is FROZEN", id="frozen"),
        pytest.param({"crds": {"install": False}}, "kubectl get crd inferencedeployments.plimsoll.dev", id="no CRD"),
        pytest.param({}, "rollout status deployment/plimsoll", id="what to wait for"),
        pytest.param({}, "get lease plimsoll", id="who leads"),
        pytest.param({"replicas": 0}, "No operator runs", id="no operator"),
        pytest.param({}, "set image.repository and serverImage.repository", id="no registry"),
        pytest.param({}, "An uninstall keeps the CRD", id="what an uninstall keeps"),
        pytest.param({"crds": {"keep": False}}, "An uninstall DELETES the CRD", id="what an uninstall takes"),
    ],
)
def test_the_notes_say_what_to_do_next(chart: Chart, values: Values, said: str) -> None:
    assert said in chart.notes(values)


def test_the_example_in_the_notes_is_one_that_the_api_knows(chart: Chart) -> None:
    example = chart.notes().partition("<<END\n")[2].partition("END")[0]
    found = yaml.safe_load(example)
    assert (found["apiVersion"], found["kind"]) == (f"{GROUP}/v1alpha1", "InferenceDeployment")
    assert set(found["spec"]) == {"model", "gpu", "tiers"}
