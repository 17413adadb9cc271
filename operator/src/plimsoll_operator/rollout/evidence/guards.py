"""Plain rules on what Kubernetes itself counts: they hold without Prometheus and need no long look."""

from __future__ import annotations

from dataclasses import dataclass

from plimsoll_operator.rollout.evidence.settings import AnalysisSettings

HISTORY = 10
"""How many times the canary's pod-minutes the stable revision must have run without a kill, its past included."""

FAILED_STARTS = 2


@dataclass(frozen=True)
class Pods:
    """Counts from the Kubernetes API: of the canary since it began, of the stable revision since it can be known."""

    canary_kills: int = 0
    stable_kills: int = 0
    canary_minutes: float = 0
    stable_minutes: float = 0
    canary_failed_starts: int = 0
    stable_failed_starts: int = 0


def killed_too_often(pods: Pods, settings: AnalysisSettings) -> bool:
    """`oomKills` of the canary while stable had none over ten times as many pod-minutes.

    Were both as likely to be killed, all of three kills would be the canary's with a chance of (1/11)^3 = 0.08 %.
    """
    never_on_stable = pods.stable_kills == 0 and pods.stable_minutes >= HISTORY * pods.canary_minutes
    return pods.canary_kills >= settings.oom_kills and never_on_stable


def fails_to_start(pods: Pods) -> bool:
    """Two failed starts against a stable revision with none: a crash loop is not waited for."""
    return pods.canary_failed_starts >= FAILED_STARTS and pods.stable_failed_starts == 0
