"""What must still be seen before a canary is promoted."""

from __future__ import annotations

from collections.abc import Iterator

from plimsoll_operator.cli.explanation.trial import Json, Signal, Trial
from plimsoll_operator.cli.explanation.wording import (
    PER_MINUTE,
    REQUESTS,
    bound,
    bound_naming,
    called,
    naming,
    number,
    seen,
)
from plimsoll_operator.rollout.evidence.settings import MIN_REQUESTS
from plimsoll_operator.rollout.evidence.upper_bound import upper_bound

NO_DATA = {
    "NoTraffic": "requests: there is nothing to compare",
    "NoMetrics": "metrics: Prometheus gives no answer; kills, crashes and restarts are judged meanwhile",
    "CanaryMissing": "the canary's series: it has pods that are ready, and Prometheus has no series of them",
}
NEEDED = ("oom", "errors", "latency")
"""Signals without which nothing is promoted."""
MARGIN_PERCENT = 1
"""The API's default of `spec.rollout.analysis.marginPercent`."""
TOO_MANY = 10_000_000
"""Exposures beyond which nobody waits."""


def margin_of(found: Json) -> float:
    """What an object's spec lets a promotion leave open, as a rate."""
    return int(found["spec"].get("rollout", {}).get("analysis", {}).get("marginPercent", MARGIN_PERCENT)) / 100


def still_missing(trial: Trial, rollout: Json, margin: float) -> Iterator[str]:
    """One line for each thing that stands between the canary and its promotion. `margin` shapes the bound."""
    if words := NO_DATA.get(trial.data):
        yield f"{words} ({trial.data_message})" if trial.data_message else words
    if trial.requests < MIN_REQUESTS:
        yield f"{number(trial.requests)} of at least {MIN_REQUESTS} requests of the canary"
    known = {signal.name for signal in trial.signals}
    yield from (f"{naming(name).called}: not measured yet" for name in NEEDED if name not in known)
    yield from (_line(signal, margin, trial.requests) for signal in trial.signals if not signal.passes)
    yield from _held_by_a_guard(trial)
    yield from _steps_to_come(rollout)


def _held_by_a_guard(trial: Trial) -> Iterator[str]:
    """What no bound tells: the signal that a promotion waits for is within its own, its pods' whole lives are not."""
    waits_for = next((signal for signal in trial.signals if signal.name == trial.signal), None)
    if waits_for and waits_for.passes and trial.decision == "Undecided" and trial.data not in NO_DATA:
        yield trial.message


def exposures_needed(signal: Signal, margin: float) -> int | None:
    """Of the canary, until the bound is below what is allowed, should the rates stay as they are; None: never."""
    bad = signal.bound_rate
    if bad is None or signal.allowed is None or bad >= signal.allowed:
        return None
    too_few, enough = 0, 1
    while upper_bound(enough, bad * enough, margin) >= signal.allowed:
        too_few, enough = enough, 2 * enough
        if enough > TOO_MANY:
            return None
    while enough - too_few > 1:
        middle = (too_few + enough) // 2
        fits = upper_bound(middle, bad * middle, margin) < signal.allowed
        too_few, enough = (too_few, middle) if fits else (middle, enough)
    return enough


def never_with_more(trial: Trial, margin: float) -> bool:
    """Whether more of the same requests, however many, would not promote it."""
    return any(
        exposures_needed(signal, margin) is None
        for signal in trial.signals
        if not signal.passes and not _is_uncompared(signal) and bound_naming(signal).per != PER_MINUTE
    )


def harm(trial: Trial) -> str:
    """What callers of the canary meet that a promotion would not allow; empty where little or nothing was seen."""
    if trial.requests < MIN_REQUESTS:
        return ""
    beyond = (
        f"{called(signal)} {seen(signal, signal.canary_rate, signal.canary_bad, signal.canary_exposures, unit=True)}, "
        f"stable {seen(signal, signal.stable_rate, signal.stable_bad, signal.stable_exposures)}"
        for signal in trial.signals
        if signal.name in NEEDED and signal.part == signal.bound_part and _is_beyond(signal)
    )
    return "; ".join(beyond)


def _is_beyond(signal: Signal) -> bool:
    rate, allowed = signal.bound_rate, signal.allowed
    return rate is not None and allowed is not None and not signal.bounds_nothing and rate >= allowed


def _is_uncompared(signal: Signal) -> bool:
    """Whether there is no bound of it, and not since it never happened: of latencies, without any of the same tier."""
    return signal.name == "latency" and signal.bounds_nothing and not signal.passes


def _uncompared(signal: Signal) -> str:
    if not signal.canary_exposures:
        return "of the canary's answers none was measured: those that fail have no latency"
    if not signal.stable_exposures:
        return "of the stable revision's answers none was measured meanwhile"
    return "too few of the canary's answers are of tiers that the stable revision answered meanwhile"


def _line(signal: Signal, margin: float, requests: int) -> str:
    """By the counts that the bound is of: of what tells most there may be more, or fewer."""
    if _is_uncompared(signal):
        return f"{naming(signal.name).called}: cannot be compared, for {_uncompared(signal)}"
    named, said = bound_naming(signal), called(signal, signal.bound_part)
    if signal.upper_bound is None or signal.allowed is None:
        return f"{said}: not measured yet"
    if named.per == PER_MINUTE:
        return f"{said}: {bound(signal, signal.upper_bound)} must fall below {bound(signal, signal.allowed)}"
    below = f"its bound {bound(signal, signal.upper_bound)} must fall below {bound(signal, signal.allowed)}"
    needed = exposures_needed(signal, margin)
    if needed is None:
        return f"{said}: {below}, and more of the same will not bring it there"
    # A bound counts what fails together as one: how far it is, is told in requests as people count them.
    so_far = requests if named.exposures == REQUESTS and requests else signal.bound_exposures
    enough = max(needed / signal.bound_exposures * so_far, so_far + 1)
    return f"{said}: {number(so_far)} of about {_rounded(enough)} {named.exposures}; {below}"


def _rounded(count: float) -> str:
    """An estimate pretends to no more than two digits."""
    return f"{float(f'{count:.2g}'):,.0f}"


def _steps_to_come(rollout: Json) -> Iterator[str]:
    step, steps = int(rollout.get("step", 0)), int(rollout.get("steps", 0))
    if step and step < steps:
        yield f"steps {step + 1} to {steps}" if step + 1 < steps else f"step {steps}, the last one"
