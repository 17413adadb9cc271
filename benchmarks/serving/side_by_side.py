"""The services in turn, each with the same texts, in one run."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

import psutil

from serving.client import NO_ANSWER, Load
from serving.folders import model_folder
from serving.rates import Ratio, ratio
from serving.running import Running, ServiceError, all_running
from serving.services import Service, services
from serving.shapes import Shape
from serving.texts import Lengths, texts
from serving.workloads import Workload

Among = Callable[[Shape, Path, Callable[[str], None]], Sequence[Service]]

_TOLERANCE = 1e-3
"""Between two scores of one text: services beyond that do not serve the same model."""


@dataclass(frozen=True, slots=True)
class Served:
    """One service under one workload, over all rounds. Times in seconds, memory in bytes."""

    service: str
    texts_per_second: float
    p50: float
    p95: float
    p99: float
    peak: int
    refused: dict[int, int]
    ahead: Ratio
    """Plimsoll's rate for each of its own, by rounds."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One workload."""

    layers: int
    lengths: str
    at_once: int
    texts: int
    rounds: int
    services: list[Served]
    left_out: dict[str, str]
    """Others, which did not last to the end of it, or had ended before: what became of each."""


class _LeftOutError(ServiceError):
    def __init__(self, entrant: Running, why: str) -> None:
        super().__init__(f"{entrant.service.name} {why}. {entrant.last_words()}")
        self.why = why


def side_by_side(
    workloads: Sequence[Workload],
    rounds: int | None,
    *,
    shared: bool,
    tell: Callable[[str], None],
    among: Among = services,
) -> list[Cell]:
    """In `rounds`, or where that is None in each workload's own number of them.

    The first of the services `among` which they are is the one that others are compared with, Plimsoll.

    `shared`: one core for each service, and rates by its processor time; latencies are the wall's all the same.

    Another that does not come up, answers otherwise or ends is told and left out. Raises ServiceError for the first."""
    cells = []
    for shape, group in groupby(workloads, lambda workload: workload.shape):
        with all_running(among(shape, model_folder(shape), tell), shared=shared, tell=tell) as started:
            entrants = _alike(started, texts(shape, Lengths(200, 200), 1, seed=0)[0], tell)
            gone: dict[str, str] = {}
            for workload in group:
                cell = _cell(workload, entrants, rounds or workload.rounds, tell)
                for served in cell.services:
                    tell(line(served))
                cells.append(replace(cell, left_out=gone | cell.left_out))
                for entrant in [one for one in entrants if one.ended()]:
                    entrants.remove(entrant)
                    gone[entrant.service.name] = f"not asked, {entrant.ended()} at {workload}"
    return cells


def _alike(started: Sequence[Running], text: str, tell: Callable[[str], None]) -> list[Running]:
    """The first, and those of the others that give the same answer."""
    first, *others = started
    expected = first.scores(text)
    alike = [first]
    for other in others:
        try:
            found = other.scores(text)
        except (ServiceError, OSError, EOFError) as error:
            tell(f"{other.service.name} is left out: {error}")
            continue
        gap = max(abs(found.get(label, math.inf) - score) for label, score in expected.items())
        if gap > _TOLERANCE:
            tell(f"{other.service.name} is left out: it differs from {first.service.name} by {gap:.2g} in a score")
        else:
            alike.append(other)
    return alike


def _cell(workload: Workload, entrants: Sequence[Running], rounds: int, tell: Callable[[str], None]) -> Cell:
    """Of those that last to the end of it; others are told and left out."""
    left_out = {}
    loads: dict[str, list[Load]] = {entrant.service.name: [] for entrant in entrants}
    lasting = list(entrants)
    for number in range(-1, rounds):
        tell(f"{workload}: {f'round {number + 1} of {rounds}' if number >= 0 else 'warming up'}")
        for entrant in list(lasting):
            try:
                loads[entrant.service.name].append(_asked(entrant, workload, number))
            except _LeftOutError as error:
                if entrant is entrants[0]:
                    raise
                tell(f"{entrant.service.name} is left out: {error}")
                lasting.remove(entrant)
                left_out[entrant.service.name] = error.why
        lasting.append(lasting.pop(0))
    timed = {name: found[1:] for name, found in loads.items()}
    ours = timed[entrants[0].service.name]
    served = [_served(entrant, timed[entrant.service.name], ours) for entrant in entrants if entrant in lasting]
    return Cell(
        workload.shape.layers, str(workload.lengths), workload.at_once, workload.count, rounds, served, left_out
    )


def _asked(entrant: Running, workload: Workload, number: int) -> Load:
    """What came of a round; before the first one, of a single text. Raises _LeftOutError where it ended, whatever it
    answered until then, or answered nothing."""
    warming_up = number < 0
    try:
        load = entrant.load(
            texts(workload.shape, workload.lengths, 1 if warming_up else workload.count, seed=number), workload.at_once
        )
        if warming_up:
            entrant.begin_peak()
    except psutil.Error:
        raise _LeftOutError(entrant, entrant.ended() or "ended") from None
    if ended := entrant.ended(soon=NO_ANSWER in load.refused):
        raise _LeftOutError(entrant, ended)
    if not load.latencies:
        raise _LeftOutError(entrant, f"answered {', '.join(map(str, load.refused))} alone")
    return load


def _served(entrant: Running, loads: Sequence[Load], ours: Sequence[Load]) -> Served:
    ranked = sorted(latency for load in loads for latency in load.latencies)
    refused = sum((load.refused for load in loads), start=type(loads[0].refused)())
    return Served(
        service=entrant.service.name,
        texts_per_second=round(statistics.median(load.rate for load in loads), 3),
        p50=_quantile(ranked, 0.50),
        p95=_quantile(ranked, 0.95),
        p99=_quantile(ranked, 0.99),
        peak=entrant.peak(),
        refused=dict(refused),
        ahead=ratio([mine.rate / theirs.rate for mine, theirs in zip(ours, loads, strict=True)]),
    )


def _quantile(ranked: Sequence[float], part: float) -> float:
    """The value that this part of all does not exceed."""
    return round(ranked[max(0, math.ceil(part * len(ranked)) - 1)], 5)


def line(served: Served) -> str:
    refused = f"; refused {served.refused}" if served.refused else ""
    return (
        f"  {served.service:<34} {served.texts_per_second:8.2f} texts/s; p50 {served.p50:7.3f} s, "
        f"p95 {served.p95:7.3f} s, p99 {served.p99:7.3f} s; {served.peak >> 20:5} MiB; "
        f"Plimsoll is {served.ahead.median:.2f}× ({served.ahead.least:.2f} to {served.ahead.most:.2f}){refused}"
    )
