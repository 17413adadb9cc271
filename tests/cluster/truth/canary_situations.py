"""Canaries beside a revision that serves: how each situation comes about, and what the object is to say of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from cluster.rollouts.objects import counting

TOLD = "told"
"""The name of each object, in a namespace of its own."""

CRASHES = {"family": "crashes", "uri": "hf://org/model:" + "1" * 40}


@dataclass(frozen=True)
class CanarySituation:
    """`change` is what is asked for after the first revision serves, `request` what a person asks for meanwhile.

    `state` is (Available, Ready, Reconciling, Stalled); `events` are those that the rollout leaves, in any order;
    `explained` is the verdict of `kubectl plimsoll explain`.
    """

    name: str
    reason: str
    words: tuple[str, ...]
    state: tuple[str, str, str, str]
    kstatus: str
    argo: str
    explained: str
    events: frozenset[str]
    change: dict[str, Any] = field(default_factory=lambda: {"model": {"uri": "hf://org/model:" + "1" * 40}})
    rollout: dict[str, Any] = field(default_factory=dict)
    requests_a_second: float = 0
    request: str = ""
    may_be_told: frozenset[str] = frozenset()
    """Events of what does not last: whether a look falls into it is chance."""

    @property
    def namespace(self) -> str:
        return f"truth-canary-{self.name}"

    @property
    def first(self) -> dict[str, Any]:
        return counting(TOLD, replicas=1, rollout=self.rollout)

    @property
    def second(self) -> dict[str, Any]:
        manifest = self.first
        spec = {**manifest["spec"]}
        for section, fields in self.change.items():
            spec[section] = {**spec[section], **fields}
        return {**manifest, "spec": spec}


UNDER_WAY = ("True", "False", "True", "False")
HELD = ("True", "False", "False", "False")
TAKEN_BACK = ("True", "False", "False", "True")
SERVING = ("True", "True", "False", "False")
BEGUN = frozenset({"Serving", "RolloutStarted"})
ENDED_BADLY = BEGUN | {"RolledBack"}

CANARY_SITUATIONS = (
    CanarySituation(
        "judged", "Analysing", ("step 1 of 1", "canary requests"),
        UNDER_WAY, "InProgress", "Progressing", "under analysis", BEGUN, requests_a_second=4,
    ),
    CanarySituation(
        "unasked", "NoTraffic", ("step 1 of 1",),
        UNDER_WAY, "InProgress", "Progressing", "under analysis", BEGUN,
    ),
    CanarySituation(
        "undecided", "Inconclusive", ("both revisions serve until then",),
        HELD, "InProgress", "Suspended", "undecided", BEGUN | {"Inconclusive"}, requests_a_second=2,
        rollout={"canary": {"steps": [50], "maxDuration": "10s"}},
    ),
    CanarySituation(
        "paused", "Paused", ("resume",),
        HELD, "InProgress", "Suspended", "paused", BEGUN | {"CanaryPaused"}, request="pause",
    ),
    CanarySituation(
        "aborted", "RolledBack", ("Aborted", "kubectl plimsoll retry"),
        TAKEN_BACK, "Failed", "Degraded", "rolled back", ENDED_BADLY, request="abort",
    ),
    CanarySituation(
        "hasty", "Serving", ("serves",),
        SERVING, "Current", "Healthy", "promoted", BEGUN | {"Promoted"}, request="promote",
    ),
    CanarySituation(
        "crashing", "RolledBack", ("FailsToStart", "no config.json", "kubectl plimsoll retry"),
        TAKEN_BACK, "Failed", "Degraded", "rolled back", ENDED_BADLY,
        {"model": CRASHES, "server": {"image": "test/light-server:1"}}, may_be_told=frozenset({"CrashLoop"}),
    ),
    CanarySituation(
        "imageless", "ImagePullFailed", ("spec.server.image",),
        UNDER_WAY, "InProgress", "Progressing", "the canary starts", BEGUN | {"ImagePullFailed"},
        {"server": {"image": "test/no-such-image:1"}},
    ),
    CanarySituation(
        "late", "RolledBack", ("NotReadyInTime", "cannot get its image"),
        TAKEN_BACK, "Failed", "Degraded", "rolled back", ENDED_BADLY,
        # The deadline comes with the change: the first revision may take longer to start beside all the others.
        {"server": {"image": "test/no-such-image:1"}, "rollout": {"progressDeadline": "5s"}},
        may_be_told=frozenset({"ImagePullFailed"}),
    ),
)  # fmt: skip
