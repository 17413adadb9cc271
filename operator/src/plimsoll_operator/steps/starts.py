"""How long does each pod take to start, and at what? Keeps what was seen: the API has no time for loaded weights."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from plimsoll_operator.desired.pod import start_budget
from plimsoll_operator.observed import Manifest, Milestones, Pod
from plimsoll_operator.steps.draft import Draft, Probe, Start

MOST_STARTS = 8
"""Of the newest pods."""

PATIENCE = timedelta(seconds=30)
"""A server tries its weights out in seconds; one that has them and is not ready by then will not be by itself."""

ENDED_EARLY = timedelta(seconds=10)
"""By so much the kubelet may end a start before its budget is used up: it probes when it likes."""


@dataclass(frozen=True)
class _Timed:
    """A pod whose milestones are known."""

    pod: Pod
    milestones: Milestones


def time_the_starts(draft: Draft) -> Draft:
    before = {entry["pod"]: _parsed(entry) for entry in draft.observed.owner.status.get("starts", ())}
    newest = sorted(_timed(draft), key=lambda timed: (timed.milestones.created, timed.pod.name), reverse=True)
    return replace(
        draft,
        starts=tuple(_start(timed, before.get(timed.pod.name), draft.now) for timed in newest[:MOST_STARTS]),
    )


def silent_pods(draft: Draft) -> dict[str, Probe]:
    """Pods that have had more than enough time, and the probe that they do not pass."""
    return {name: probe for name, probe, over in _awaited(draft) if over <= draft.now}


def starting_pods(draft: Draft) -> dict[str, Probe]:
    """Pods that run and have not passed their startup probe, be it in time or not."""
    return {name: probe for name, probe, _ in _awaited(draft) if probe == "startup"}


def patience_left(draft: Draft) -> timedelta | None:
    """Until the next pod counts as silent."""
    waits = (over - draft.now for _, _, over in _awaited(draft))
    return min((wait for wait in waits if wait > timedelta(0)), default=None)


def _timed(draft: Draft) -> Iterator[_Timed]:
    for workload in draft.observed.workloads.values():
        yield from (_Timed(pod, pod.milestones) for pod in workload.pods if pod.milestones)


def _start(timed: _Timed, seen: Start | None, now: datetime) -> Start:
    """The start as far as it is known. A complete one stays: a pod that is ready for a second time does not start."""
    if seen and seen.ready is not None:
        return seen
    pod, reached = timed.pod, timed.milestones
    before = seen or Start(pod.name, pod.revision)
    # After a crash the container's times are those of another attempt: what they would add up to is no start.
    running = reached.running if not pod.restarts else None
    ready = reached.ready_changed if pod.ready else None
    weights = before.weights
    # Weights and readiness at one look are less than the probe's period apart, unless nobody had looked before.
    if weights is None and reached.started and (seen or not pod.ready):
        weights = _seconds(running, ready or now)
    warm = running + timedelta(seconds=weights) if running is not None and weights is not None else None
    return replace(
        before,
        scheduled=_known(before.scheduled, _seconds(reached.created, reached.scheduled)),
        image=_known(before.image, _seconds(reached.scheduled, running)),
        weights=weights,
        warm_up=_seconds(warm, ready),
        ready=_seconds(reached.created, ready),
    )


def _awaited(draft: Draft) -> Iterator[tuple[str, Probe, datetime]]:
    """Pods that are not ready though nothing else is missing, the probe to pass, and when patience with it is over."""
    starts = {start.pod: start for start in draft.starts}
    budgets = {revision.hash: start_budget(revision.template) for revision in draft.revisions}
    for timed in _timed(draft):
        pod, reached = timed.pod, timed.milestones
        start = starts.get(pod.name)
        if pod.ready or pod.terminating:
            continue
        if not reached.started:
            yield from _unstarted(timed, start, budgets.get(pod.revision), draft.now)
        elif reached.running is not None:
            loaded = reached.running + timedelta(seconds=start.weights if start and start.weights else 0)
            yield pod.name, "readiness", max(loaded, reached.ready_changed or loaded) + PATIENCE


def _unstarted(
    timed: _Timed, start: Start | None, budget: timedelta | None, now: datetime
) -> Iterator[tuple[str, Probe, datetime]]:
    """A pod whose first start is still awaited, or was ended for it by the kubelet and begins anew."""
    pod, running = timed.pod, timed.milestones.running
    if not budget or start is None or start.weights is not None or start.ready is not None:
        return
    if pod.restarts and pod.last_run is not None and pod.last_run >= budget - ENDED_EARLY:
        yield pod.name, "startup", now
    elif not pod.restarts and running is not None:
        yield pod.name, "startup", running + budget


def _known(before: int | None, now: int | None) -> int | None:
    return now if before is None else before


def _seconds(begin: datetime | None, end: datetime | None) -> int | None:
    """Whole seconds between two moments; clocks of several machines may put the second one first."""
    return None if begin is None or end is None else max(0, round((end - begin).total_seconds()))


_FIELDS = {
    "scheduled": "scheduledSeconds",
    "image": "imageSeconds",
    "weights": "weightsSeconds",
    "warm_up": "warmUpSeconds",
    "ready": "readySeconds",
}


def render_starts(draft: Draft) -> list[dict[str, Any]]:
    """For `status`: a phase is left out until it is known."""
    return [
        {"pod": start.pod, "revision": start.revision}
        | {name: value for field, name in _FIELDS.items() if (value := getattr(start, field)) is not None}
        for start in draft.starts
    ]


def _parsed(entry: Manifest) -> Start:
    return Start(entry["pod"], entry["revision"], **{field: entry.get(name) for field, name in _FIELDS.items()})
