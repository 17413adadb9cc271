"""What can go wrong, how it comes about, and what the object is to say of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from cluster_kit import Kit
from light_server import light


@dataclass(frozen=True)
class Situation:
    """`condition` is the one that tells it, by type and status; the message holds each of `words`.

    `state` is (Available, Ready, Reconciling, Stalled), `kstatus` and `argo` what those make of it.
    """

    name: str
    condition: tuple[str, str]
    reason: str
    words: tuple[str, ...]
    state: tuple[str, str, str, str]
    kstatus: str
    argo: str
    sections: dict[str, Any] = field(default_factory=dict)
    arrange: Callable[[Kit], None] = lambda _: None
    """What has to be there before the object."""

    @property
    def namespace(self) -> str:
        return f"truth-{self.name}"

    @property
    def manifest(self) -> dict[str, Any]:
        return light("told", **self.sections)


def failing(family: str) -> dict[str, Any]:
    """The light server fails in the way that its model family names."""
    return {"model": {"uri": "hf://org/model:" + "0" * 40, "family": family}}


def quota(what: str) -> Callable[[Kit], None]:
    def arrange(kit: Kit) -> None:
        kit.kubectl("create", "quota", "tight", f"--hard={what}=0")

    return arrange


def taken(kit: Kit) -> None:
    kit.kubectl("create", "service", "clusterip", "told", "--tcp=80:80")


STALLED = ("False", "False", "False", "True")
TRYING = ("False", "False", "True", "False")
SERVING = ("True", "True", "False", "False")
BEYOND_ANY_LINE = {
    "model": {"uri": "hf://org/model:" + "0" * 40, "shape": "modernbert-base"},
    "gpu": {"profile": "nvidia-l4"},
    "tiers": [
        {"name": "short", "maxTokens": 512, "concurrency": 500},
        {"name": "long", "maxTokens": 32768, "concurrency": 99},
    ],
}

SITUATIONS = (
    Situation(
        "profile", ("Stalled", "True"), "GPUProfileNotFound", ("'nvidia-x1'", "gpuProfiles"),
        STALLED, "Failed", "Degraded", {"gpu": {"profile": "nvidia-x1"}},
    ),
    Situation(
        "claim", ("Stalled", "True"), "ClaimNotFound", ("'nowhere'", "create it"),
        STALLED, "Failed", "Degraded", {"model": {"uri": "pvc://nowhere/model"}},
    ),
    Situation(
        "line", ("WithinLoadLine", "False"), "Exceeded", ("tier long asks for 99", "Lower the concurrency"),
        SERVING, "Current", "Healthy", BEYOND_ANY_LINE,
    ),
    Situation(
        "gpu", ("Ready", "False"), "NoFreeGPU", ("nvidia-t4", "add a node"),
        TRYING, "InProgress", "Progressing", {"gpu": {"profile": "nvidia-t4"}},
    ),
    Situation(
        "crash", ("Ready", "False"), "CrashLoop", ("no config.json", "--previous"),
        TRYING, "InProgress", "Progressing", failing("crashes"),
    ),
    Situation(
        "image", ("Ready", "False"), "ImagePullFailed", ("spec.server.image",),
        TRYING, "InProgress", "Progressing", {"server": {"image": "test/no-such-image:1"}},
    ),
    Situation(
        "probe", ("Ready", "False"), "ProbeFailing", ("readiness probe", "kubectl describe pod"),
        TRYING, "InProgress", "Progressing", failing("silent"),
    ),
    Situation(
        "memory", ("OutOfMemory", "True"), "OOMKilled", ("tier short ran 2048 tokens in a batch of 4", "raise the"),
        TRYING, "InProgress", "Progressing", failing("hungry"),
    ),
    Situation(
        "pods", ("Ready", "False"), "PodsRefused", ("exceeded quota: tight", "pods=0"),
        TRYING, "InProgress", "Progressing", arrange=quota("pods"),
    ),
    Situation(
        "objects", ("Stalled", "True"), "WriteRefused", ("exceeded quota: tight", "what refuses it"),
        STALLED, "Failed", "Degraded", arrange=quota("count/services"),
    ),
    Situation(
        "taken", ("Stalled", "True"), "NameTaken", ("Service told", "rename or delete"),
        STALLED, "Failed", "Degraded", arrange=taken,
    ),
)  # fmt: skip
