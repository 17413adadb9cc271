"""Every rule of the API, broken once on the real apiserver: the user reads what to write, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from .conftest import InferenceApi

pytestmark = pytest.mark.cluster

ROOT = Path(__file__).resolve().parents[3]
CRD = yaml.safe_load((ROOT / "crds" / "plimsoll.dev_inferencedeployments.yaml").read_text(encoding="utf-8"))
COMMIT, DIGEST = "0123456789" * 4, "01234567" * 8
SIZES = {"layers": 22, "hiddenSize": 768, "heads": 12, "intermediateSize": 1152, "vocabSize": 50368}


@dataclass(frozen=True)
class Bad:
    """An object that is good but for `changes` (dotted path to value), and what the user reads about it."""

    because: str
    changes: Mapping[str, Any]
    at: str
    says: str


def tier(name: str, tokens: Any, **more: Any) -> dict[str, Any]:
    return {"name": name, "maxTokens": tokens, **more}


def uri(because: str, value: str, says: str) -> Bad:
    return Bad(because, {"spec.model.uri": value}, "spec.model.uri", says)


def one(because: str, path: str, value: Any, says: str) -> Bad:
    """One bad value, reported where it stands."""
    return Bad(because, {path: value}, path, says)


HUB, CLAIM, IMAGE = "write hf://ORG/REPO:COMMIT", "write pvc://CLAIM/PATH", "write oci://IMAGE@sha256:DIGEST"

HUB_MODEL = {"spec.model.uri": f"hf://org/repo:{COMMIT}"}

MODEL = [
    uri("an s3 address", "s3://bucket/model", "one of the three forms hf://ORG/REPO:COMMIT, pvc://CLAIM/PATH or oci://"),
    uri("a bare repository", "org/repo", "one of the three forms"),
    uri("a hub model without a commit", "hf://org/repo", HUB),
    uri("a hub model at a branch", "hf://org/repo:main", "a branch or tag such as main can move"),
    uri("a hub model at a short commit", f"hf://org/repo:{COMMIT[:12]}", "40 hexadecimal digits"),
    uri("a hub model at a commit in capitals", f"hf://org/repo:{'ABCDEF0123' * 4}", "in lower case"),
    uri("a hub model without an organisation", f"hf://repo:{COMMIT}", HUB),
    uri("a claim whose name is no name", "pvc://Models_1/domains", CLAIM),
    uri("a claim with a part left out", "pvc://models..v2/domains", CLAIM),
    uri("a claim's path with a variable in it", "pvc://models/$(HF_TOKEN)", CLAIM),
    uri("a claim with an empty folder name", "pvc://models//domains", CLAIM),
    uri("a claim with a path that leaves it", "pvc://models/../secrets", "leave out '.' and '..'"),
    uri("an image by tag alone", "oci://registry.example/models/domains:v3", "a tag alone can move"),
    uri("an image with a cut digest", f"oci://registry.example/domains@sha256:{DIGEST[:32]}", "64 hexadecimal digits"),
    uri("an image path that leaves the registry", f"oci://registry.example/../x@sha256:{DIGEST}", IMAGE),
    one("an empty uri", "spec.model.uri", "", "one of the three forms"),
    one("a family in capitals", "spec.model.family", "ModernBERT", "in lower case, such as modernbert"),
    one("a task of another kind", "spec.model.task", "text-generation", 'supported values: "text-classification"'),
    one("a precision in short form", "spec.model.dtype", "bf16", '"auto", "bfloat16", "float16", "float32"'),
    one("an attention by its library's name", "spec.model.attention", "flash-attn", '"auto", "flash", "sdpa", "eager"'),
    one("a shape in capitals", "spec.model.shape", "ModernBERT-base", "in lower case, such as modernbert-base"),
    Bad("flash attention in float32", {"spec.model.attention": "flash", "spec.model.dtype": "float32"},
        "spec.model.attention", "write dtype bfloat16, or attention sdpa"),
    Bad("both shape and dimensions", {"spec.model.shape": "modernbert-base", "spec.model.dimensions": SIZES},
        "spec.model", "shape for a published model, or dimensions for one of your own, not both"),
    Bad("a width that no head divides", {"spec.model.dimensions": SIZES | {"heads": 7}},
        "spec.model.dimensions.hiddenSize", "hiddenSize 768 cannot be split over 7 heads"),
    Bad("dimensions without the heads", {"spec.model.dimensions": {k: v for k, v in SIZES.items() if k != "heads"}},
        "spec.model.dimensions.heads", "Required value"),
    Bad("a local window without its period", {"spec.model.dimensions": SIZES | {"localWindow": 128}},
        "spec.model.dimensions", "write localWindow and globalEvery together"),
    Bad("more experts for a token than there are", {"spec.model.dimensions": SIZES | {"experts": 1}},
        "spec.model.dimensions.experts", "a token cannot be given to 2 of 1 experts: copy num_experts"),
    Bad("local layers without a window", {"spec.model.dimensions": SIZES | {"localWindow": 0, "globalEvery": 3}},
        "spec.model.dimensions", "write localWindow and globalEvery together"),
]  # fmt: skip

GPU_AND_TIERS = [
    one("a GPU's marketing name", "spec.gpu.profile", "NVIDIA L4", "a key of the chart's gpuProfiles in lower case"),
    one("no GPU in a pod", "spec.gpu.count", 0, "should be greater than or equal to 1"),
    one("more GPUs than a node has", "spec.gpu.count", 17, "should be less than or equal to 16"),
    one("a number in quotation marks", "spec.gpu.count", "2", 'must be of type integer: "string"'),
    one("no tier", "spec.tiers", [], "should have at least 1 items"),
    one("nine tiers", "spec.tiers", [tier(f"t{n}", 512 * n) for n in range(1, 10)], "must have at most 8 items"),
    one("tiers in descending order", "spec.tiers", [tier("long", 4096), tier("short", 512)],
        "order the tiers by maxTokens, each larger than the one before, found [4096, 512]"),
    one("two tiers of one length", "spec.tiers", [tier("a", 512), tier("b", 512)],
        "each larger than the one before, found [512, 512]"),
    one("two tiers of one name", "spec.tiers", [tier("a", 512), tier("a", 1024)],
        'give every tier a name of its own, found ["a", "a"]'),
    Bad("a tier named in capitals", {"spec.tiers": [tier("Short", 512)]}, "spec.tiers[0].name", "such as short"),
    Bad("a tier named none", {"spec.tiers": [tier("none", 512)]}, "spec.tiers[0].name", "another name"),
    Bad("a tier without a length", {"spec.tiers": [{"name": "short"}]}, "spec.tiers[0].maxTokens", "Required value"),
    Bad("a tier of no tokens", {"spec.tiers": [tier("a", 0)]}, "spec.tiers[0].maxTokens", "greater than or equal to 1"),
    Bad("an objective without a unit", {"spec.tiers": [tier("a", 512, latencyObjective="250")]},
        "spec.tiers[0].latencyObjective", "a whole number and one of ms, s, m, from 1ms to 10m, such as 250ms"),
    Bad("an objective of hours", {"spec.tiers": [tier("a", 512, latencyObjective="11m")]},
        "spec.tiers[0].latencyObjective", "from 1ms to 10m, such as 250ms"),
    Bad("a tier that runs nothing", {"spec.tiers": [tier("a", 512, concurrency=0)]},
        "spec.tiers[0].concurrency", "greater than or equal to 1"),
]  # fmt: skip

LONG_INPUT = [
    one("a policy in lower case", "spec.longInput.policy", "chunk", 'supported values: "Auto", "Native", "Chunk"'),
    one("chunks above 8K", "spec.longInput.chunkTokens", 16384, "should be less than or equal to 8192"),
    Bad("chunks that share more than half", {"spec.longInput": {"chunkTokens": 1000, "overlapTokens": 501}},
        "spec.longInput.overlapTokens", "overlapTokens 501 is more than half of chunkTokens 1000: write at most 500"),
    Bad("short chunks with the default overlap", {"spec.longInput": {"chunkTokens": 512}},
        "spec.longInput.overlapTokens", "overlapTokens 1024 (the default) is more than half of chunkTokens 512"),
    one("a union of labels", "spec.longInput.aggregation", "Union", "write Mean or Max, or leave aggregation out"),
    Bad("a mean of spans", {"spec.model.task": "token-classification", "spec.longInput.aggregation": "Mean"},
        "spec.longInput.aggregation", "write Union or leave aggregation out"),
]  # fmt: skip

SCALING_AND_ROLLOUT = [
    Bad("a maximum below the minimum", {"spec.scaling": {"minReplicas": 5, "maxReplicas": 3}},
        "spec.scaling.maxReplicas", "maxReplicas 3 is below minReplicas 5: raise maxReplicas or lower minReplicas"),
    one("an HPA down to zero", "spec.scaling.minReplicas", 0, "write minReplicas 1, or provider None"),
    one("a target above the line", "spec.scaling.targetSaturationPercent", 120, "less than or equal to 100"),
    one("another autoscaler", "spec.scaling.provider", "KEDA", 'supported values: "HPA", "None"'),
    one("a window beyond an HPA's", "spec.scaling.scaleDownStabilization", "2h", "from 0s to 1h (the limit of an HPA)"),
    one("a window below a second", "spec.scaling.scaleDownStabilization", "500ms", "one of s, m, h"),
    one("a duration of two parts", "spec.rollout.progressDeadline", "1h30m", "a whole number and one of s, m, h"),
    one("a duration in words", "spec.rollout.progressDeadline", "10 minutes", "such as 10m"),
    one("a duration without a unit", "spec.rollout.progressDeadline", "600", "a whole number and one of s, m, h"),
    one("a deadline at once", "spec.rollout.progressDeadline", "0s", "from 1s to 24h"),
    one("a deadline of days", "spec.rollout.progressDeadline", "25h", "from 1s to 24h"),
    one("another strategy", "spec.rollout.strategy", "BlueGreen",
        'supported values: "Canary", "RollingUpdate", "Recreate"'),
    one("no step", "spec.rollout.canary.steps", [], "at least 1 items"),
    one("eleven steps", "spec.rollout.canary.steps", list(range(5, 60, 5)), "at most 10 items"),
    one("steps downwards", "spec.rollout.canary.steps", [50, 10], "in ascending order, each once, such as [10, 30"),
    one("a step twice", "spec.rollout.canary.steps", [10, 10], "in ascending order, each once, such as [10, 30, 50]"),
    Bad("a step to nothing", {"spec.rollout.canary.steps": [0, 10]},
        "spec.rollout.canary.steps[0]", "greater than or equal to 1"),
    Bad("a step to all", {"spec.rollout.canary.steps": [50, 100]},
        "spec.rollout.canary.steps[1]", "less than or equal to 99"),
    one("no pod for the canary", "spec.rollout.canary.maxPods", 0, "greater than or equal to 1"),
    one("a fleet as a canary", "spec.rollout.canary.maxPods", 17, "less than or equal to 16"),
    one("GPUs from elsewhere", "spec.rollout.canary.capacity", "Cloud", '"Auto", "Surge", "Replace"'),
    one("a canary of seconds", "spec.rollout.canary.maxDuration", "9s", "from 10s to 24h, such as 30m"),
    one("a canary of days", "spec.rollout.canary.maxDuration", "25h", "from 10s to 24h, such as 30m"),
    one("a shrug", "spec.rollout.canary.onInconclusive", "Ignore", '"Pause", "Promote", "Rollback"'),
    one("data made up", "spec.rollout.canary.onNoData", "Pause", '"Hold", "Promote", "Rollback"'),
    one("never wrong", "spec.rollout.analysis.falseRollbackPercent", 0, "greater than or equal to 1"),
    one("mostly wrong", "spec.rollout.analysis.falseRollbackPercent", 51, "less than or equal to 50"),
    one("a tolerance of less", "spec.rollout.analysis.tolerancePercent", -1, "greater than or equal to 0"),
    one("no margin", "spec.rollout.analysis.marginPercent", 0, "greater than or equal to 1"),
    one("an interval of seconds", "spec.rollout.analysis.interval", "4s", "from 5s to 5m, such as 10s"),
    one("an interval of hours", "spec.rollout.analysis.interval", "1h", "from 5s to 5m, such as 10s"),
    one("an interval in part", "spec.rollout.analysis.interval", "7500ms", "one of s, m"),
    one("no kill at all", "spec.rollout.analysis.oomKills", 0, "greater than or equal to 1"),
    one("a history without end", "spec.rollout.revisionHistoryLimit", 51, "less than or equal to 50"),
]  # fmt: skip

SERVER = [
    one("an image by address", "spec.server.image", "https://registry.example/server:1", "without a scheme or spaces"),
    one("an empty image", "spec.server.image", "", "IMAGE:TAG or IMAGE@sha256:DIGEST"),
    one("a device overdrawn", "spec.server.memoryUtilizationPercent", 101, "less than or equal to 100"),
    Bad("a quantity with a space", {"spec.server.resources.limits": {"memory": "8 GB"}},
        "spec.server.resources.limits[memory]", "a quantity above zero, such as 500m or 4 for cpu, 8Gi for memory"),
    Bad("a limit of nothing", {"spec.server.resources.limits": {"memory": 0}},
        "spec.server.resources.limits[memory]", "write a quantity above zero"),
    Bad("a negative request", {"spec.server.resources.requests": {"cpu": -1}},
        "spec.server.resources.requests[cpu]", "write a quantity of zero or more"),
    one("GPUs among the requests", "spec.server.resources.requests", {"nvidia.com/gpu": 1},
        "GPUs are asked for by spec.gpu.profile and spec.gpu.count"),
    one("GPUs among the limits", "spec.server.resources.limits", {"nvidia.com/gpu": 1}, "spec.gpu.profile"),
    Bad("a request above its limit",
        {"spec.server.resources": {"requests": {"memory": "9Gi"}, "limits": {"memory": "8Gi"}}},
        "spec.server.resources.requests", "a request is above its limit"),
    Bad("a token for its Secret", HUB_MODEL | {"spec.server.hubTokenSecret": "hf_ABC"},
        "spec.server.hubTokenSecret", "the name of a Secret of this namespace"),
    Bad("a Secret of another namespace", HUB_MODEL | {"spec.server.hubTokenSecret": "other/hub"},
        "spec.server.hubTokenSecret", "the name of a Secret of this namespace"),
    Bad("a Secret with a part left out", HUB_MODEL | {"spec.server.hubTokenSecret": "hub..token"},
        "spec.server.hubTokenSecret", "the name of a Secret of this namespace"),
    one("a hub token for a claim", "spec.server.hubTokenSecret", "hub", "leave hubTokenSecret out, or write model.uri"),
    Bad("a hub token for an image",
        {"spec.model.uri": f"oci://registry.example/m@sha256:{DIGEST}", "spec.server.hubTokenSecret": "hub"},
        "spec.server.hubTokenSecret", "a private image is pulled with pod.imagePullSecrets"),
    one("a certificate for its Secret", "spec.server.tlsSecret", "/etc/tls/tls.crt", "kubectl create secret tls"),
    one("answers kept for ever", "spec.server.cache.ttl", "48h", "from 1s to 24h, such as 5m"),
    one("less than no memory for answers", "spec.server.cache.maxSize", "-1Mi", "from 0 to 64Gi, such as 64Mi"),
    one("a Redis for its Secret", "spec.server.cache.redisSecret", "redis://redis:6379", "--from-file=url"),
    Bad("a port of no Redis", {"spec.server.cache": {"redisPort": 6380}},
        "spec.server.cache.redisPort", "name its Secret in redisSecret"),
    one("an API key for its Secret", "spec.server.auth.apiKeySecret", "sk_LIVE", "kubectl create secret generic"),
    Bad("keys in no Secret", {"spec.server.auth": {}}, "spec.server.auth.apiKeySecret", "Required value"),
    one("a rate without a time", "spec.server.rateLimit", "100", "such as 100/minute"),
    one("a rate of nothing", "spec.server.rateLimit", "0/minute", "such as 100/minute"),
    one("a collector without a scheme", "spec.server.tracing.endpoint", "collector:4318", "write http:// or https://"),
    one("a port that there is not", "spec.server.tracing.endpoint", "http://collector:65536", "write http:// or https://"),
    Bad("a password in a collector's address", {"spec.server.tracing": {"endpoint": "http://me:word@collector:4318"}},
        "spec.server.tracing.endpoint", "without a password"),
    Bad("traces for nobody", {"spec.server.tracing": {"samplePercent": 5}},
        "spec.server.tracing.endpoint", "Required value"),
]  # fmt: skip

POD = [
    Bad("a label's value with a space", {"spec.pod.nodeSelector": {"zone": "eu west"}},
        "spec.pod.nodeSelector[zone]", "see kubectl get nodes --show-labels"),
    Bad("a label's key with a space", {"spec.pod.nodeSelector": {"my zone": "a"}},
        "spec.pod.nodeSelector", "write each key as on the nodes, such as topology.kubernetes.io/zone"),
    Bad("a label's key of two prefixes", {"spec.pod.nodeSelector": {"a.b/c/d": "a"}},
        "spec.pod.nodeSelector", "write each key as on the nodes"),
    Bad("a label's key that is too long", {"spec.pod.nodeSelector": {"k" * 64: "a"}},
        "spec.pod.nodeSelector", "write each key as on the nodes"),
    Bad("a taint's key with a space", {"spec.pod.tolerations": [{"key": "gpu only", "operator": "Exists"}]},
        "spec.pod.tolerations[0].key", "write the taint's key as kubectl describe node shows it"),
    Bad("a taint's value with a space", {"spec.pod.tolerations": [{"key": "gpu", "value": "for us"}]},
        "spec.pod.tolerations[0].value", "write the taint's value as kubectl describe node shows it"),
    Bad("a toleration of nothing", {"spec.pod.tolerations": [{"effect": "NoSchedule"}]},
        "spec.pod.tolerations[0]", "write the taint's key, or operator Exists"),
    Bad("a toleration of any value and of one",
        {"spec.pod.tolerations": [{"key": "a", "operator": "Exists", "value": "b"}]},
        "spec.pod.tolerations[0]", "leave value out, or write operator Equal"),
    Bad("an eviction time without evictions", {"spec.pod.tolerations": [{"key": "a", "tolerationSeconds": 5}]},
        "spec.pod.tolerations[0]", "tolerationSeconds needs effect NoExecute"),
    one("a priority in capitals", "spec.pod.priorityClassName", "High", "see kubectl get priorityclass"),
    Bad("a pull secret without a name", {"spec.pod.imagePullSecrets": [{}]},
        "spec.pod.imagePullSecrets[0].name", "Required value"),
    Bad("a pull secret in capitals", {"spec.pod.imagePullSecrets": [{"name": "Login"}]},
        "spec.pod.imagePullSecrets[0].name", "see kubectl get secrets"),
    Bad("a pull secret twice", {"spec.pod.imagePullSecrets": [{"name": "a"}, {"name": "a"}]},
        "spec.pod.imagePullSecrets[1]", "Duplicate value"),
]  # fmt: skip

METADATA = [
    one("a name that starts with a digit", "metadata.name", "3d-domains", "starting with a letter"),
    one("a name with dots", "metadata.name", "domains.v2", "use lower-case letters, digits and '-'"),
    one("a name too long for its children", "metadata.name", "d" * 51, "has 51 characters: use at most 50"),
]

CASES = [*MODEL, *GPU_AND_TIERS, *LONG_INPUT, *SCALING_AND_ROLLOUT, *SERVER, *POD, *METADATA]


def put(target: dict[str, Any], path: str, value: Any) -> None:
    *parents, last = path.split(".")
    for name in parents:
        target = target.setdefault(name, {})
    target[last] = value


def manifest(number: int, case: Bad) -> dict[str, Any]:
    document: dict[str, Any] = {
        "apiVersion": "plimsoll.dev/v1alpha1",
        "kind": "InferenceDeployment",
        "metadata": {"name": f"case-{number}"},
        "spec": {"model": {"uri": "pvc://models/m"}, "gpu": {"profile": "cpu"}, "tiers": [tier("short", 512)]},
    }
    for path, value in case.changes.items():
        put(document, path, value)
    return document


@pytest.fixture(scope="module")
def complaints(inference_api: InferenceApi) -> dict[str, str]:
    """What kubectl prints about each object, by the object's name: all are sent in one call."""
    documents = [manifest(number, case) for number, case in enumerate(CASES)]
    answer = inference_api.kubectl("create", "--dry-run=server", "-f", "-", send=documents)
    return dict(re.findall(r'InferenceDeployment.plimsoll.dev "(.*?)" is invalid: (.*)', answer.err))


UNCHECKED = re.compile(r"^\[(.*), <nil>: Invalid value: null: some validation rules were not checked .*\]$")


@pytest.mark.parametrize(("number", "case"), list(enumerate(CASES)), ids=[case.because for case in CASES])
def test_a_bad_object_is_refused_with_what_to_write(number: int, case: Bad, complaints: Mapping[str, str]) -> None:
    complaint = complaints.get(manifest(number, case)["metadata"]["name"], "")
    assert complaint, f"accepted: {case.changes}"
    about_this = UNCHECKED.sub(r"\1", complaint)
    assert about_this.startswith(f"{case.at}: "), "one mistake, one complaint, where the mistake stands"
    assert case.says in about_this


def rules(schema: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Each rule as (its condition, a phrase that its message always has)."""
    for rule in schema.get("x-kubernetes-validations", ()):
        literals = rule.get("messageExpression", "").split("'")[1::2]
        wordings = [part for literal in literals for part in re.split("%[ds]", literal)]
        yield rule["rule"], max(wordings, key=len, default=rule["message"])
    inner = [*schema.get("properties", {}).values(), schema.get("items"), schema.get("additionalProperties")]
    for child in filter(None, inner):
        yield from rules(child)


RULES = list(rules(CRD["spec"]["versions"][0]["schema"]["openAPIV3Schema"]))


@pytest.mark.parametrize(("rule", "phrase"), RULES, ids=[rule for rule, _ in RULES])
def test_no_rule_is_left_out_of_the_table(rule: str, phrase: str, complaints: Mapping[str, str]) -> None:
    assert any(phrase in complaint for complaint in complaints.values()), rule
