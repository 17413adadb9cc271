"""The whole trial of one model: started, asked, measured, ended; and with more workers where that was wished."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from plimsoll_server.engine.cpus import usable_cpus
from plimsoll_server.trial.checks import Check
from plimsoll_server.trial.client import call
from plimsoll_server.trial.infrastructure import infrastructure_checks
from plimsoll_server.trial.measure import Measurements, Plan, Say, measure
from plimsoll_server.trial.process import serving
from plimsoll_server.trial.reference import Reference, measure_reference
from plimsoll_server.trial.server_checks import ending_check, inference_checks, server_checks
from plimsoll_server.trial.subject import Subject
from plimsoll_server.trial.targets import latency_targets, load_targets, memory_target, overhead_targets
from plimsoll_server.trial.workload import Workload

Group = Literal["infrastructure", "inference", "server", "readiness"]
_MOST_AT_ONCE = 32
_WORKER_REQUESTS = 96


@dataclass(frozen=True, slots=True)
class Trial:
    subject: Subject
    plan: Plan
    checks: Mapping[Group, Sequence[Check]]
    measurements: Measurements
    reference: Reference
    requests_per_second: Mapping[int, float]
    """By the number of workers; empty where that was not asked."""

    @property
    def passed(self) -> bool:
        return all(check.passed for checks in self.checks.values() for check in checks)


def run_trial(subject: Subject, plan: Plan, workers: Sequence[int], say: Say) -> Trial:
    """Raises TrialError when the server does not get ready."""
    infrastructure = infrastructure_checks(subject)
    say("measuring what torch and the matrix products take by themselves")
    reference = measure_reference(subject, plan.batches, usable_cpus())
    say("starting the server")
    with serving(subject.config(_MOST_AT_ONCE)) as server:
        workload = Workload(subject)
        inference = inference_checks(server, subject, workload)
        found = measure(server, workload, subject.window, plan, say)
        asked = server_checks(server, subject)
        say("telling it to end under load")
        ended = ending_check(server, workload, plan.concurrent)
    rates = {count: _rate(subject, count, plan, say) for count in workers}
    readiness = [
        *latency_targets(found, reference, usable_cpus()),
        *load_targets(found),
        memory_target(found, reference),
        *overhead_targets(rates, usable_cpus()),
    ]
    checks: dict[Group, Sequence[Check]] = {
        "infrastructure": infrastructure,
        "inference": inference,
        "server": [*asked, ended],
        "readiness": readiness,
    }
    return Trial(subject, plan, checks, found, reference, rates)


def _rate(subject: Subject, workers: int, plan: Plan, say: Say) -> float:
    """Requests per second of full sequences, by so many callers that no worker waits for one."""
    say(f"{workers} workers")
    with serving(subject.config(_MOST_AT_ONCE), {"PLIMSOLL_DEVICES": str(workers)}) as server:
        workload = Workload(subject)
        callers = max(plan.concurrent, 4 * workers)
        call(server.port, [workload.full(1) for _ in range(callers)], callers)
        answers = call(server.port, [workload.full(1) for _ in range(_WORKER_REQUESTS)], callers)
        span = max(one.began + one.seconds for one in answers) - min(one.began for one in answers)
    return sum(answer.status == 200 for answer in answers) / span
