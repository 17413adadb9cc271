"""Does the rollout get on? When it did last, and how long it may stand still, as with a Deployment's deadline."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from plimsoll_operator.conditions import moment_of
from plimsoll_operator.desired.pod import start_budget
from plimsoll_operator.observed import Manifest, Revision
from plimsoll_operator.steps.draft import Draft
from plimsoll_operator.steps.looks import unlooked

AROUND_A_START = timedelta(minutes=5)
"""For what comes before and after the time that the startup probe allows: a node, the image, the warm-up."""

UNTIMED = ("Analysing", "Paused", "Inconclusive", "RolledBack")
"""Phases in which no pod is waited for."""

DECIDED = ("Promoting", "RollingBack")
"""Phases in which the pods follow a decision."""


def follow_the_progress(draft: Draft) -> Draft:
    """When this rollout began and ended and got on last, kept in status. One that is held begins when it goes on."""
    stored = draft.observed.owner.status.get("rollout", {})
    if draft.waiting or (draft.held and not draft.on_trial) or draft.target is None:
        return replace(draft, rollout_finished=moment_of(stored.get("finishedAt")))
    if draft.rolling:
        return _under_way(draft, draft.target, stored)
    ended = draft.now if stored.get("startedAt") else moment_of(stored.get("finishedAt"))
    return replace(draft, rollout_finished=ended)


def deadline(draft: Draft) -> timedelta:
    """How long the rollout may stand still. Unless the spec states it, no start that its probe allows is too long."""
    stated = draft.spec.rollout.progress_deadline
    if draft.spec.rollout.deadline_is_stated or draft.target is None:
        return stated
    return max(stated, start_budget(draft.target.template) + AROUND_A_START)


def remaining_deadline(draft: Draft) -> timedelta | None:
    """Time left for the rollout under way, or None when none moves. Not positive: it is over."""
    if draft.rollout_progressed is None or draft.move is None or draft.move.phase in UNTIMED:
        return None
    return deadline(draft) - (draft.now - draft.rollout_progressed)


def is_waited_for(draft: Draft) -> bool:
    """Whether the deadline of a canary runs, or that of what was decided of it."""
    left = remaining_deadline(draft)
    judged = draft.on_trial or (draft.move is not None and draft.move.phase in DECIDED)
    return judged and left is not None and left > timedelta(0)


def _under_way(draft: Draft, target: Revision, stored: Manifest) -> Draft:
    running = draft.observed.workload(target.hash)
    ready = running.ready if running else 0
    started = moment_of(stored.get("startedAt"))
    again = stored.get("phase") == "RollingBack" and draft.on_trial
    if started is None or not _is_the_same(draft, stored) or again:
        # Without its status, a rollout that had begun is as old as what it has made.
        began, progressed = _seen_in_the_cluster(draft, target) if not stored.get("phase") else (draft.now, draft.now)
        return replace(draft, rollout_started=began, rollout_progressed=progressed, most_ready=ready)
    most = stored.get("mostReady", 0)
    # Only what was never reached counts: a pod that comes and goes is no progress.
    gets_on = ready > most or _has_moved(draft, target) or _enters_a_phase(draft, stored)
    before = min(draft.now, (moment_of(stored.get("progressedAt")) or started) + unlooked(draft))
    progressed = draft.now if gets_on else before
    placed = _placed(draft, target, progressed)
    return replace(draft, rollout_started=started, rollout_progressed=placed, most_ready=max(most, ready))


def _is_the_same(draft: Draft, stored: Manifest) -> bool:
    """Whether status tells of this rollout: the way back goes on once the canary is gone, whose it was at first."""
    if stored.get("canary") == draft.canary:
        return True
    goes_back = draft.move is not None and stored.get("phase") == draft.move.phase == "RollingBack"
    return goes_back and draft.stable is not None and stored.get("stable") == draft.stable.hash


def _enters_a_phase(draft: Draft, stored: Manifest) -> bool:
    """Time of an analysis or a pause is none in which pods were waited for, and a decision sets them another goal."""
    if draft.move is None or draft.move.phase == (before := stored.get("phase")):
        return False
    return draft.move.phase in DECIDED or (before in UNTIMED and draft.move.phase not in UNTIMED)


def _placed(draft: Draft, target: Revision, progressed: datetime) -> datetime:
    """A canary's time begins anew with its pod's node: to wait for a GPU is no fault of the revision."""
    running = draft.observed.workload(target.hash)
    if not draft.on_trial or running is None:
        return progressed
    placed = [pod.milestones.scheduled for pod in running.pods if pod.milestones and pod.milestones.scheduled]
    # It is taken back once it was seen unready for so long, and does not stand still before.
    stage = draft.move.stage if draft.move else None
    seen = [stage.unready_since] if stage and stage.unready_since else []
    # A moment to come is of a clock that is ahead of ours, and what was seen counts alone.
    return max([progressed, *(moment for moment in placed if moment <= draft.now), *seen])


def _has_moved(draft: Draft, target: Revision) -> bool:
    """Whether the target has more replicas, or an older revision fewer, than when status was written last."""
    before = {entry["hash"]: entry["replicas"] for entry in draft.observed.owner.status.get("revisions", ())}
    for workload in draft.observed.workloads.values():
        known = before.get(workload.revision, workload.replicas)
        if (workload.replicas > known) if workload.revision == target.hash else (workload.replicas < known):
            return True
    return False


def _seen_in_the_cluster(draft: Draft, target: Revision) -> tuple[datetime, datetime]:
    """When the target's Deployment was made, and when a pod of it became ready last; now, where neither is there."""
    began = min(_made(draft, target), default=draft.now)
    running = draft.observed.workload(target.hash)
    pods = running.pods if running else ()
    ready = [pod.milestones.ready_changed for pod in pods if pod.ready and pod.milestones]
    return began, max([began, *(min(moment, draft.now) for moment in ready if moment is not None)])


def _made(draft: Draft, target: Revision) -> Iterator[datetime]:
    for key, live in draft.observed.children.items():
        created = moment_of(live["metadata"].get("creationTimestamp"))
        if key.kind == "Deployment" and key.name == target.name and created is not None:
            yield min(created, draft.now)
