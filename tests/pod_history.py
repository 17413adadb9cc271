"""Every state that the pods of one object went through, as the apiserver told of it: no look comes too late."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from api_client import Api, Object
from plimsoll_operator.cluster.kinds import POD

WINDOW_SECONDS = 3
"""Length of one watch: the longest time until the history ends when it is told to."""


@dataclass(frozen=True)
class Pod:
    revision: str
    ready: bool
    leaving: bool
    node: str
    ended: bool = False
    """Its containers are: the scheduler gives its place to the next."""

    @classmethod
    def of(cls, manifest: Object) -> Pod:
        conditions = manifest.get("status", {}).get("conditions", ())
        return cls(
            revision=manifest["metadata"]["labels"].get("plimsoll.dev/revision", ""),
            ready=any(found["type"] == "Ready" and found["status"] == "True" for found in conditions),
            leaving="deletionTimestamp" in manifest["metadata"],
            node=manifest["spec"].get("nodeName", ""),
            ended=manifest.get("status", {}).get("phase") in ("Succeeded", "Failed"),
        )

    @property
    def serves(self) -> bool:
        return self.ready and not self.leaving


@dataclass
class PodHistory:
    """States by uid of the pod, the first as it was found."""

    states: list[dict[str, Pod]] = field(default_factory=list)

    @property
    def fewest_serving(self) -> int:
        return min(sum(pod.serves for pod in state.values()) for state in self.states)

    @property
    def most_on_nodes(self) -> int:
        """Pods that hold what a node has to give, those that are ending among them."""
        return max(sum(bool(pod.node) and not pod.ended for pod in state.values()) for state in self.states)

    @property
    def uids(self) -> set[str]:
        """Every pod that there ever was."""
        return {uid for state in self.states for uid in state}

    @property
    def most_leaving(self) -> int:
        return max(sum(pod.leaving and not pod.ended for pod in state.values()) for state in self.states)


@contextmanager
def pod_history(api: Api, name: str) -> Iterator[PodHistory]:
    """Follows the pods of an InferenceDeployment until the block ends."""
    labels = f"plimsoll.dev/name={name}"
    found = api.ask("GET", POD.path(api.namespace), {"labelSelector": labels})
    history = PodHistory([{pod["metadata"]["uid"]: Pod.of(pod) for pod in found["items"]}])
    stop = threading.Event()
    version = found["metadata"]["resourceVersion"]
    thread = threading.Thread(target=_follow, args=(api, labels, version, history, stop))
    thread.start()
    try:
        yield history
    finally:
        stop.set()
        thread.join(10 * WINDOW_SECONDS)


def _follow(api: Api, labels: str, version: str, history: PodHistory, stop: threading.Event) -> None:
    while not stop.is_set():
        for event in _events(api, labels, version):
            version = event["object"]["metadata"]["resourceVersion"]
            state = dict(history.states[-1])
            uid = event["object"]["metadata"].get("uid", "")
            if event["type"] == "DELETED":
                state.pop(uid, None)
            elif event["type"] != "BOOKMARK":
                state[uid] = Pod.of(event["object"])
            history.states.append(state)


def _events(api: Api, labels: str, version: str) -> Iterator[dict[str, Any]]:
    query = {
        "watch": "true",
        "labelSelector": labels,
        "resourceVersion": version,
        "timeoutSeconds": str(WINDOW_SECONDS),
        "allowWatchBookmarks": "true",
    }
    with api.client.stream("GET", POD.path(api.namespace), params=query) as answer:
        answer.raise_for_status()
        for line in answer.iter_lines():
            event: dict[str, Any] = json.loads(line)
            assert event["type"] != "ERROR", event
            yield event
