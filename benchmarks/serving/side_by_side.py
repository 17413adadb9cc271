"""The services in turn, each with the same texts, in one run."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from serving.client import Load
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


def side_by_side(
    workloads: Sequence[Workload], rounds: int, *, shared: bool, tell: Callable[[str], None], among: Among = services
) -> list[Cell]:
    """The first of the services `among` which they are is the one that others are compared with, Plimsoll.

    `shared`: one core for each service, and rates by its processor time; latencies are the wall's all the same.

    Raises ServiceError where a service does not come up, or answers otherwise than the first."""
    cells = []
    for shape, group in groupby(workloads, lambda workload: workload.shape):
        with all_running(among(shape, model_folder(shape), tell), shared=shared) as entrants:
            _require_same_answers(entrants, texts(shape, Lengths(200, 200), 1, seed=0)[0])
            for workload in group:
                tell(f"{workload}:")
                cell = _cell(workload, entrants, rounds)
                for served in cell.services:
                    tell(line(served))
                cells.append(cell)
    return cells


def _require_same_answers(entrants: Sequence[Running], text: str) -> None:
    first, *others = entrants
    expected = first.scores(text)
    for other in others:
        found = other.scores(text)
        gap = max(abs(found[label] - score) for label, score in expected.items())
        if gap > _TOLERANCE:
            raise ServiceError(f"{other.service.name} and {first.service.name} differ by {gap:.2g} in a score")


def _cell(workload: Workload, entrants: Sequence[Running], rounds: int) -> Cell:
    loads: dict[str, list[Load]] = {entrant.service.name: [] for entrant in entrants}
    order = list(entrants)
    for entrant in order:
        entrant.load(texts(workload.shape, workload.lengths, 1, seed=-1), 1)  # warms up
        entrant.begin_peak()
    for number in range(rounds):
        batch = texts(workload.shape, workload.lengths, workload.count, seed=number)
        for entrant in order:
            loads[entrant.service.name].append(entrant.load(batch, workload.at_once))
        order.append(order.pop(0))
    ours = loads[entrants[0].service.name]
    served = [_served(entrant, loads[entrant.service.name], ours) for entrant in entrants]
    return Cell(workload.shape.layers, str(workload.lengths), workload.at_once, workload.count, rounds, served)


def _served(entrant: Running, loads: Sequence[Load], ours: Sequence[Load]) -> Served:
    ranked = sorted(latency for load in loads for latency in load.latencies)
    refused = sum((load.refused for load in loads), start=type(loads[0].refused)())
    if not ranked:
        raise ServiceError(f"{entrant.service.name} answered nothing: {dict(refused)}. {entrant.last_words()}")
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
