"""Versions of light objects. There is nothing to judge them by, so a canary of one waits for a person."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from api_client import Api
from cluster_kit import Kit, eventually
from light_server import light
from plimsoll_operator.cluster.kinds import INFERENCE_DEPLOYMENT, POD

START_SECONDS = 240
"""For a few light servers on a machine that does other work."""


def version(name: str, number: int, replicas: int = 1) -> dict[str, Any]:
    return light(
        name,
        server={"memoryUtilizationPercent": 80 + number},
        scaling={"provider": "None", "minReplicas": replicas},
        rollout={"strategy": "Canary", "canary": {"steps": [50]}},
    )


@contextmanager
def first_versions(kit: Kit, names: Sequence[str]) -> Iterator[None]:
    """Version 1 of each serves; all of them go with the block."""
    for name in names:
        kit.apply(version(name, 1))
    for name in names:
        kit.wait_for(name, "Ready", "True", deadline=START_SECONDS)
    yield
    for name in names:
        kit.kubectl("delete", "infd", name, "--ignore-not-found", "--wait=false")
    eventually(lambda: not any(kit.pods(name) for name in names), START_SECONDS)


def pods_of(api: Api, name: str) -> dict[str, set[str]]:
    """UIDs of the pods that are to stay, by their revision."""
    found: dict[str, set[str]] = {}
    for pod in api.select(POD, f"plimsoll.dev/name={name}"):
        if "deletionTimestamp" not in pod["metadata"]:
            found.setdefault(pod["metadata"]["labels"]["plimsoll.dev/revision"], set()).add(pod["metadata"]["uid"])
    return found


def rollout_of(api: Api, name: str) -> dict[str, Any]:
    return dict(api.get(INFERENCE_DEPLOYMENT, name)["status"]["rollout"])


def rejections_of(api: Api, name: str) -> dict[str, str]:
    """Why revisions were taken back, by their hash."""
    revisions = api.get(INFERENCE_DEPLOYMENT, name)["status"]["revisions"]
    return {entry["hash"]: entry["rejected"]["reason"] for entry in revisions if "rejected" in entry}


def reaches(api: Api, name: str, *phases: str) -> dict[str, Any]:
    """The rollout once it tells one of these phases of the present spec."""

    def told() -> dict[str, Any] | None:
        owner = api.get(INFERENCE_DEPLOYMENT, name)
        status = owner.get("status", {})
        current = status.get("observedGeneration") == owner["metadata"]["generation"]
        rollout: dict[str, Any] = status.get("rollout", {})
        return rollout if current and rollout.get("phase") in phases else None

    return eventually(told, START_SECONDS, lambda: str(api.get(INFERENCE_DEPLOYMENT, name).get("status")))


def on_trial(kit: Kit, api: Api, name: str, number: int) -> str:
    """Another version on trial, with a pod that serves; the canary's hash."""
    kit.apply(version(name, number))
    return str(reaches(api, name, "Analysing")["canary"])
