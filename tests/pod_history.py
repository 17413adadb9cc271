"""Every state that the pods of one object went through, as the apiserver told of it: no look comes too late."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from api_client import Api, Object
from api_watch import watching
from plimsoll_operator.cluster.kinds import POD


@dataclass(frozen=True)
class Pod:
    revision: str
    ready: bool
    leaving: bool
    node: str
    ended: bool = False
    """Its containers are: the scheduler gives its place to the next."""
    killed: bool = False
    """A container of it was, for memory."""
    restarts: int = 0
    """How often its containers were started anew: a pod outlives its containers."""

    @classmethod
    def of(cls, manifest: Object) -> Pod:
        conditions = manifest.get("status", {}).get("conditions", ())
        containers = manifest.get("status", {}).get("containerStatuses", ())
        states = [each.get(state, {}) for each in containers for state in ("state", "lastState")]
        return cls(
            revision=manifest["metadata"]["labels"].get("plimsoll.dev/revision", ""),
            ready=any(found["type"] == "Ready" and found["status"] == "True" for found in conditions),
            leaving="deletionTimestamp" in manifest["metadata"],
            node=manifest["spec"].get("nodeName", ""),
            ended=manifest.get("status", {}).get("phase") in ("Succeeded", "Failed"),
            killed=any(state.get("terminated", {}).get("reason") == "OOMKilled" for state in states),
            restarts=sum(each["restartCount"] for each in containers),
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
    def begun(self) -> set[str]:
        """The pods that were not there at first."""
        return self.uids - set(self.states[0])

    @property
    def restarted(self) -> set[str]:
        """The pods of which a container was started anew while they were followed."""
        first = {uid: pod.restarts for state in reversed(self.states) for uid, pod in state.items()}
        return {uid for state in self.states for uid, pod in state.items() if pod.restarts > first[uid]}

    @property
    def most_leaving(self) -> int:
        return max(sum(pod.leaving and not pod.ended for pod in state.values()) for state in self.states)


@contextmanager
def pod_history(api: Api, name: str) -> Iterator[PodHistory]:
    """Follows the pods of an InferenceDeployment until the block ends."""
    history = PodHistory()

    def begin(found: list[Object]) -> None:
        history.states.append({pod["metadata"]["uid"]: Pod.of(pod) for pod in found})

    def see(event: Object) -> None:
        state = dict(history.states[-1])
        uid = event["object"]["metadata"]["uid"]
        if event["type"] == "DELETED":
            state.pop(uid, None)
        else:
            state[uid] = Pod.of(event["object"])
        history.states.append(state)

    with watching(api, POD, {"labelSelector": f"plimsoll.dev/name={name}"}, begin, see):
        yield history
