"""The evidence over time, laid out for either plot: seconds from the start, on a scale of powers of ten."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime

from plimsoll_operator.cli.explanation.trial import Trial
from plimsoll_operator.cli.explanation.wording import naming, number

FLOOR = 0.1
"""Evidence below it all means the same: the canary looks no worse."""
NOTHING_KNOWN = 1.0
"""The evidence before the first request."""
ROOM_ABOVE = 0.6
"""Of a power of ten, for the words on the decision."""
VERDICTS = {"Rollback": "rolled back", "Promote": "promoted", "Withdrawn": "withdrawn"}

LEFT_LATER = "promoted, taken back later"


@dataclass(frozen=True)
class Curve:
    """One signal's evidence: pairs of seconds and the power of ten."""

    signal: str
    points: tuple[tuple[float, float], ...]

    def at(self, seconds: float) -> float | None:
        """The power of ten at a moment, on the straight line between two points; None before and after them."""
        for (left, low), (right, high) in zip(self.points, self.points[1:], strict=False):
            if left <= seconds <= right:
                return low + (high - low) * ((seconds - left) / (right - left) if right > left else 1)
        return None


@dataclass(frozen=True)
class Step:
    """The moment from which the canary had `weight` percent of the requests."""

    seconds: float
    weight: int


@dataclass(frozen=True)
class Curves:
    """`low` and `high` are powers of ten; `verdict` is said of the last moment where that was a decision.

    `threshold` is the lowest of all signals, `exceptions` names those that have a higher one.
    """

    curves: tuple[Curve, ...]
    steps: tuple[Step, ...]
    threshold: float | None
    exceptions: str
    end: float
    low: int
    high: int
    verdict: str


def curves_of(trial: Trial) -> Curves | None:
    """None where there is nothing to draw yet."""
    if not trial.points:
        return None
    names = sorted({name for point in trial.points for name in point.evidence})
    curves = tuple(_curve(trial, name) for name in names)
    threshold = math.log10(trial.thresholds[0]) if trial.thresholds else None
    highest = max([power for curve in curves for _, power in curve.points] + [threshold or 0, 1])
    return Curves(
        curves=curves,
        steps=tuple(_steps(trial)),
        threshold=threshold,
        exceptions=_exceptions(trial),
        end=max((_end(trial) - trial.since).total_seconds(), _seconds(trial, len(trial.points) - 1), 1),
        low=round(math.log10(FLOOR)),
        high=math.ceil(highest + ROOM_ABOVE),
        verdict=_verdict(trial),
    )


def _end(trial: Trial) -> datetime:
    """The decision may come long after the last measurement: without Prometheus, kills go on being counted.

    One to leave what was promoted may come days after all that is drawn.
    """
    return trial.until if trial.left_later else max(trial.until, trial.decided_at or trial.until)


def _exceptions(trial: Trial) -> str:
    higher = [signal for signal in trial.signals if signal.threshold and signal.threshold > trial.thresholds[0]]
    told = ", ".join(f"{naming(signal.name).called} above {number(signal.threshold or 0)}" for signal in higher)
    return f" ({told})" if told else ""


def _curve(trial: Trial, name: str) -> Curve:
    known = [
        (_seconds(trial, n), _power(point.evidence[name]))
        for n, point in enumerate(trial.points)
        if name in point.evidence
    ]
    started = [] if known[0][0] <= 0 else [(0.0, math.log10(NOTHING_KNOWN))]
    return Curve(name, (*started, *known))


def _seconds(trial: Trial, index: int) -> float:
    return (trial.points[index].at - trial.since).total_seconds()


def _power(evidence: float) -> float:
    return math.log10(max(evidence, FLOOR))


def _steps(trial: Trial) -> list[Step]:
    steps = [Step(0.0, trial.points[0].weight)]
    for n, (before, point) in enumerate(zip(trial.points, trial.points[1:], strict=False)):
        if (point.step, point.weight) != (before.step, before.weight):
            steps.append(Step(_seconds(trial, n + 1), point.weight))
    return steps


def _verdict(trial: Trial) -> str:
    if trial.left_later:
        return LEFT_LATER
    said = VERDICTS.get(trial.outcome, "")
    on = naming(trial.culprit).called if trial.culprit else ""
    return f"{said} on {on}" if on else said
