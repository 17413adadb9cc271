"""What does the evidence say of the canary? Weighs what was measured since status was written last."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from plimsoll_operator.observed import Manifest, Revision
from plimsoll_operator.rollout.evidence import AnalysisSettings
from plimsoll_operator.rollout.measuring.analysis import Analysis, Pair, carried_on
from plimsoll_operator.rollout.measuring.analysis_status import read_analysis, render_analysis
from plimsoll_operator.rollout.measuring.bygone import Bygone, followed, read_bygone
from plimsoll_operator.rollout.measuring.history import with_point
from plimsoll_operator.rollout.measuring.inquiry import next_moment
from plimsoll_operator.rollout.measuring.segments import Served, matched
from plimsoll_operator.spec import InvalidSpecError, Spec, parse_spec
from plimsoll_operator.steps.draft import Draft
from plimsoll_operator.steps.looks import unlooked


def weigh_the_evidence(draft: Draft) -> Draft:
    """Set analysis, evidence, data and verdict, while an unproven canary has a Deployment beside the stable one."""
    target, stable = draft.target, draft.stable
    if target is None or stable is None or not _is_unproven(target):
        return draft
    canary = draft.observed.workload(target.hash)
    if canary is None or draft.spec.rollout.strategy != "Canary":
        return draft
    matching = matched(_served(target), _served(stable))
    pair = Pair(canary, draft.observed.workload(stable.hash), _objectives(draft.spec), matching, bygone_of(draft))
    settings = analysis_settings(draft.spec)
    stored = read_analysis(draft.observed.owner.status) if _goes_on(draft, target) else None
    if stored is None or (stored.evidence.canary, stored.stable) != (target.hash, stable.hash):
        stored = Analysis.fresh(target.hash, stable.hash, pair, draft.now)
    stored = stored.without(unlooked(draft), draft.now)
    analysis = carried_on(stored, draft.observed.measurements, pair, settings, draft.now)
    analysis = analysis.clocked(draft.now, paused=draft.paused is not None)
    unseen = draft.spec.rollout.canary.on_no_data == "Promote"
    return replace(
        draft,
        analysis=analysis,
        evidence=analysis.evidence,
        data=analysis.availability.data,
        blind=analysis.blind(draft.now),
        ended=analysis.ended(pair, draft.now),
        verdict=analysis.verdict(pair, settings, draft.now, unseen=unseen),
    )


def bygone_of(draft: Draft) -> Bygone:
    """What pods of the stable revision did that are gone."""
    serving = draft.observed.workload(draft.stable.hash) if draft.stable else None
    return followed(read_bygone(draft.observed.owner.status), serving, draft.now)


def _goes_on(draft: Draft, target: Revision) -> bool:
    """Whether status tells of this very trial: one that is tried again is not judged by what it was taken back for."""
    told = draft.observed.owner.status.get("rollout", {})
    same = told.get("canary") == target.hash and told.get("phase") != "RollingBack"
    began, since = told.get("startedAt"), told.get("evidence", {}).get("since")
    return bool(same and began and since and datetime.fromisoformat(since) >= datetime.fromisoformat(began))


def analysis_settings(spec: Spec) -> AnalysisSettings:
    """`spec.rollout.analysis` in fractions."""
    analysis = spec.rollout.analysis
    return AnalysisSettings(
        false_rollback=analysis.false_rollback_percent / 100,
        tolerance=analysis.tolerance_percent / 100,
        margin=analysis.margin_percent / 100,
        oom_kills=analysis.oom_kills,
        interval=analysis.interval,
        tiers=len(spec.tiers),
    )


def _objectives(spec: Spec) -> dict[str, timedelta]:
    return {tier.name: tier.latency_objective for tier in spec.tiers if tier.latency_objective is not None}


def _served(revision: Revision) -> Served | None:
    """By its own input, which may be of another operator, and then not to be read."""
    try:
        spec = parse_spec(revision.input)
    except InvalidSpecError:
        return None
    longest = {tier.name: tier.max_tokens for tier in spec.tiers}
    return Served(longest, answers_longer=spec.long_input.policy in ("Auto", "Chunk", "Truncate"))


def until_the_next_look(draft: Draft) -> timedelta | None:
    """Until Prometheus knows a new moment, or what ended a pod is taken in; None while there is nothing to look for."""
    if draft.analysis is None or draft.target is None:
        return None
    running = draft.observed.workload(draft.target.hash)
    if not draft.analysis.evidence.requests and not (running and running.ready):
        return None
    until, interval = draft.analysis.evidence.until, draft.spec.rollout.analysis.interval
    return next_moment(until, interval, draft.now - draft.analysis.ahead, draft.policy.prometheus_delay)


def render_evidence(draft: Draft, rollout: Manifest) -> dict[str, Any]:
    """For `status.rollout`: what was found, and how it came to that. Both stay until the next canary begins."""
    stored = draft.observed.owner.status.get("rollout", {})
    kept = {name: stored[name] for name in ("evidence", "history") if name in stored}
    analysis, verdict = draft.analysis, draft.verdict
    if analysis is None or verdict is None:
        return kept
    evidence = {**render_analysis(analysis, verdict), **_promotion(draft)}
    before = kept.get("evidence", {})
    same = all(before.get(name) == evidence[name] for name in ("canary", "stable", "since"))
    points = kept.get("history", []) if same else []
    if analysis.evidence.until != analysis.evidence.since:
        points = with_point(points, _point(evidence, rollout), draft.spec.rollout.analysis.interval)
    return {"evidence": evidence, "history": points} if points else {"evidence": evidence}


def _promotion(draft: Draft) -> dict[str, str]:
    """Why the canary was promoted: the phase's own message is another a moment later."""
    return {"promotedBecause": draft.move.message} if draft.move and draft.move.promote else {}


def _point(evidence: Manifest, rollout: Manifest) -> dict[str, Any]:
    where = {name: rollout[name] for name in ("step", "weightPercent") if name in rollout}
    told = {figures["name"]: figures["evidence"] for figures in evidence.get("signals", ())}
    return {"at": evidence["until"], **where, "requests": evidence["requests"], "evidence": told}


def _is_unproven(target: Revision) -> bool:
    return not (target.stable or target.promoted or target.rejected)
