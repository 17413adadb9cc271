"""The one line that an SRE reads at 3 a.m."""

from __future__ import annotations

from plimsoll_operator.rollout.evidence.counts import ABANDONED, REFUSED
from plimsoll_operator.rollout.evidence.judged import JUDGED
from plimsoll_operator.rollout.evidence.pods import Compared, Pods
from plimsoll_operator.rollout.evidence.verdict import SignalFigures

_CALLERS = {ABANDONED.part: "given up by their callers", REFUSED.part: "refused as invalid"}
WORTH_TELLING = 0.05
_ENDED = {"oom": "killed for memory", "restarts": "restarted"}


def against(figures: SignalFigures) -> str:
    """Why the canary is taken back."""
    return f"{compared(figures)}: evidence {count(figures.evidence)}, rolled back from {count(figures.threshold)} on"


def compared(figures: SignalFigures) -> str:
    """What was seen of both sides."""
    canary, stable = count(figures.canary_exposures), count(figures.stable_exposures)
    if _by_time(figures.name, figures.part):
        return (
            f"{_ENDED[figures.name]} {count(figures.canary_bad)} times in {canary} canary pod-minutes "
            f"against {count(figures.stable_bad)} times in {stable} on stable"
        )
    subject = _subject(figures.name, figures.part)
    subject = subject if subject == "errors" else f"{subject}:"
    of_tier = f"tier {figures.tier}: " if figures.tier else ""
    return (
        f"{of_tier}{subject} {percent(figures.canary_rate)} of {canary} canary {JUDGED[figures.name].unit} "
        f"against {percent(figures.stable_rate)} of {stable} on stable"
    )


def waiting(figures: SignalFigures, requests: float) -> str:
    """What a promotion waits for."""
    so_far = f"{count(requests)} canary requests so far"
    if _by_time(figures.name, figures.bound_part):
        if 2 * figures.stable_rate < figures.allowed:
            return f"restarted once, which is let pass if it was alone in ten of the canary's pod-minutes; {so_far}"
        return f"{_ENDED[figures.name]} more than twice as often per minute as on stable; {so_far}"
    if figures.allowed >= 1:
        return f"{figures.name} cannot be compared yet; {so_far}"
    seen = figures.bound_bad / figures.bound_exposures if figures.bound_exposures else 0.0
    if seen >= figures.allowed:
        found = f"{percent(seen)} of the canary's requests"
    else:
        found = f"up to {percent(figures.upper_bound)} of the canary's requests cannot be ruled out yet"
    subject, allowed = _subject(figures.name, figures.bound_part), percent(figures.allowed)
    return f"{subject}: {found}, must be below {allowed}; {so_far}{_unmatched(figures)}"


def suspected(figures: SignalFigures) -> str:
    """Why nothing is promoted, whatever all tiers together look like."""
    return f"{compared(figures)}: not promoted while that is more than chance"


def bounded(figures: SignalFigures) -> str:
    """What was reached of one signal, in a clause: by name, or by its part where the figures are not of the whole."""
    if not figures.bound_exposures:
        return f"{figures.name} not bounded, for there was nothing to compare"
    is_of_parts = figures.name in ("errors", "latency") and figures.allowed < 1
    subject = _subject(figures.name, figures.bound_part) if is_of_parts else figures.name
    most, allowed = percent(figures.upper_bound), percent(figures.allowed)
    return f"{subject} at most {most} (allowed {allowed}{_unmatched(figures)})"


def _unmatched(figures: SignalFigures) -> str:
    """Said where it is more than chance: a tier that only the canary serves."""
    if figures.unmatched < WORTH_TELLING:
        return ""
    return f"; {percent(figures.unmatched)} of its answers are to texts of lengths that stable did not answer meanwhile"


def kills(pods: Pods) -> str:
    return f"killed for memory {_exposed(pods.kills, 'pod-minutes')}"


def shortages(pods: Pods) -> str:
    return f"out of memory {_exposed(pods.shortages, 'batches')}"


def _exposed(seen: Compared, unit: str) -> str:
    """Of stable's past, as much as is like the canary's time."""
    times = "once" if seen.canary == 1 else f"{seen.canary} times"
    return (
        f"{times} in {count(seen.canary_exposed)} canary {unit} against "
        f"{seen.stable or 'none'} in {count(seen.stable_exposed)} on stable"
    )


def ends(pods: Pods) -> str:
    return f"ended while it served: {_exposed(pods.ends, 'pod-minutes')}"


def failed_starts(pods: Pods) -> str:
    failed, started = pods.stable_failed_starts, pods.stable_started
    stable = f"in {failed} of {failed + started} starts" if failed else "never"
    return f"the canary failed to start {pods.canary_failed_starts} times, the stable revision {stable}"


def percent(rate: float) -> str:
    """Two figures are enough: 4.1 %, 0.12 %, 38 %."""
    value = 100 * rate
    if value == 0:
        return "0 %"
    digits = 0 if value >= 10 else 1 if value >= 1 else 2
    return f"{value:.{digits}f} %" if value >= 0.01 else "under 0.01 %"


def count(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:.1f}"


def _subject(signal: str, part: str) -> str:
    match signal:
        case "oom":
            return "out of memory"
        case "errors":
            return _CALLERS.get(part, signal)
        case "latency":
            return f"slower than {_seconds(part)}"
        case _:
            return signal


def _seconds(part: str) -> str:
    if not part[:1].isdigit():
        return "its objective"
    value = float(part)
    return f"{value * 1000:g} ms" if value < 1 else f"{value:g} s"


def _by_time(signal: str, part: str) -> bool:
    return signal == "restarts" or part == "kills"
