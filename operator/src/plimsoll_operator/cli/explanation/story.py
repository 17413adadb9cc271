"""A rollout in words: what was compared, what came of it and why, what is still missing, and what to do next."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from plimsoll_operator.cli.explanation.advice import advice
from plimsoll_operator.cli.explanation.missing import margin_of, still_missing
from plimsoll_operator.cli.explanation.stalled import stalled_by
from plimsoll_operator.cli.explanation.trial import (
    Json,
    Trial,
    entry_of,
    rejected_now,
    served_before,
    trial_of_this_rollout,
)
from plimsoll_operator.cli.explanation.wording import moment, number, span
from plimsoll_operator.diagnosis import diagnose
from plimsoll_operator.observed import Pod, Workload

VERDICTS = {
    "Idle": "at rest",
    "Progressing": "rolling out",
    "WaitingForGPU": "waits for a GPU",
    "Surging": "the canary starts",
    "Analysing": "under analysis",
    "Promoting": "being promoted",
    "RollingBack": "being rolled back",
    "RolledBack": "rolled back",
    "Paused": "paused",
    "Inconclusive": "undecided",
}
COMES_BACK = "comes back"
"""Of a revision that served before, which is not judged again."""
STALLED = "stalled"
_UNDECIDED = "promoted though the evidence was undecided: kubectl get events says why"
"""Of an operator that did not keep its reason."""
_TAKEN_BACK = ("RollingBack", "RolledBack")
_OVER = ("Promoting", "RollingBack", "RolledBack", "Idle")


@dataclass(frozen=True)
class Story:
    """All that is told. `compared`, `missing`, `pods` and `next` are lines of text."""

    name: str
    phase: str
    verdict: str
    summary: str
    compared: tuple[tuple[str, str], ...]
    decision: str
    decided_at: datetime | None
    missing: tuple[str, ...]
    pods: tuple[str, ...]
    next: tuple[str, ...]
    trial: Trial | None


def tell(found: Json, pods: Sequence[Pod]) -> Story:
    """The story of the rollout that an object as read tells, with what its pods lack."""
    status: Json = found.get("status", {})
    rollout: Json = status.get("rollout", {})
    phase = str(rollout.get("phase", ""))
    trial = trial_of_this_rollout(status)
    rejection = _rejection(status, trial)
    decision, at = _decision(rollout, trial, rejection)
    stalled = stalled_by(found)
    return Story(
        name=f"{found['metadata'].get('namespace', 'default')}/{found['metadata']['name']}",
        phase=phase,
        verdict=f"{STALLED}: {stalled['reason']}" if stalled else _verdict(phase, status, trial),
        summary=str((stalled or rollout).get("message", "")),
        compared=tuple(_compared(rollout, trial)) if trial else (),
        decision=decision,
        decided_at=at,
        missing=tuple(still_missing(trial, rollout, margin_of(found))) if trial and phase not in _OVER else (),
        pods=tuple(_lacks(pods, trial.canary if trial else rollout.get("canary", ""))),
        next=tuple(advice(found, trial, rejection.get("reason", "") if phase in _TAKEN_BACK else "")),
        trial=trial,
    )


def _verdict(phase: str, status: Json, trial: Trial | None) -> str:
    if phase == "Idle" and trial and trial.canary == status["rollout"].get("stable"):
        return "promoted"
    if phase == "Surging" and served_before(status):
        return COMES_BACK
    return VERDICTS.get(phase, phase or "nothing rolled out yet")


def _compared(rollout: Json, trial: Trial) -> Iterator[tuple[str, str]]:
    yield "canary", trial.canary
    yield "with", f"{trial.stable}, over the same minutes, for each tier apart"
    yield "since", f"{moment(trial.since)}, for {span(trial.until - trial.since)}"
    if trial.requests:
        yield "requests", f"{number(trial.requests)} of the canary"
    if (steps := rollout.get("steps")) and rollout.get("phase") not in _OVER:
        yield "step", f"{rollout.get('step', 1)} of {steps}, {rollout.get('weightPercent', 0)} % of the requests"
    elif trial.points:
        yield "step", f"{trial.points[-1].step} at the end, {trial.points[-1].weight} % of the requests"


def _decision(rollout: Json, trial: Trial | None, rejection: Json) -> tuple[str, datetime | None]:
    """What was decided and why, and when; nothing while it is open.

    Of an operator that did not keep the moment it is that of the last measurement, where that decided. What the
    Kubernetes API alone tells, such as a crash loop, is in none.
    """
    measured = trial.until if trial and trial.by_evidence and trial.until > trial.since else None
    at = (trial.decided_at if trial else None) or measured
    if rejection:
        return f"{rejection['reason']}: {rejection['message']}", at
    if trial and trial.by_evidence:
        return f"{trial.reason}: {trial.message}", at
    if rollout.get("phase") in _TAKEN_BACK:
        return f"{rollout.get('reason')}: {rollout.get('message')}", None
    if trial is None or trial.outcome != "Promote":
        return "", None
    asked: Json = rollout.get("lastRequest", {})
    by_request = asked.get("verb") == "promote" and asked.get("revision") == trial.canary
    return (
        f"promoted by request {asked['id']}" if by_request else trial.promoted_because or _UNDECIDED,
        trial.decided_at,
    )


def _rejection(status: Json, trial: Trial | None) -> Json:
    """Why the canary was rejected, as the history keeps it: the one compared last, else the one that is asked for."""
    revision = entry_of(status, trial.canary) if trial else rejected_now(status)
    if trial is not None and trial.outcome != "Rollback":
        return {}
    rejected: Json = revision.get("rejected", {})
    return rejected


def _lacks(pods: Sequence[Pod], canary: str) -> Iterator[str]:
    """What the canary's pods lack, in the operator's own words."""
    own = tuple(pod for pod in pods if pod.revision == canary)
    if found := diagnose(Workload(canary, canary, len(own), own)):
        yield f"{found.reason}: {found.message}"
