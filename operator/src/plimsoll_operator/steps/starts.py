"""How long does each pod take to start, and at what? Keeps what was seen: the API has no time for loaded weights."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from plimsoll_operator.observed import Manifest, Milestones, Pod
from plimsoll_operator.steps.draft import Draft, Start

MOST_STARTS = 8
"""Of the newest pods."""

PATIENCE = timedelta(seconds=30)
"""A server tries its weights out in seconds; one that has them and is not ready by then will not be by itself."""


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


def silent_pods(draft: Draft) -> frozenset[str]:
    """Names of pods that run, have had their weights for longer than is plausible, and are not ready."""
    return frozenset(pod for pod, since in _unready(draft) if draft.now - since >= PATIENCE)


def patience_left(draft: Draft) -> timedelta | None:
    """Until the next pod counts as silent."""
    waits = (PATIENCE - (draft.now - since) for _, since in _unready(draft))
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


def _unready(draft: Draft) -> Iterator[tuple[str, datetime]]:
    """Pods that have had their weights and are not ready, and since when."""
    starts = {start.pod: start for start in draft.starts}
    for timed in _timed(draft):
        pod, reached, start = timed.pod, timed.milestones, starts.get(timed.pod.name)
        if pod.ready or pod.terminating or not reached.started or reached.running is None:
            continue
        loaded = reached.running + timedelta(seconds=start.weights if start and start.weights else 0)
        yield pod.name, max(loaded, reached.ready_changed or loaded)


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
