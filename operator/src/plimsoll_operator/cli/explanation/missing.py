"""What must still be seen before a canary is promoted."""

from __future__ import annotations

from collections.abc import Iterator

from plimsoll_operator.cli.explanation.trial import Json, Signal, Trial
from plimsoll_operator.cli.explanation.wording import PER_MINUTE, naming, number, rate
from plimsoll_operator.rollout.evidence.settings import MIN_REQUESTS
from plimsoll_operator.rollout.evidence.upper_bound import upper_bound

NO_DATA = {
    "NoTraffic": "requests: the canary or the stable revision gets none, so nothing is counted and no time is lost",
    "NoMetrics": "metrics: Prometheus gives no answer; kills, crashes and restarts are judged meanwhile",
    "CanaryMissing": "the canary's series: it has pods that are ready, and Prometheus has no series of them",
}
NEEDED = ("oom", "errors", "latency")
"""Signals without which nothing is promoted."""
TOO_MANY = 10_000_000
"""Exposures beyond which nobody waits."""


def still_missing(trial: Trial, rollout: Json, margin: float) -> Iterator[str]:
    """One line for each thing that stands between the canary and its promotion. `margin` shapes the bound."""
    if words := NO_DATA.get(trial.data):
        yield f"{words} ({trial.data_message})" if trial.data_message else words
    if trial.requests < MIN_REQUESTS:
        yield f"{number(trial.requests)} of at least {MIN_REQUESTS} requests of the canary"
    known = {signal.name for signal in trial.signals}
    yield from (f"{naming(name).called}: not measured yet" for name in NEEDED if name not in known)
    yield from (_line(signal, margin) for signal in trial.signals if not signal.passes)
    yield from _steps_to_come(rollout)


def exposures_needed(signal: Signal, margin: float) -> int | None:
    """Of the canary, until the bound is below what is allowed, should the rates stay as they are; None: never."""
    if signal.canary_rate is None or signal.allowed is None or signal.canary_rate >= signal.allowed:
        return None
    too_few, enough = 0, 1
    while upper_bound(enough, signal.canary_rate * enough, margin) >= signal.allowed:
        too_few, enough = enough, 2 * enough
        if enough > TOO_MANY:
            return None
    while enough - too_few > 1:
        middle = (too_few + enough) // 2
        fits = upper_bound(middle, signal.canary_rate * middle, margin) < signal.allowed
        too_few, enough = (too_few, middle) if fits else (middle, enough)
    return enough


def _line(signal: Signal, margin: float) -> str:
    named = naming(signal.name, signal.part)
    if signal.upper_bound is None or signal.allowed is None:
        return f"{named.called}: not measured yet"
    if named.per == PER_MINUTE:
        return f"{named.called}: {rate(signal, signal.canary_rate)} must fall below {rate(signal, signal.allowed)}"
    bound = f"its bound {rate(signal, signal.upper_bound)} must fall below {rate(signal, signal.allowed)}"
    needed = exposures_needed(signal, margin)
    if needed is None:
        return f"{named.called}: {bound}, and more of the same will not bring it there"
    how_far = f"{number(signal.canary_exposures)} of about {_rounded(max(needed, signal.canary_exposures + 1))}"
    return f"{named.called}: {how_far} {named.exposures}; {bound}"


def _rounded(count: float) -> str:
    """An estimate pretends to no more than two digits."""
    return f"{float(f'{count:.2g}'):,.0f}"


def _steps_to_come(rollout: Json) -> Iterator[str]:
    step, steps = int(rollout.get("step", 0)), int(rollout.get("steps", 0))
    if step and step < steps:
        yield f"steps {step + 1} to {steps}" if step + 1 < steps else f"step {steps}, the last one"
