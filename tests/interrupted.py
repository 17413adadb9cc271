"""Canaries under operators that end between two writes, on plain data: what each wrote, and the same moment once more.

The reconcile and the evidence are the operator's own. A reconcile keeps nothing, so whoever takes over has what the API
holds, as JSON, and no more.
"""

from __future__ import annotations

import copy
import itertools
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple, Self

from canaries import Timed
from measured import Traffic, counters_of
from plimsoll_operator.observed import Manifest, ObjectKey, Pod
from plimsoll_operator.plan import Plan
from plimsoll_operator.reconcile import Policy, reconcile
from plimsoll_operator.rollout.measuring.inquiry import inquire
from plimsoll_operator.rollout.measuring.measurements import Counter, Inquiry, Measurements, Values

LOOK = timedelta(seconds=10)
"""Between two reconciles: an interval of the analysis."""


class Act(NamedTuple):
    """What somebody does once the rollout has been in a phase for so many looks."""

    phase: str
    looks: int
    do: Callable[[Interrupted], None]


class Write(NamedTuple):
    """A write that reached the API."""

    verb: str
    what: str
    content: str = ""


class Interrupted(Timed):
    """A cluster with a Prometheus, which measures `traffic` by the model's URI, and with people who follow a script.

    `written` is what reached the API, but for status, which is written at nearly every look.
    """

    def __init__(self, spec: Manifest, traffic: Mapping[str, Traffic], gpus: int = 100) -> None:
        super().__init__(spec, gpus)
        self.traffic = traffic
        self.written: tuple[Write, ...] = ()
        self.script: tuple[Act, ...] = ()
        self._in_phase: tuple[str, datetime] = ("", self.now)

    def fork(self) -> Self:
        """The same moment once more."""
        twin = copy.copy(self)
        made = self.pods_made
        self._names, twin._names = itertools.count(made), itertools.count(made)
        return twin

    @property
    def pods_made(self) -> int:
        """How many pods there ever were."""
        made = next(self._names)
        self._names = itertools.count(made)
        return made

    @property
    def objects_written(self) -> list[Write]:
        """All but Events, of which a second one of the same news is counted up."""
        return [write for write in self.written if write.verb != "event"]

    @property
    def phase(self) -> str:
        """With its step, of an analysis."""
        rollout = self.rollout
        return f"Analysing {rollout['step']}" if rollout["phase"] == "Analysing" else str(rollout["phase"])

    def reconcile(self, policy: Policy | None = None, writes: int | None = None) -> Plan:
        """A look, of whose writes so many arrive, and what the controllers do until the next one."""
        self.follow_the_script()
        plan = self.look(writes)
        self.pass_time(LOOK.total_seconds())
        return plan

    def follow_the_script(self) -> None:
        """Have somebody do what is next, when it is time."""
        phase, since = self._in_phase
        if self.rollout["phase"] != phase:
            self._in_phase = (self.rollout["phase"], self.now)
        elif self.script and self.script[0].phase == phase and self.now - since >= self.script[0].looks * LOOK:
            act, *left = self.script
            self.script = tuple(left)
            act.do(self)

    def look(self, writes: int | None = None) -> Plan:
        """A reconcile by an operator that has just read everything, of whose writes so many arrive."""
        owner = self.observed.owner
        self.observed = replace(self.observed, owner=replace(owner, status=json.loads(json.dumps(owner.status))))
        inquiry = inquire(owner, self.now)
        told = None if inquiry is None else self._measure(inquiry)
        plan = reconcile(replace(self.observed, measurements=told), self.policy, self.now)
        self.carry_out(plan, writes)
        return plan

    def carry_out(self, plan: Plan, writes: int | None = None) -> None:
        """So many writes, Events among them."""
        ordered = in_order(plan)
        arrived = ordered[:writes]
        self.written += tuple(write for write in arrived if write.verb != "status")
        # The cluster itself knows no Events.
        super().carry_out(plan, sum(write.verb != "event" for write in arrived))

    def _measure(self, inquiry: Inquiry) -> Measurements:
        """All counters of each pod that answers, as of when it was ready."""
        moments = tuple(inquiry.first + step * inquiry.step for step in range(inquiry.steps + 1))
        uris = {revision.hash: revision.input["model"]["uri"] for revision in self.observed.revisions}
        counters: dict[str, dict[Counter, Values]] = {}
        for pod in (pod for workload in self.observed.workloads.values() for pod in workload.pods if pod.ready):
            up = _up(pod)
            read = [
                counters_of(pod.revision, pod.name, self.traffic[uris[pod.revision]], (at - up).total_seconds())
                for at in moments
            ]
            for signal, counter in read[0]:
                values = (value[signal, counter] if at >= up else None for at, value in zip(moments, read, strict=True))
                counters.setdefault(signal, {})[counter] = tuple(values)
        return Measurements(inquiry.since, moments, counters)


def _up(pod: Pod) -> datetime:
    assert pod.milestones is not None
    assert pod.milestones.ready_changed is not None
    return pod.milestones.ready_changed


def in_order(plan: Plan) -> list[Write]:
    """What a plan writes, in the order in which it is carried out."""
    return [
        *(Write("apply", "/".join(ObjectKey.of(manifest)[1:]), _content(manifest)) for manifest in plan.apply),
        *(Write("scale", scale.deployment, str(scale.replicas)) for scale in plan.scale),
        *(Write("delete", "/".join(key[1:])) for key in plan.delete),
        *(Write("event", event.reason) for event in plan.events),
        *([Write("status", "")] if plan.status is not None else []),
    ]


def _content(manifest: Manifest) -> str:
    """All but the annotations: they tell, or are a sum over, how many requests were seen when it was decided."""
    metadata = {name: of for name, of in manifest["metadata"].items() if name != "annotations"}
    return json.dumps({**manifest, "metadata": metadata}, sort_keys=True)
