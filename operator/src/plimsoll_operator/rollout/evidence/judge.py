"""From evidence to a verdict: first what speaks against the canary, then what is still unknown of it."""

from __future__ import annotations

from plimsoll_operator.rollout.evidence import wording
from plimsoll_operator.rollout.evidence.accumulated import Evidence
from plimsoll_operator.rollout.evidence.figures import signal_figures
from plimsoll_operator.rollout.evidence.guards import (
    ends_too_often,
    fails_to_start,
    killed_too_often,
    runs_out_more_often,
    runs_out_too_often,
)
from plimsoll_operator.rollout.evidence.judged import JUDGED, NEEDED
from plimsoll_operator.rollout.evidence.pods import Pods
from plimsoll_operator.rollout.evidence.settings import MIN_REQUESTS, AnalysisSettings
from plimsoll_operator.rollout.evidence.verdict import SignalFigures, Verdict

_UNKNOWN = Pods()


def judge(evidence: Evidence, settings: AnalysisSettings, pods: Pods = _UNKNOWN) -> Verdict:
    """What is to become of the canary now. May be asked after every interval: looking often costs nothing."""
    found = [signal_figures(name, evidence, settings) for name in JUDGED]
    signals = tuple(figures for figures in found if figures is not None)
    return (
        _guarded(evidence, settings, pods, signals)
        or _taken_back(evidence, signals)
        or _promoted(evidence, pods, signals)
        or _undecided(evidence, pods, signals)
    )


def _guarded(
    evidence: Evidence, settings: AnalysisSettings, pods: Pods, signals: tuple[SignalFigures, ...]
) -> Verdict | None:
    if fails_to_start(pods):
        words = wording.failed_starts(pods)
        return Verdict("Rollback", "restarts", "FailsToStart", words, evidence.requests, signals)
    if killed_too_often(pods, settings):
        return Verdict("Rollback", "oom", "OOMKilled", wording.kills(pods), evidence.requests, signals)
    if ends_too_often(pods, settings):
        return Verdict("Rollback", "restarts", "MoreRestarts", wording.ends(pods), evidence.requests, signals)
    if runs_out_too_often(pods, settings):
        return Verdict("Rollback", "oom", "OutOfMemory", wording.shortages(pods), evidence.requests, signals)
    return None


def _taken_back(evidence: Evidence, signals: tuple[SignalFigures, ...]) -> Verdict | None:
    for figures in signals:
        if figures.evidence >= figures.threshold:
            reason = JUDGED[figures.name].reason
            return Verdict("Rollback", figures.name, reason, wording.against(figures), evidence.requests, signals)
    return None


def _promoted(evidence: Evidence, pods: Pods, signals: tuple[SignalFigures, ...]) -> Verdict | None:
    measured = {figures.name for figures in signals}
    enough = evidence.requests >= MIN_REQUESTS and measured.issuperset(NEEDED)
    if not enough or runs_out_more_often(pods) or any(figures.suspicious for figures in signals):
        return None
    if not all(figures.within_bound for figures in signals):
        return None
    words = f"no worse than stable in {wording.count(evidence.requests)} canary requests: {_bounds(signals)}"
    return Verdict("Promote", "", "NoWorse", words, evidence.requests, signals)


def _bounds(signals: tuple[SignalFigures, ...]) -> str:
    """The bounds that were reached, one clause per signal."""
    return ", ".join(wording.bounded(figures) for figures in signals if figures.name in NEEDED)


def _undecided(evidence: Evidence, pods: Pods, signals: tuple[SignalFigures, ...]) -> Verdict:
    requests = evidence.requests
    if not requests:
        return Verdict("Undecided", "", "NoRequests", "no request of the canary was measured yet", 0.0, signals)
    if requests < MIN_REQUESTS:
        words = f"{wording.count(requests)} canary requests so far, at least {MIN_REQUESTS} are needed"
        return Verdict("Undecided", "", "GatheringEvidence", words, requests, signals)
    missing = [name for name in NEEDED if name not in {figures.name for figures in signals}]
    if missing:
        words = f"nothing was measured of {' and '.join(missing)}"
        return Verdict("Undecided", missing[0], "SignalMissing", words, requests, signals)
    if runs_out_more_often(pods):
        words = f"{wording.shortages(pods)}: not promoted while that is more than chance"
        return Verdict("Undecided", "oom", "GatheringEvidence", words, requests, signals)
    for figures in signals:
        if figures.suspicious:
            return Verdict(
                "Undecided", figures.name, "GatheringEvidence", wording.suspected(figures), requests, signals
            )
    furthest = max(signals, key=lambda figures: (not figures.within_bound, figures.upper_bound - figures.allowed))
    words = wording.waiting(furthest, requests)
    return Verdict("Undecided", furthest.name, "GatheringEvidence", words, requests, signals)
