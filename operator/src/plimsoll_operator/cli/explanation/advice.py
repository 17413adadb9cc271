"""What to do next: where an object is stalled by the reason of that, else by the phase of its rollout."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from plimsoll_operator.cli.explanation.missing import harm, margin_of, never_with_more
from plimsoll_operator.cli.explanation.stalled import next_steps, stalled_by
from plimsoll_operator.cli.explanation.trial import BY_REQUEST, Json, Trial, rejected_now, served_before

_WAIT_FOR_VERDICT = (
    "nothing: it is promoted or rolled back by itself; {undecided} after {max_duration} without a decision"
)
_HURRY = "kubectl plimsoll promote {name} skips the rest; kubectl plimsoll abort {name} takes it back now"
_REJECTED = (
    "mend the change and apply it: another spec is another revision, and is tried at once",
    "or take it back in git: the spec of revision {stable} ends the rollout, and restarts nothing",
    "kubectl plimsoll retry {name} tries the very same once more, where the cause lay elsewhere",
)
_RESTART_REJECTED = (
    "kubectl plimsoll abort {name} leaves it at that: the spec is that of revision {stable}, which serves on as it is",
    "kubectl plimsoll retry {name} tries the very same once more, where the cause lay elsewhere",
    "a change of the spec takes what the restart would have: it is rendered anew too, and judged",
)
_ENDING = "nothing: the canary's pods end, what served before goes on"
_GOING_BACK = (
    "nothing while pods of revision {stable} get ready: they take over one by one, and what serves ends as they do",
    "should they not get ready, kubectl plimsoll retry {name} goes on with revision {asked_for} after all",
    "once they are, put the spec back in git too: that of revision {stable} restarts nothing",
)
_COMES_BACK = (
    "nothing: it served before, so it is not compared; it is stable with its first ready pod, and takes over",
    "one that never gets there is taken back at spec.rollout.progressDeadline",
)
_NOT_TO_WAIT = "kubectl plimsoll rollback {name} {canary} goes back to it now: it served before"
_NEXT_STEP = (
    "nothing: it goes on when the pods of step {step} are ready, and what was compared counts",
    "a pod that never gets there rolls the canary back at spec.rollout.progressDeadline",
)
UNDECIDED = {"Pause": "it waits for you", "Promote": "it is promoted", "Rollback": "it is rolled back"}
"""What becomes of a canary by `onInconclusive`."""
WITHOUT_DATA = {
    "Hold": "it is held, and has all of that time again once there is data",
    "Promote": "it is promoted",
    "Rollback": "it is rolled back",
}
"""The same by `onNoData`."""

HOLDS = ("Paused", "Frozen")
"""Reasons of a rollout that waits for somebody, which a `rollback` by name does not wait for."""
BY_REASON: Mapping[str, tuple[str, ...]] = {
    "NoMetrics": (
        "see that Prometheus runs and answers the operator: the chart's prometheus.url names it",
        "kubectl plimsoll promote {name} decides without metrics; kubectl plimsoll abort {name} takes it back",
    ),
    "NoTraffic": (
        "send requests: time without them counts; after {max_duration} without data {without_data}",
        _HURRY,
    ),
    "CanaryMissing": (
        "see that Prometheus scrapes the canary's pods: they serve metrics on port 9090",
        "where its series stay away it is rolled back at the deadline",
    ),
    "NoFreeGPU": (
        "free or add a GPU; it goes on by itself",
        "what else makes room is told above: not every pod that serves may be given up",
    ),
    "Untried": ("raise spec.scaling.minReplicas: the canary is tried once there are pods again",),
    "Frozen": (
        "wait for the thaw: the chart's freeze holds every rollout of this installation",
        "is what serves bad, kubectl plimsoll rollback {name} REVISION goes back to one that served before, at once",
    ),
}
FIRST_LOOK: Mapping[str, str] = {
    "OutOfMemory": "lower memoryUtilizationPercent or the tiers' concurrency, or raise the limit",
    "OOMKilled": "lower memoryUtilizationPercent or the tiers' concurrency, or raise the limit",
    "HigherLatency": "compare dtype, attention, concurrency and the model's size with those of revision {stable}",
    "MoreErrors": "read the canary's logs of these minutes: of its pods while one is left, else where logs are kept",
    "MoreRestarts": "read the canary's logs of these minutes: of its pods while one is left, else where logs are kept",
    "FailsToStart": "mend what the pods' last words name",
    "NotReadyInTime": "mend what its pods lack, or allow them longer by spec.rollout.progressDeadline",
    "CanaryMissing": "see that Prometheus scrapes pods of every revision: they serve metrics on port 9090",
    "NoData": "see that the operator gets metrics: the chart's prometheus.url names Prometheus",
    "Inconclusive": "give it more requests or a longer spec.rollout.canary.maxDuration",
    "Aborted": "ask who took it back: the request is in status.rollout.lastRequest",
    "RolledBackByRequest": "ask who took it back: the request is in status.rollout.lastRequest",
}
"""Where to look first, by what a revision was rejected for."""
BY_PHASE: Mapping[str, tuple[str, ...]] = {
    "Surging": (
        "nothing: the comparison begins when the first pod of the canary is ready",
        "one that never gets there is rolled back at spec.rollout.progressDeadline",
    ),
    "Progressing": ("nothing: the pods are replaced one after the other",),
    "WaitingForGPU": ("free or add a GPU; it goes on by itself",),
    "Analysing": (_WAIT_FOR_VERDICT, _HURRY),
    "Promoting": ("nothing: the canary grows to full size, and the pods of the old revision follow",),
    "RollingBack": (_ENDING,),
    "Paused": (
        "{resume}",
        "kubectl plimsoll abort {name} takes the canary back",
    ),
    "Inconclusive": (
        "decide: kubectl plimsoll promote {name}, or kubectl plimsoll abort {name}",
        "or let it be compared on: with a larger spec.rollout.canary.maxDuration it goes on, and may be decided then",
    ),
}
_UNDECIDED_FOR_GOOD = (
    "decide: kubectl plimsoll promote {name}, or kubectl plimsoll abort {name}",
    "neither more requests nor a larger spec.rollout.canary.maxDuration will promote it: see what is missing above",
)
_HARM = "callers of the canary meet this all the while: {harm}; kubectl plimsoll abort {name} ends that now"
_SERVING = ("Analysing", "Inconclusive", "Paused")
"""Phases in which a canary has its share of the requests."""
_PROMOTED = ("nothing: revision {stable} serves; kubectl plimsoll rollback {name} returns to the one before",)
_UNCOMPARED = (
    "nothing: no rollout was compared yet; the next change of what runs is",
    "kubectl plimsoll status {name} tells how it stands",
)


def advice(found: Json, trial: Trial | None, rejected_for: str) -> Iterator[str]:
    """Lines of what to do, the likeliest first. `rejected_for` is the reason in one word, or empty."""
    status: Json = found.get("status", {})
    rollout: Json = status.get("rollout", {})
    canary: Json = found["spec"].get("rollout", {}).get("canary", {})
    metadata: Json = found["metadata"]
    name = f"{metadata['name']} -n {metadata.get('namespace', 'default')}"
    words = {
        "name": name,
        "stable": rollout.get("stable") or "STABLE",
        "canary": rollout.get("canary", ""),
        "asked_for": rejected_now(status).get("hash", ""),
        "step": rollout.get("step", 1),
        "max_duration": canary.get("maxDuration", "30m"),
        "undecided": UNDECIDED[canary.get("onInconclusive", "Pause")],
        "without_data": WITHOUT_DATA[canary.get("onNoData", "Hold")],
        "resume": _resume(found, name),
        "harm": harm(trial) if trial and rollout.get("phase") in _SERVING else "",
    }
    if words["harm"]:
        yield _HARM.format(**words)
    stalled = stalled_by(found)
    lines = next_steps(stalled["reason"], status) if stalled else _lines(status, trial, rejected_for, margin_of(found))
    yield from (line.format(**words) for line in lines)


def _resume(found: Json, name: str) -> str:
    """What is not asked for cannot be resumed: who paused by the spec goes on by it."""
    if found["spec"].get("rollout", {}).get("paused"):
        return "spec.rollout.paused: false, in the spec, lets it go on"
    return f"kubectl plimsoll resume {name} lets it go on"


def _lines(status: Json, trial: Trial | None, rejected_for: str, margin: float) -> tuple[str, ...]:
    rollout: Json = status.get("rollout", {})
    phase, reason = str(rollout.get("phase", "")), str(rollout.get("reason", ""))
    if served_before(status) and reason in HOLDS:
        return _NOT_TO_WAIT, (BY_REASON.get(reason) or BY_PHASE[phase])[0]
    if by_reason := BY_REASON.get(reason):
        return by_reason
    if phase == "Surging" and served_before(status):
        return _COMES_BACK
    if phase == "Surging" and trial and trial.requests:
        return _NEXT_STEP
    if phase == "Inconclusive" and trial and never_with_more(trial, margin):
        return _UNDECIDED_FOR_GOOD
    rejected = _RESTART_REJECTED if rollout.get("restart") else _REJECTED
    look = (FIRST_LOOK[rejected_for],) if rejected_for in FIRST_LOOK else ()
    if phase == "RolledBack":
        return look + rejected
    if phase == "RollingBack" and rejected_for == BY_REQUEST:
        return look + _GOING_BACK
    cause = rejected if phase == "RollingBack" and rejected_for else ()
    return look + (BY_PHASE.get(phase) or (_PROMOTED if trial else _UNCOMPARED)) + cause
