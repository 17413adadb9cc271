"""Two specs that differ in every field of the API, and the steps from one to the other, in any order."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from light_server import LIGHT_IMAGE

Spec = dict[str, Any]

PARKED: Spec = {
    "model": {
        "uri": "hf://org/parked:" + "1" * 40,
        "family": "bert",
        "task": "token-classification",
        "dtype": "float32",
        "attention": "sdpa",
        "shape": "modernbert-base",
    },
    "gpu": {"profile": "nvidia-l4", "count": 2},
    "tiers": [{"name": "whole", "maxTokens": 512, "concurrency": 2, "latencyObjective": "250ms"}],
    "longInput": {"policy": "Reject", "chunkTokens": 4096, "overlapTokens": 256, "aggregation": "Union"},
    "scaling": {
        "provider": "None",
        "minReplicas": 0,
        "maxReplicas": 4,
        "targetSaturationPercent": 60,
        "scaleDownStabilization": "10s",
    },
    "rollout": {
        "strategy": "Recreate",
        "progressDeadline": "5m",
        "canary": {
            "steps": [25],
            "maxPods": 1,
            "capacity": "Surge",
            "maxDuration": "10m",
            "onInconclusive": "Rollback",
            "onNoData": "Promote",
        },
        "analysis": {
            "falseRollbackPercent": 2,
            "tolerancePercent": 50,
            "marginPercent": 2,
            "interval": "5s",
            "oomKills": 2,
        },
        "revisionHistoryLimit": 3,
    },
    "server": {
        "image": "test/no-such-server:1",
        "memoryUtilizationPercent": 70,
        "resources": {"requests": {"cpu": "1"}, "limits": {"memory": "8Gi"}},
        "hubTokenSecret": "no-such-token",
        "tlsSecret": "no-such-certificate",
        "cache": {"ttl": "10m", "maxSize": "16Mi", "redisSecret": "no-such-redis", "redisPort": 6380},
        "auth": {"apiKeySecret": "no-such-keys"},
        "rateLimit": "5/second",
        "accessLog": True,
        "tracing": {"endpoint": "http://no-such-collector:4318", "samplePercent": 5},
    },
    "pod": {
        "nodeSelector": {"example.com/disk": "fast"},
        "tolerations": [
            {
                "key": "example.com/reserved",
                "operator": "Equal",
                "value": "yes",
                "effect": "NoExecute",
                "tolerationSeconds": 30,
            }
        ],
        "priorityClassName": "system-cluster-critical",
        "imagePullSecrets": [{"name": "no-such-registry"}],
        "topologySpread": False,
    },
}
"""Runs no pod, so it may name Secrets, an image and nodes that are not there."""

SERVING: Spec = {
    "model": {
        "uri": "hf://org/serving:" + "2" * 40,
        "family": "modernbert",
        "task": "text-classification",
        "dtype": "bfloat16",
        "attention": "flash",
        "dimensions": {
            "layers": 4,
            "hiddenSize": 128,
            "heads": 4,
            "intermediateSize": 192,
            "vocabSize": 4096,
            "localWindow": 64,
            "globalEvery": 2,
            "experts": 8,
            "expertsPerToken": 3,
        },
    },
    "gpu": {"profile": "cpu"},
    "tiers": [{"name": "short", "maxTokens": 256}, {"name": "long", "maxTokens": 1024, "concurrency": 3}],
    "longInput": {"policy": "Chunk", "chunkTokens": 2048, "overlapTokens": 128, "aggregation": "Max"},
    "scaling": {
        "provider": "HPA",
        "minReplicas": 1,
        "maxReplicas": 3,
        "targetSaturationPercent": 80,
        "scaleDownStabilization": "1s",
    },
    "rollout": {
        "strategy": "RollingUpdate",
        "progressDeadline": "10m",
        "canary": {
            "steps": [10, 50],
            "maxPods": 4,
            "capacity": "Replace",
            "maxDuration": "1h",
            "onInconclusive": "Promote",
            "onNoData": "Rollback",
        },
        "analysis": {
            "falseRollbackPercent": 5,
            "tolerancePercent": 10,
            "marginPercent": 3,
            "interval": "30s",
            "oomKills": 5,
        },
        "revisionHistoryLimit": 2,
    },
    "server": {
        "image": LIGHT_IMAGE,
        "memoryUtilizationPercent": 80,
        "resources": {"requests": {"cpu": "100m"}, "limits": {"memory": "2Gi"}},
        "cache": {"ttl": "1m", "maxSize": "0"},
        "rateLimit": "1000000/second",
        "accessLog": False,
    },
    "pod": {"topologySpread": True},
}
"""Is served by one pod of the light server."""

Step = tuple[str, ...]
"""Fields by their paths that change together, since the API refuses one without the other."""

STEPS: tuple[Step, ...] = (
    ("model.uri", "server.hubTokenSecret"),
    ("model.family",),
    ("model.task", "longInput.aggregation"),
    ("model.dtype",),
    ("model.attention",),
    ("model.shape", "model.dimensions"),
    ("gpu.profile",),
    ("gpu.count",),
    ("tiers",),
    ("longInput.policy",),
    ("longInput.chunkTokens",),
    ("longInput.overlapTokens",),
    ("scaling.provider",),
    ("scaling.minReplicas",),
    ("scaling.maxReplicas",),
    ("scaling.targetSaturationPercent",),
    ("scaling.scaleDownStabilization",),
    ("rollout.strategy",),
    ("rollout.progressDeadline",),
    ("rollout.canary",),
    ("rollout.analysis",),
    ("rollout.revisionHistoryLimit",),
    ("server.image",),
    ("server.memoryUtilizationPercent",),
    ("server.resources.requests",),
    ("server.resources.limits",),
    ("server.tlsSecret",),
    ("server.cache",),
    ("server.auth",),
    ("server.rateLimit",),
    ("server.accessLog",),
    ("server.tracing",),
    ("pod.nodeSelector",),
    ("pod.tolerations",),
    ("pod.priorityClassName",),
    ("pod.imagePullSecrets",),
    ("pod.topologySpread",),
)

DETOURS: tuple[Mapping[str, Any], ...] = ({"rollout.paused": True}, {"rollout.paused": None})
"""Changes that must not be left standing, each with the one that takes it back."""


def stepped(spec: Spec, step: Step, goal: Spec) -> Spec:
    """The spec with the fields of one step as the goal has them."""
    return changed(spec, {path: value_at(goal, path) for path in step})


def changed(spec: Spec, values: Mapping[str, Any]) -> Spec:
    """The spec with some fields set, or taken out where their value is None."""
    result = copy.deepcopy(spec)
    for path, value in values.items():
        *parents, name = path.split(".")
        section = result
        for parent in parents:
            section = section.setdefault(parent, {})
        section.pop(name, None)
        if value is not None:
            section[name] = copy.deepcopy(value)
    return result


def value_at(spec: Spec, path: str) -> Any:
    value: Any = spec
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def leaves(value: Any, path: str = "") -> dict[str, Any]:
    """Every field that holds no other, by its path as the schema has it: `tiers[].name`, `pod.nodeSelector`."""
    if value is None:
        return {}
    if isinstance(value, list):
        parts = [leaves(item, f"{path}[]") for item in value]
    elif isinstance(value, dict) and path not in MAPS:
        parts = [leaves(item, f"{path}.{name}".lstrip(".")) for name, item in value.items()]
    else:
        return {path: value}
    return {inner: found for part in parts for inner, found in part.items()}


MAPS = {"pod.nodeSelector", "server.resources.requests", "server.resources.limits"}
"""Fields whose keys are the user's own."""
