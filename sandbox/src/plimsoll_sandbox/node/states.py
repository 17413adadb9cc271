"""The states a container goes through, and how the API writes them."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Any

from plimsoll_sandbox.kube import Json
from plimsoll_sandbox.node.clock import parse_timestamp, timestamp

OOM_EXIT_CODE = 137


@dataclass(frozen=True)
class Waiting:
    reason: str
    message: str = ""

    def to_json(self) -> Json:
        return {"waiting": _without_empty({"reason": self.reason, "message": self.message})}


@dataclass(frozen=True)
class Running:
    started_at: datetime.datetime

    def to_json(self) -> Json:
        return {"running": {"startedAt": timestamp(self.started_at)}}


@dataclass(frozen=True)
class Terminated:
    """`exit_code` is 128 + n after signal n."""

    exit_code: int
    reason: str
    started_at: datetime.datetime
    finished_at: datetime.datetime
    message: str = ""
    container_id: str = ""

    @property
    def succeeded(self) -> bool:
        return self.exit_code == 0

    def to_json(self) -> Json:
        fields = {
            "exitCode": self.exit_code,
            "reason": self.reason,
            "startedAt": timestamp(self.started_at),
            "finishedAt": timestamp(self.finished_at),
        }
        return {"terminated": fields | _without_empty({"message": self.message, "containerID": self.container_id})}


State = Waiting | Running | Terminated


@dataclass(frozen=True)
class ContainerStatus:
    """All that the API tells of one container."""

    name: str
    image: str
    state: State
    last: Terminated | None = None
    restarts: int = 0
    ready: bool = False
    started: bool = False
    container_id: str = ""

    def to_json(self) -> Json:
        return {
            "name": self.name,
            "image": self.image,
            "imageID": "" if isinstance(self.state, Waiting) and self.last is None else f"process://{self.image}",
            "state": self.state.to_json(),
            "lastState": {} if self.last is None else self.last.to_json(),
            "restartCount": self.restarts,
            "ready": self.ready,
            "started": self.started,
        } | _without_empty({"containerID": self.container_id})


def parse_terminated(value: Json) -> Terminated | None:
    """From the `state` or `lastState` of a container's status."""
    fields = value.get("terminated")
    if fields is None:
        return None
    return Terminated(
        exit_code=fields["exitCode"],
        reason=fields.get("reason", ""),
        started_at=_moment(fields.get("startedAt")),
        finished_at=_moment(fields.get("finishedAt")),
        message=fields.get("message", ""),
        container_id=fields.get("containerID", ""),
    )


def _moment(text: str | None) -> datetime.datetime:
    return parse_timestamp(text or "1970-01-01T00:00:00Z")


def _without_empty(fields: dict[str, Any]) -> Json:
    return {name: value for name, value in fields.items() if value}
