"""The one line that an SRE reads at 3 a.m."""

from __future__ import annotations

from plimsoll_operator.rollout.evidence.guards import Pods
from plimsoll_operator.rollout.evidence.verdict import SignalFigures

_UNIT = {"oom": "batches", "errors": "requests", "latency": "requests", "restarts": "pod-minutes"}


def against(figures: SignalFigures) -> str:
    """Why the canary is taken back."""
    return f"{compared(figures)}: evidence {count(figures.evidence)}, needs {count(figures.threshold)}"


def compared(figures: SignalFigures) -> str:
    """What was seen of both sides."""
    if _by_time(figures):
        what = "killed for memory" if figures.name == "oom" else "restarted"
        return (
            f"{what} {count(figures.canary_bad)} times in {count(figures.canary_exposures)} canary pod-minutes against "
            f"{count(figures.stable_bad)} times in {count(figures.stable_exposures)} on stable"
        )
    return (
        f"{_subject(figures)} {percent(figures.canary_rate)} of {count(figures.canary_exposures)} canary "
        f"{_UNIT[figures.name]} against {percent(figures.stable_rate)} of {count(figures.stable_exposures)} on stable"
    )


def waiting(figures: SignalFigures, requests: float) -> str:
    """What a promotion waits for."""
    return (
        f"{figures.name} may still be up to {percent(figures.upper_bound)} on the canary, and must be below "
        f"{percent(figures.allowed)}: {count(requests)} canary requests so far"
    )


def kills(pods: Pods) -> str:
    return (
        f"killed for memory {pods.canary_kills} times in {count(pods.canary_minutes)} canary pod-minutes against none "
        f"in {count(pods.stable_minutes)} on stable"
    )


def failed_starts(pods: Pods) -> str:
    return f"the canary failed to start {pods.canary_failed_starts} times, the stable revision never"


def percent(rate: float) -> str:
    """Two figures are enough: 4.1 %, 0.12 %, 38 %."""
    value = 100 * rate
    if value == 0:
        return "0 %"
    digits = 0 if value >= 10 else 1 if value >= 1 else 2
    return f"{value:.{digits}f} %" if value >= 0.01 else "under 0.01 %"


def count(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:.1f}"


def _subject(figures: SignalFigures) -> str:
    if figures.name == "oom":
        return "out of memory in"
    if figures.name == "latency":
        return f"slower than {_seconds(figures.part)}:"
    return figures.name


def _seconds(part: str) -> str:
    if not part[:1].isdigit():
        return "its objective"
    value = float(part)
    return f"{value * 1000:g} ms" if value < 1 else f"{value:g} s"


def _by_time(figures: SignalFigures) -> bool:
    return figures.name == "restarts" or figures.part == "kills"
