"""Which events of a watch say anything new.

An autoscaler's object changes with every measurement, four times a minute: that would be most of what the apiserver is
asked about an InferenceDeployment at rest. A watch that has to begin anew, after a restart of the apiserver or with a
version that it has forgotten, tells of every object there is, all at once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from plimsoll_operator.cluster.kinds import AUTOSCALER, Kind

_OF_EVERY_WRITE = ("resourceVersion", "managedFields")


class News:
    """Remembers what was told last of each object of one kind. What fails after is the queue's to try again."""

    def __init__(self, kind: Kind) -> None:
        self._mark = _without_measurements if kind == AUTOSCALER else _version
        self._told: dict[str, int | str] = {}

    def tells(self, event: Mapping[str, Any]) -> bool:
        """Whether the object is another than at the event before, or gone."""
        found = event["object"]
        uid = found["metadata"]["uid"]
        if event["type"] == "DELETED":
            self._told.pop(uid, None)
            return True
        mark = self._mark(found)
        told = self._told.get(uid)
        self._told[uid] = mark
        return mark != told


def _version(found: Mapping[str, Any]) -> str:
    return str(found["metadata"]["resourceVersion"])


def _without_measurements(found: Mapping[str, Any]) -> int:
    """A mark of an autoscaler that stays the same while it only measures."""
    metadata = {name: value for name, value in found["metadata"].items() if name not in _OF_EVERY_WRITE}
    status = {name: value for name, value in found.get("status", {}).items() if name != "currentMetrics"}
    return hash(json.dumps([metadata, found.get("spec"), status], sort_keys=True))
