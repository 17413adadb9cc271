"""All that is measured of one running server, in the order in which it is measured."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from plimsoll_server.trial.client import Answer, Caller, call
from plimsoll_server.trial.figures import Latency, latency
from plimsoll_server.trial.gauges import watching
from plimsoll_server.trial.process import Running
from plimsoll_server.trial.workload import Workload

Say = Callable[[str], None]
QUEUE = "plimsoll_queue_tokens"
_WARM_UP = 5
_PROBE_EVERY = 50


@dataclass(frozen=True, slots=True)
class Plan:
    batches: tuple[int, ...] = (1, 4, 8, 16, 32)
    per_batch: int = 60
    """Requests of each size, one after the other."""
    concurrent: int = 10
    concurrent_seconds: float = 20.0
    requests: int = 1_000


@dataclass(frozen=True, slots=True)
class BatchFigures:
    sequences: int
    latency: Latency
    tokens_per_second: float
    errors: int
    cpu_milliseconds: float
    """Of all processors together, per request: what else runs on the machine shows little in it."""
    processors: float
    """In use by the server, mean while these requests ran,"""
    processors_of_slowest: float
    """and while the slowest twentieth of them did. Fewer there: others had the rest meanwhile. The kernel counts in
    hundredths of a second: of requests of less than 30 ms it tells little."""


@dataclass(frozen=True, slots=True)
class ConcurrentFigures:
    callers: int
    latency: Latency
    requests_per_second: float
    errors: int
    queue_depth: float
    """Mean number of sequences that waited, as the server told it."""
    deepest: float
    looks: int


@dataclass(frozen=True, slots=True)
class StabilityFigures:
    requests: int
    errors: int
    answer_drift: float
    """The largest change of a probability when the same sequence is asked again, from the first time to the last."""
    latency_drift: float
    """Median latency of the last quarter over that of the first, less 1."""
    resident_first: int
    resident_last: int
    """Bytes, after a quarter of the requests and at the end."""
    latency: Latency


@dataclass(frozen=True, slots=True)
class Measurements:
    window: int
    ready_seconds: float
    resident_at_start: int
    resident_peak: int
    cpu_share: float
    """Processors in use, mean over everything that was measured."""
    load_average: tuple[float, float]
    """Of the whole machine, before and after: more than the server's own share is somebody else's."""
    batches: tuple[BatchFigures, ...]
    concurrent: ConcurrentFigures
    stability: StabilityFigures

    def batch(self, sequences: int) -> BatchFigures:
        return next(figures for figures in self.batches if figures.sequences == sequences)


def measure(server: Running, workload: Workload, window: int, plan: Plan, say: Say) -> Measurements:
    load_before = round(os.getloadavg()[0], 1)
    call(server.port, [workload.full(1) for _ in range(_WARM_UP)], 1)
    resident, cpu, began = server.resident_bytes(), server.cpu_seconds(), time.monotonic()
    batches = []
    for sequences in plan.batches:
        say(f"{plan.per_batch} requests of {sequences}")
        batches.append(_batch(server, workload, sequences, window, plan.per_batch))
    say(f"{plan.concurrent} callers at once for {plan.concurrent_seconds:.0f} s")
    concurrent = _concurrent(server, workload, window, plan)
    say(f"{plan.requests:,} requests of mixed length")
    stability = _stability(server, workload, plan.requests)
    return Measurements(
        window=window,
        ready_seconds=round(server.ready_seconds, 2),
        resident_at_start=resident,
        resident_peak=server.peak_bytes(),
        cpu_share=round((server.cpu_seconds() - cpu) / (time.monotonic() - began), 2),
        load_average=(load_before, round(os.getloadavg()[0], 1)),
        batches=tuple(batches),
        concurrent=concurrent,
        stability=stability,
    )


def _batch(server: Running, workload: Workload, sequences: int, window: int, requests: int) -> BatchFigures:
    caller = Caller(server.port)
    answers, cpu = [], [server.cpu_seconds()]
    for _ in range(requests):
        answers.append(caller.infer(workload.full(sequences)))
        cpu.append(server.cpu_seconds())
    caller.close()
    seconds = [answer.seconds for answer in answers]
    processors, of_slowest = processors_used(seconds, [after - before for before, after in pairwise(cpu)])
    return BatchFigures(
        sequences=sequences,
        latency=latency(seconds),
        tokens_per_second=round(requests * sequences * window / sum(seconds), 1),
        errors=_errors(answers),
        cpu_milliseconds=round(1000 * (cpu[-1] - cpu[0]) / requests, 1),
        processors=processors,
        processors_of_slowest=of_slowest,
    )


def _concurrent(server: Running, workload: Workload, window: int, plan: Plan) -> ConcurrentFigures:
    """As many requests as fill the time, by the rate of a first round."""
    trial = call(server.port, [workload.full(1) for _ in range(5 * plan.concurrent)], plan.concurrent)
    rate = len(trial) / _span(trial)
    count = max(2 * plan.concurrent, round(rate * plan.concurrent_seconds))
    with watching(server.metrics_port, QUEUE) as queue:
        answers = call(server.port, [workload.full(1) for _ in range(count)], plan.concurrent)
    depths = [tokens / window for tokens in queue.values] or [0.0]
    return ConcurrentFigures(
        callers=plan.concurrent,
        latency=latency([answer.seconds for answer in answers]),
        requests_per_second=round(count / _span(answers), 1),
        errors=_errors(answers),
        queue_depth=round(statistics.fmean(depths), 2),
        deepest=max(depths),
        looks=len(queue.values),
    )


def _stability(server: Running, workload: Workload, requests: int) -> StabilityFigures:
    probe = workload.full(4)
    answers: list[Answer] = []
    probes: list[Answer] = []
    resident: list[int] = []
    for start in range(0, requests, _PROBE_EVERY):
        probes += call(server.port, [probe], 1)
        answers += call(server.port, [workload.mixed() for _ in range(min(_PROBE_EVERY, requests - start))], 1)
        resident.append(server.resident_bytes())
    probes += call(server.port, [probe], 1)
    quarter = max(1, len(answers) // 4)
    first, last = (statistics.median(one.seconds for one in part) for part in (answers[:quarter], answers[-quarter:]))
    return StabilityFigures(
        requests=len(answers),
        errors=_errors(answers) + _errors(probes),
        answer_drift=_drift(probes),
        latency_drift=round(last / first - 1, 3),
        resident_first=resident[len(resident) // 4],
        resident_last=resident[-1],
        latency=latency([answer.seconds for answer in answers]),
    )


def processors_used(seconds: Sequence[float], cpu_seconds: Sequence[float]) -> tuple[float, float]:
    """By all requests, and by the slowest twentieth of them, or the slowest one."""
    taken = sorted(zip(seconds, cpu_seconds, strict=True))

    def used(part: Sequence[tuple[float, float]]) -> float:
        return round(sum(cpu for _, cpu in part) / sum(wall for wall, _ in part), 2)

    return used(taken), used(taken[-max(1, len(taken) // 20) :])


def _errors(answers: Sequence[Answer]) -> int:
    return sum(answer.status != 200 for answer in answers)


def _span(answers: Sequence[Answer]) -> float:
    return max(one.began + one.seconds for one in answers) - min(one.began for one in answers)


def _drift(probes: Sequence[Answer]) -> float:
    answered = [probe.body["predictions"] for probe in probes if probe.status == 200]
    if not answered:
        return float("inf")
    gaps: list[float] = [abs(one - other) for again in answered for one, other in zip(answered[0], again, strict=True)]
    return max(gaps)
