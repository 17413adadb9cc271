"""Which steps of a canary cannot be had as they are written? Told before anything runs, by `kubectl plimsoll plan`."""

from __future__ import annotations

from collections.abc import Iterator

from plimsoll_operator.rollout.canary.weights import Step, steps_of, weight_percent
from plimsoll_operator.spec import Spec

NEAR = 5
"""Points of percent by which a share may miss its step without a word."""


def steps_that_cannot_be_had(spec: Spec) -> tuple[str, ...]:
    """A line for each size, the smallest and the largest, at which whole pods come to other shares."""
    if spec.rollout.strategy != "Canary":
        return ()
    return tuple(line for size, setting in _sizes(spec) if (line := _line(spec, size, setting)))


def _sizes(spec: Spec) -> Iterator[tuple[int, str]]:
    least = spec.scaling.min_replicas
    if least:
        yield least, "minReplicas"
    if spec.scaling.autoscaled and spec.max_replicas > least:
        yield spec.max_replicas, "maxReplicas"


def _line(spec: Spec, size: int, setting: str) -> str:
    settings = spec.rollout.canary
    steps = steps_of(settings.steps, size, settings.max_pods)
    missed = [step for step in steps if _misses(step, size)]
    if not missed:
        return ""
    told = "; ".join(f"{_listed(step.percents)} the canary {weight_percent(step.pods, size)} %" for step in missed)
    capped = any(weight_percent(settings.max_pods, size) < step.percents[-1] for step in missed)
    more = f", since maxPods is {settings.max_pods}" if capped else ""
    shares = ", ".join(str(weight_percent(step.pods, size)) for step in steps)
    same = "" if spec.scaling.autoscaled else f" (canary.steps: [{shares}] says the same)"
    return f"with {size} pod{'s' if size > 1 else ''} ({setting}) {told} of the requests{more}{same}"


def _misses(step: Step, size: int) -> bool:
    share = weight_percent(step.pods, size)
    return len(step.percents) > 1 or abs(share - step.percents[0]) > NEAR


def _listed(percents: tuple[int, ...]) -> str:
    *first, last = map(str, percents)
    return f"the steps {', '.join(first)} and {last} % give" if first else f"the step {last} % gives"
