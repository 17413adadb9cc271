"""What does the object say of itself? The whole status, written only when it says something new."""

from __future__ import annotations

from typing import Any

from plimsoll_operator.conditions import Condition, render_conditions, timestamp
from plimsoll_operator.observed import Manifest, Revision
from plimsoll_operator.out_of_memory import render_out_of_memory
from plimsoll_operator.rollout.canary.stage import render_stage
from plimsoll_operator.rollout.measuring.bygone import render_bygone
from plimsoll_operator.rollout.placed import render_placed
from plimsoll_operator.steps.asked_for import is_a_restart, revision_asked_for
from plimsoll_operator.steps.decision_time import decided_at
from plimsoll_operator.steps.draft import Draft
from plimsoll_operator.steps.evidence import bygone_of, render_evidence
from plimsoll_operator.steps.request import last_request
from plimsoll_operator.steps.starts import render_starts


def render_status(draft: Draft, conditions: tuple[Condition, ...]) -> Manifest:
    owner = draft.observed.owner
    status: dict[str, Any] = {
        "observedGeneration": owner.generation,
        "replicas": draft.observed.replicas,
        "readyReplicas": draft.observed.ready,
        "conditions": render_conditions(conditions, owner.status.get("conditions", ()), owner.generation, draft.now),
        "rollout": _rollout(draft),
        "revisions": [_revision(draft, revision) for revision in sorted(draft.revisions, key=lambda r: -r.number)],
        "loadLine": _load_line(draft),
        "starts": render_starts(draft),
        "served": render_bygone(bygone_of(draft)),
        "outOfMemory": render_out_of_memory(draft.observed, draft.now),
    }
    return {field: value for field, value in status.items() if value not in ([], {})}


def _rollout(draft: Draft) -> dict[str, Any]:
    request = last_request(draft)
    if draft.target is None or draft.move is None:
        return {**render_evidence(draft, {}), **request}
    stable = draft.stable
    rollout: dict[str, Any] = {
        "phase": draft.move.phase,
        "stable": stable.hash if stable else "",
        "canary": draft.canary,
        "reason": draft.move.reason,
        "message": draft.move.message,
    }
    if is_a_restart(draft, revision_asked_for(draft)):
        rollout["restart"] = True
    if draft.rolling and not draft.waiting:
        rollout["wantedReplicas"] = draft.wanted
    if draft.rolling and draft.placed:
        rollout |= render_placed(draft.placed)
    if draft.rollout_progressed:
        rollout |= {"progressedAt": timestamp(draft.rollout_progressed), "mostReady": draft.most_ready}
    moments = {
        "startedAt": draft.rollout_started,
        "lookedAt": draft.looked_at,
        "finishedAt": draft.rollout_finished,
        "decidedAt": decided_at(draft, draft.move),
    }
    rollout |= {name: timestamp(moment) for name, moment in moments.items() if moment}
    if draft.move.stage:
        rollout |= render_stage(draft.move.stage)
    return {**rollout, **render_evidence(draft, rollout), **request}


def _revision(draft: Draft, revision: Revision) -> dict[str, Any]:
    workload = draft.observed.workload(revision.hash)
    rejected = revision.rejected
    return {
        "hash": revision.hash,
        "name": revision.name,
        "number": revision.number,
        "askedFor": revision.hash == draft.asked_for,
        "stable": revision.stable,
        "promoted": revision.promoted or revision.stable,
        **({"rejected": {"reason": rejected.reason, "message": rejected.message}} if rejected else {}),
        "replicas": workload.replicas if workload else 0,
        "readyReplicas": workload.ready if workload else 0,
        "createdAt": revision.created_at or timestamp(draft.now),
    }


def _load_line(draft: Draft) -> list[dict[str, Any]]:
    line = draft.load_line
    if line is None:
        return []
    return [
        {
            "tier": tier.tier,
            "maxTokens": tier.max_tokens,
            "requestedConcurrency": tier.requested,
            "safeConcurrency": tier.safe,
            "bytesPerToken": line.bytes_per_token,
            "weightsBytes": line.weights_bytes,
            "budgetBytes": line.budget_bytes,
        }
        for tier in line.tiers
    ]
