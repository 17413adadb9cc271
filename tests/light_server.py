"""InferenceDeployments whose server is a light program: for tests of the operator, which does not care what answers."""

from __future__ import annotations

from typing import Any

from cluster_kit import Kit

LIGHT_IMAGE = "test/light-server:1"
"""Answers probes and requests at once. The real server has tests of its own."""


def light(name: str, spec: dict[str, Any] | None = None, **sections: Any) -> dict[str, Any]:
    small = {"limits": {"memory": "256Mi"}}
    server = {"image": LIGHT_IMAGE, "resources": small, **sections.pop("server", {})}
    # There are no requests to judge a canary by, so a rollout is a plain one unless a test says otherwise.
    rollout = {"strategy": "RollingUpdate", **sections.pop("rollout", {})}
    return {
        "apiVersion": "plimsoll.dev/v1alpha1",
        "kind": "InferenceDeployment",
        "metadata": {"name": name},
        "spec": {
            "model": {"uri": "hf://org/model:" + "0" * 40},
            "gpu": {"profile": "cpu"},
            "tiers": [{"name": "short", "maxTokens": 512, "concurrency": 4}],
            "server": server,
            "rollout": rollout,
            **sections,
            **(spec or {}),
        },
    }


def ready(kit: Kit, manifest: dict[str, Any], deadline: float = 90) -> None:
    kit.apply(manifest)
    kit.wait_for(manifest["metadata"]["name"], "Ready", "True", deadline=deadline)
