"""Canaries on plain data: the reconcile as it is, with verdicts that a test gives in place of weighed evidence."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Self
from unittest.mock import patch

from builders import Cluster, make_spec
from plimsoll_operator import reconcile as reconciling
from plimsoll_operator.observed import Manifest, Milestones, Observed, Pod, Rejection, Workload
from plimsoll_operator.plan import Plan
from plimsoll_operator.reconcile import Policy
from plimsoll_operator.rollout.evidence import Data, Decision, Verdict
from plimsoll_operator.steps.draft import Draft
from plimsoll_operator.steps.evidence import weigh_the_evidence
from rollouts import condition

A_STEP_OF_REQUESTS = 60


def canary_spec(version: int, replicas: int | None = None, **rollout: Any) -> dict[str, Any]:
    """One version of the model, judged: a fixed number of pods, or one to eight as the autoscaler decides."""
    fixed = {} if replicas is None else {"scaling": {"minReplicas": replicas, "provider": "None"}}
    scaling = rollout.pop("scaling", None)
    sections = fixed if scaling is None else {"scaling": scaling}
    return make_spec(model={"uri": f"pvc://models/v{version}"}, rollout={"strategy": "Canary", **rollout}, **sections)


class Timed(Cluster):
    """A cluster whose pods have milestones, so that deadlines run; `unready` and `crashing` are names of some."""

    def __init__(self, spec: Manifest, gpus: int = 100) -> None:
        super().__init__(spec, gpus)
        self.unready: set[str] = set()
        self.crashing: set[str] = set()

    def _run_kubelets(self) -> None:
        super()._run_kubelets()
        silent = self.unready | self.crashing
        self.pods = [self._timed(replace(pod, ready=pod.ready and pod.name not in silent)) for pod in self.pods]
        self.pods = [_crashed(pod) if pod.name in self.crashing else pod for pod in self.pods]

    def _timed(self, pod: Pod) -> Pod:
        known = pod.milestones or Milestones(created=self.now, ready_changed=self.now)
        was = self._was(pod.name)
        if was is None or was.ready != pod.ready:
            known = replace(known, ready_changed=self.now)
        if pod.scheduled and known.scheduled is None:
            known = replace(known, scheduled=self.now, running=self.now, started=True)
        return replace(pod, milestones=known)

    def _was(self, name: str) -> Pod | None:
        return next((pod for w in self.observed.workloads.values() for pod in w.pods if pod.name == name), None)

    @property
    def rollout(self) -> Manifest:
        found: Manifest = self.observed.owner.status.get("rollout", {"phase": ""})
        return found

    def of(self, version: int) -> Workload | None:
        """The Deployment of one version of the model."""
        return workload_of(self.observed, version)

    def until(self, done: Callable[[Self], bool], moves: int = 80) -> list[Observed]:
        """Reconcile until then; every state on the way, the first included."""
        states = [self.observed]
        for _ in range(moves):
            if done(self):
                return states
            self.reconcile()
            states.append(self.observed)
        raise AssertionError(f"not so after {moves} moves: {self.observed.owner.status.get('rollout')}")

    def until_phase(self, *phases: str, moves: int = 80) -> list[Observed]:
        return self.until(lambda trials: trials.rollout["phase"] in phases, moves)


class Trials(Timed):
    """A cluster in which every canary is judged by `decision`, with `data`, at so many requests a reconcile.

    `judged` is the hash of the revision on trial at the last look.
    """

    def __init__(self, spec: Manifest, gpus: int = 100) -> None:
        super().__init__(spec, gpus)
        self.decision: Decision = "Undecided"
        self.data: Data = "Measured"
        self.requests = 0
        self.rate = A_STEP_OF_REQUESTS
        self.blind = timedelta(0)
        self.judged = ""

    def reconcile(self, policy: Policy | None = None, writes: int | None = None) -> Plan:
        with self.judging():
            return super().reconcile(policy, writes)

    def plan(self) -> Plan:
        """What a reconcile decides; nothing of it is carried out."""
        with self.judging():
            return reconciling.reconcile(self.observed, self.policy, self.now)

    @contextmanager
    def judging(self) -> Iterator[None]:
        steps = tuple(self._judge if step is weigh_the_evidence else step for step in reconciling.STEPS)
        with patch.object(reconciling, "STEPS", steps):
            yield

    def _judge(self, draft: Draft) -> Draft:
        target, stable = draft.target, draft.stable
        unproven = target is not None and not (target.stable or target.promoted or target.rejected)
        if target is None or stable is None or not unproven or draft.observed.workload(target.hash) is None:
            return draft
        if self.judged != target.hash:
            self.judged, self.requests = target.hash, 0
        canary = draft.observed.workload(target.hash)
        if canary and canary.ready and self.data == "Measured":
            self.requests += self.rate
        verdict = Verdict(self.decision, "errors", "MoreErrors", f"so it was found ({self.decision})", self.requests)
        return replace(draft, verdict=verdict, data=self.data, blind=self.blind)


def _crashed(pod: Pod) -> Pod:
    return replace(pod, restarts=3, last_exit_code=1, waiting_reason="CrashLoopBackOff")


def workload_of(state: Observed, version: int) -> Workload | None:
    uri = f"pvc://models/v{version}"
    hashes = [revision.hash for revision in state.revisions if revision.input["model"]["uri"] == uri]
    return next((found for text in hashes if (found := state.workload(text))), None)


def served(replicas: int, gpus: int = 100, **rollout: Any) -> Trials:
    """Version 1 at rest, with a fixed number of pods."""
    return _at_rest(Trials(canary_spec(1, replicas, **rollout), gpus))


def autoscaled(replicas: int, gpus: int = 100, **rollout: Any) -> Trials:
    """Version 1 at rest, with as many pods as its load asks for."""
    trials = Trials(canary_spec(1, **rollout), gpus)
    trials.demand = replicas
    return _at_rest(trials)


def _at_rest(trials: Trials) -> Trials:
    trials.settle()
    trials.now += timedelta(hours=1)
    trials.settle()
    return trials


def changed(trials: Trials, version: int = 2, **rollout: Any) -> Trials:
    """The same object, asked for another version of the model."""
    spec = trials.observed.owner.spec
    trials.change(
        {**spec, "model": {"uri": f"pvc://models/v{version}"}, "rollout": {**spec["rollout"], **rollout}},
    )
    return trials


def pods_of(state: Observed, version: int) -> set[str]:
    workload = workload_of(state, version)
    return {pod.name for pod in workload.pods if not pod.terminating} if workload else set()


def rejection_of(state: Observed, version: int) -> Rejection | None:
    uri = f"pvc://models/v{version}"
    return next(found.rejected for found in state.revisions if found.input["model"]["uri"] == uri)


def later(trials: Trials, wait: timedelta) -> datetime:
    """Time goes by, and nobody looks."""
    trials.now += wait
    return trials.now


SELDOM = timedelta(seconds=30)
"""Between two looks: seldom, and often enough for all of the time to count."""


def watched(trials: Trials, wait: timedelta) -> Trials:
    """Time goes by and is looked at; the look at its end is left to the test."""
    end = trials.now + wait
    while trials.now < end:
        began = trials.now
        trials.reconcile()
        trials.now = min(end, began + SELDOM)
    return trials


def analysed(trials: Trials) -> Trials:
    trials.until_phase("Analysing")
    return trials


def look(trials: Trials, times: int = 1) -> None:
    for _ in range(times):
        trials.reconcile()


def stalled(trials: Trials) -> tuple[str, str]:
    found = condition(trials.observed, "Stalled")
    return found["status"], found["reason"]


def fallen_silent(trials: Trials, version: int) -> None:
    """None of the pods of a version answers any more."""
    trials.unready |= pods_of(trials.observed, version)
