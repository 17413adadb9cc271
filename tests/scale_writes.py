"""Who asked for how many pods, and when, by the apiserver's audit log: no write is missed, however short it lasted."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from audit_tail import AuditTail
from plimsoll_operator.names import SATURATION_METRIC

Writer = Literal["autoscaler", "others"]

_AUTOSCALER = "system:serviceaccount:kube-system:horizontal-pod-autoscaler"


@dataclass(frozen=True)
class Write:
    """A number of replicas that was written, in the place of `before`."""

    at: datetime
    deployment: str
    replicas: int
    before: int
    writer: Writer

    @property
    def raises(self) -> bool:
        return self.replicas > self.before

    @property
    def lowers(self) -> bool:
        return self.replicas < self.before

    def __str__(self) -> str:
        return f"{self.at:%H:%M:%S.%f} {self.deployment} {self.before}→{self.replicas} by the {self.writer}"


@dataclass(frozen=True)
class ScaleWrites:
    """Of the Deployments of one object, in their order."""

    writes: tuple[Write, ...]
    rounds: tuple[datetime, ...]
    """When the autoscaler asked for the metric of this object's pods."""

    def of(self, deployment: str) -> list[Write]:
        return [write for write in self.writes if write.deployment == deployment]

    def by(self, writer: Writer) -> list[Write]:
        return [write for write in self.writes if write.writer == writer]

    def between(self, begin: datetime, end: datetime) -> list[Write]:
        """Those that changed a number."""
        return [write for write in self.writes if begin < write.at <= end and write.replicas != write.before]

    def rounds_between(self, begin: datetime, end: datetime) -> int:
        return sum(begin < asked <= end for asked in self.rounds)

    def __str__(self) -> str:
        return "\n".join(map(str, self.writes))


def turns(writes: Iterable[Write]) -> int:
    """How often the number began to fall after it had risen, or to rise after it had fallen."""
    falls = [write.lowers for write in writes if write.replicas != write.before]
    return sum(before != after for before, after in itertools.pairwise(falls))


class ScaleLog:
    """Of every Deployment of a namespace from now on."""

    def __init__(self, audit_log: Path, namespace: str) -> None:
        place = f"/namespaces/{namespace}/"
        self._tail = AuditTail(
            audit_log, lambda line: place in line and ("/scale" in line or SATURATION_METRIC in line)
        )

    def close(self) -> None:
        self._tail.close()

    def of(self, name: str) -> ScaleWrites:
        """Of the Deployments of an InferenceDeployment since there is one of that name; each began with one pod."""
        events = [event for event in self._tail.events() if _concerns(event, name)]
        replicas: dict[str, int] = {}
        writes = []
        for event in events:
            if event["objectRef"].get("subresource") != "scale" or event["verb"] not in ("update", "patch"):
                continue
            deployment, count = event["objectRef"]["name"], event["requestObject"]["spec"]["replicas"]
            writer: Writer = "autoscaler" if event["user"]["username"] == _AUTOSCALER else "others"
            writes.append(Write(_time(event), deployment, count, replicas.get(deployment, 1), writer))
            replicas[deployment] = count
        rounds = [_time(event) for event in events if event["objectRef"].get("subresource") == SATURATION_METRIC]
        return ScaleWrites(tuple(writes), tuple(rounds))


def _concerns(event: dict[str, Any], name: str) -> bool:
    if event["objectRef"].get("subresource") == "scale":
        return str(event["objectRef"]["name"]).rpartition("-")[0] == name
    return event["user"]["username"] == _AUTOSCALER and f"plimsoll.dev%2Fname%3D{name}%2C" in event["requestURI"]


def _time(event: dict[str, Any]) -> datetime:
    """When it was answered."""
    return datetime.fromisoformat(event["stageTimestamp"])
