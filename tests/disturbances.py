"""What may happen to an object and around it, as data: a test draws some of it and lets it happen to a Cluster."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from hypothesis import strategies as st

from builders import Cluster
from plimsoll_operator.observed import Manifest
from plimsoll_operator.plan import Plan
from spec_walk import PARKED, SERVING, STEPS, Spec, Step, stepped


class Disturbance(NamedTuple):
    """One thing that happens, `what` from the keys of `_ACTS`, and how much or which."""

    what: str
    how: Any = None


MODELS: tuple[Mapping[str, Any], ...] = tuple({"model": {"uri": f"pvc://models/v{version}"}} for version in (1, 2, 3))
PAUSES: tuple[Mapping[str, Any], ...] = tuple({"rollout": {"paused": paused}} for paused in (True, False))
CHANGES: tuple[Mapping[str, Any], ...] = (
    *MODELS,
    *PAUSES,
    {"model": {"shape": "modernbert-base"}},
    {"model": {"uri": "ftp://nowhere"}},
    {"gpu": {"profile": "nvidia-h100-80gb"}},
    {"gpu": {"profile": "no-such-profile"}},
    {"gpu": {"profile": "nvidia-l4", "count": 2}},
    {"tiers": [{"name": "long", "maxTokens": 32768}]},
    {"longInput": {"policy": "Reject"}},
    {"scaling": {"provider": "HPA", "minReplicas": 1}},
    {"scaling": {"provider": "None", "minReplicas": 0}},
    {"scaling": {"provider": "None", "minReplicas": 3}},
    {"scaling": {"minReplicas": 2}},
    {"scaling": {"maxReplicas": 4}},
    {"scaling": {"scaleDownStabilization": "0s"}},
    {"rollout": {"strategy": "Recreate"}},
    {"rollout": {"strategy": "RollingUpdate"}},
    {"rollout": {"progressDeadline": "10s"}},
    {"rollout": {"revisionHistoryLimit": 0}},
    {"server": {"memoryUtilizationPercent": 80}},
    {"pod": {"topologySpread": False}},
)


def _some(what: str, how: st.SearchStrategy[Any]) -> st.SearchStrategy[Disturbance]:
    return how.map(lambda drawn: Disturbance(what, drawn))


def changes_of(*changes: Mapping[str, Any]) -> st.SearchStrategy[Disturbance]:
    return _some("spec", st.sampled_from(changes))


FIELDS = _some("field", st.tuples(st.sampled_from(STEPS), st.sampled_from([PARKED, SERVING])))
"""Any field of the API, as one of two specs has it."""
INSTALLATION = st.one_of(
    _some("frozen", st.booleans()),
    _some("upgraded", st.sampled_from(["plimsoll/server:1", "plimsoll/server:2"])),
    st.just(Disturbance("status lost")),
)
REQUESTS = _some("requested", st.sampled_from(["restart#1", "restart#2", "restart@0ld#3", "promote#4", "what?", None]))
SURROUNDINGS = st.one_of(
    _some("gpus", st.integers(0, 6)),
    _some("demand", st.integers(1, 10)),
    _some("broken", st.integers(0, 2)),
    st.just(Disturbance("healed")),
    _some("pod lost", st.integers(0, 8)),
    _some("deleted", st.integers(0, 8)),
    _some("edited", st.tuples(st.integers(0, 8), st.integers(0, 30))),
)
_PROGRESS = st.one_of(
    _some("reconciled", st.integers(1, 6)),
    _some("killed after", st.integers(0, 12)),
    _some("controllers lag", st.integers(1, 3)),
    _some("time passes", st.sampled_from([5, 120, 1200])),
)


def histories(*kinds: st.SearchStrategy[Disturbance]) -> st.SearchStrategy[list[Disturbance]]:
    """Disturbances, of each of `kinds` equally often, and after each some progress of the operator."""
    one = st.sampled_from(kinds).flatmap(lambda kind: kind)
    pairs = st.lists(st.tuples(one, _PROGRESS), min_size=1, max_size=10)
    return pairs.map(lambda drawn: [disturbance for pair in drawn for disturbance in pair])


def disturb(cluster: Cluster, disturbance: Disturbance, decide: Callable[[Cluster], Plan]) -> None:
    """Let it happen. Wherever it takes a reconcile, `decide` is asked for the plan."""
    what, how = disturbance
    match what:
        case "reconciled":
            for _ in range(how):
                step(cluster, decide)
        case "killed after":
            step(cluster, decide, writes=how)
        case "controllers lag":
            for _ in range(how):
                cluster.carry_out(decide(cluster))
        case _:
            _ACTS[what](cluster, how)


def step(cluster: Cluster, decide: Callable[[Cluster], Plan], writes: int | None = None) -> Plan:
    """One reconcile, of which the first `writes` are carried out; then the controllers act."""
    plan = decide(cluster)
    cluster.carry_out(plan, writes)
    cluster.pass_time()
    return plan


def merged(spec: Manifest, changes: Mapping[str, Any]) -> Manifest:
    """The spec with some fields of some sections changed."""
    sections = {
        name: {**spec.get(name, {}), **change} if isinstance(change, Mapping) else change
        for name, change in changes.items()
    }
    return {**spec, **sections}


def _freeze(cluster: Cluster, frozen: bool) -> None:
    cluster.policy = replace(cluster.policy, frozen=frozen)


def _upgrade(cluster: Cluster, image: str) -> None:
    cluster.policy = replace(cluster.policy, server_image=image)


def _lose_status(cluster: Cluster, _: None) -> None:
    cluster.observed = replace(cluster.observed, owner=replace(cluster.observed.owner, status={}))


def _break(cluster: Cluster, number: int) -> None:
    cluster.broken |= set(sorted(cluster.observed.workloads)[number : number + 1])


def _lose_a_pod(cluster: Cluster, number: int) -> None:
    del cluster.pods[number : number + 1]


def _delete(cluster: Cluster, number: int) -> None:
    children = list(cluster.observed.children.items())
    del children[number : number + 1]
    cluster.store(dict(children))


def _edit(cluster: Cluster, which: tuple[int, int]) -> None:
    number, leaf = which
    children = dict(cluster.observed.children)
    for key in list(children)[number : number + 1]:
        children[key] = _edited(children[key], leaf)
    cluster.store(children)


def _edited(child: Manifest, number: int) -> Manifest:
    """The child with one label or setting changed, of those that the API lets anybody change."""
    edited = copy.deepcopy(dict(child))
    leaves = [*_leaves(edited["metadata"]["labels"]), *_leaves(edited.get("spec", {}))]
    parent, name = leaves[number % len(leaves)]
    parent[name] = {str: "7", int: 7, bool: not parent[name]}[type(parent[name])]
    return edited


def _leaves(value: Any) -> Iterator[tuple[Any, Any]]:
    """Where the texts, numbers and booleans within `value` are: what holds each, and under which name."""
    entries = value.items() if isinstance(value, dict) else enumerate(value)
    for name, inner in entries:
        if isinstance(inner, str | int):
            yield value, name
        elif name != "selector":
            yield from _leaves(inner)


def _step(cluster: Cluster, drawn: tuple[Step, Spec]) -> None:
    cluster.change(stepped(dict(cluster.observed.owner.spec), *drawn))


_ACTS: Mapping[str, Callable[[Cluster, Any], None]] = {
    "spec": lambda cluster, changes: cluster.change(merged(cluster.observed.owner.spec, changes)),
    "field": _step,
    "time passes": lambda cluster, seconds: cluster.pass_time(seconds),
    "frozen": _freeze,
    "upgraded": _upgrade,
    "status lost": _lose_status,
    "requested": lambda cluster, text: cluster.request(text),
    "gpus": lambda cluster, gpus: setattr(cluster, "gpus", gpus),
    "demand": lambda cluster, pods: setattr(cluster, "demand", pods),
    "broken": _break,
    "healed": lambda cluster, _: cluster.broken.clear(),
    "pod lost": _lose_a_pod,
    "deleted": _delete,
    "edited": _edit,
}
