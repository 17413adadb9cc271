"""The measurement: objects are created, changed all at once, left alone, and found again by a new operator."""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from helm_chart import NAMESPACE
from operator_process import OperatorProcess, running_operator
from scale.audited import AuditLog, Request, counted, reconcile_seconds, wait_for_rest, written
from scale.figures import ROOT, Figures, Memory, Phase, Spread, machine, memory_of, today, versions
from scale.fleet import Fleet, created, seconds_to_ready
from scale.sampling import Sample, Samples, look_at, sampling

OPERATOR = f"system:serviceaccount:{NAMESPACE}:plimsoll"
PUBLISHED_MINUTES = 30
"""A shorter run says nothing about memory, so its figures are not for benchmarks/."""
QUIET_SECONDS = 20
READY_SECONDS = (300, 5.0)
"""Deadline for all objects to be Ready, and what each of them adds."""


@dataclass(frozen=True)
class Plan:
    objects: int
    minutes: float

    @property
    def figures_path(self) -> Path:
        folder = ROOT / "benchmarks" if self.minutes >= PUBLISHED_MINUTES else ROOT / ".local" / "benchmarks"
        return folder / f"operator-{self.objects}.json"

    @property
    def command(self) -> str:
        return f"make test-scale OBJECTS={self.objects} MINUTES={self.minutes:g}"

    @property
    def deadline(self) -> float:
        return READY_SECONDS[0] + READY_SECONDS[1] * self.objects


@dataclass(frozen=True)
class Stage:
    """Where it is played: the objects to be, the cluster's audit log, and the operator's way in."""

    fleet: Fleet
    audit_log: Path
    kubeconfig: Path
    lease: str
    folder: Path

    def operator(self) -> AbstractContextManager[OperatorProcess]:
        return running_operator(self.kubeconfig, self.folder / "operator.log", PLIMSOLL_LEASE_NAME=self.lease)


@dataclass(frozen=True)
class Watched:
    """What is seen of the operator."""

    plan: Plan
    log: AuditLog
    samples: Samples

    def rest(self) -> None:
        wait_for_rest(self.log, QUIET_SECONDS, self.plan.deadline)

    def phase(self, name: str, play: Callable[[], None]) -> Phase:
        """Play it, and say what the operator did meanwhile."""
        print(f"{datetime.now(UTC):%H:%M:%S} {name}", flush=True)  # noqa: T201  it takes minutes: pytest -s shows them
        began = time.time()
        play()
        ended = time.time()
        return self._phase(name, began, ended)

    def _phase(self, name: str, began: float, ended: float) -> Phase:
        requests = [each for each in self.log.between(began, ended) if each.verb != "watch"]
        requests = [each for each in requests if each.resource != "leases"]
        samples = self.samples.between(began, ended)
        return Phase(
            name=name,
            seconds=round(ended - began, 1),
            reconcile_seconds=Spread.of(reconcile_seconds(requests)),
            request_seconds=_by_verb(requests),
            requests=len(requests),
            writes=len(written(requests)),
            requests_per_object=round(len(requests) / self.plan.objects, 1),
            cpu_percent=_cpu_percent(samples),
            resident_mib=round(max(sample.resident_mib for sample in samples), 1),
            queue_age_seconds=round(max(sample.queue_age_seconds for sample in samples), 1),
            load_average=round(statistics.mean(sample.load_average for sample in samples), 1),
            refused=len([each for each in requests if each.was_refused]),
            requests_by_kind=counted(requests, lambda each: f"{each.verb} {each.resource} {each.subresource}".strip()),
        )


def measure(stage: Stage, plan: Plan) -> Figures:
    """Play it all, in its order. Raises AssertionError when a part does not end."""
    about = Figures(plan.command, today(), machine(), versions(), plan.objects, [], Memory(0, 0, 0, 0, []))
    stage.fleet.make_namespaces()
    with (
        AuditLog(stage.audit_log, OPERATOR) as log,
        stage.operator() as operator,
        sampling(partial(_look_at, operator), log.read) as samples,
    ):
        watched = Watched(plan, log, samples)
        phases = [_fill(watched, stage.fleet), _storm(watched, stage.fleet), _rest(watched)]
        memory = memory_of(samples.since(time.time() - plan.minutes * 60))
        return replace(about, phases=[*phases, _restart(watched, operator)], memory_at_rest=memory)


def _fill(watched: Watched, fleet: Fleet) -> Phase:
    def play() -> None:
        fleet.put(memory_percent=85)
        fleet.wait_until_ready(watched.plan.deadline)

    phase = watched.phase("fill", play)
    ready = Spread.of(seconds_to_ready(fleet.objects(), created))
    watched.rest()
    return replace(phase, seconds_to_ready=ready)


def _storm(watched: Watched, fleet: Fleet) -> Phase:
    began = datetime.now(UTC)

    def play() -> None:
        fleet.put(memory_percent=80)
        fleet.wait_until_ready(watched.plan.deadline)

    phase = watched.phase("storm", play)
    ready = Spread.of(seconds_to_ready(fleet.objects(), lambda _: began))
    watched.rest()
    return replace(phase, seconds_to_ready=ready)


def _rest(watched: Watched) -> Phase:
    return watched.phase("rest", lambda: time.sleep(watched.plan.minutes * 60))


def _restart(watched: Watched, operator: OperatorProcess) -> Phase:
    def play() -> None:
        began = time.time()
        operator.kill()
        operator.start()
        end = time.monotonic() + watched.plan.deadline
        while (
            len({each.subject for each in watched.log.between(began) if each.opens_a_reconcile}) < watched.plan.objects
        ):
            assert time.monotonic() < end, operator.log_path.read_text()[-2000:]
            time.sleep(0.5)

    return watched.phase("restart", play)


def _look_at(operator: OperatorProcess) -> Sample | None:
    age = operator.metric("plimsoll_operator_queue_age_seconds")
    return look_at(operator.process.pid, age) if operator.process is not None else None


def _by_verb(requests: list[Request]) -> dict[str, Spread]:
    verbs = sorted({each.verb for each in requests})
    return {verb: Spread.of([each.ended - each.began for each in requests if each.verb == verb]) for verb in verbs}


def _cpu_percent(samples: list[Sample]) -> float:
    """Of one core. A fall of the process's own clock is a new process, whose use counts from nothing."""
    if len(samples) < 2:
        return 0.0
    used = sum(
        after.cpu_seconds - (before.cpu_seconds if after.cpu_seconds >= before.cpu_seconds else 0)
        for before, after in itertools.pairwise(samples)
    )
    return round(100 * used / (samples[-1].at - samples[0].at), 1)
