"""Whatever happens to an object and in whatever order: once it stops, everything is as if nothing had happened."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from builders import Cluster, make_spec
from conditions_page import SUMS, as_the_table_says
from disturbances import (
    CHANGES,
    FIELDS,
    INSTALLATION,
    MODELS,
    PAUSES,
    REQUESTS,
    SURROUNDINGS,
    Disturbance,
    changes_of,
    disturb,
    histories,
    merged,
    step,
)
from drawn_examples import examples
from plimsoll_operator.observed import Manifest, ObjectKey, Observed
from plimsoll_operator.plan import Plan
from plimsoll_operator.reconcile import reconcile
from plimsoll_operator.spec import InvalidSpecError, Spec, parse_spec, revision_input
from rollouts import condition

bounded = examples(150)


@bounded
@given(histories(changes_of(*CHANGES), changes_of(*CHANGES), FIELDS, INSTALLATION, SURROUNDINGS, REQUESTS))
def test_whatever_happened_it_ends_as_a_fresh_object_would(disturbances: list[Disturbance]) -> None:
    cluster = Cluster(make_spec(), gpus=5)
    for disturbance in disturbances:
        disturb(cluster, disturbance, truthfully)
    come_to_rest(cluster)
    spec = heal(cluster)
    come_to_rest(cluster)

    fresh = Cluster(cluster.observed.owner.spec)
    come_to_rest(fresh)
    assert what_stands(cluster) == what_stands(fresh)
    [stable] = [revision for revision in cluster.observed.revisions if revision.stable]
    assert stable.input == revision_input(spec)
    to_return_to = [revision for revision in cluster.observed.revisions if not revision.rejected]
    assert len(to_return_to) <= 1 + spec.rollout.revision_history_limit
    assert cluster.observed.ready >= spec.scaling.min_replicas
    assert condition(cluster.observed, "Ready")["status"] == "True"


@bounded
@given(
    replicas=st.integers(1, 5),
    spare=st.integers(0, 3),
    provider=st.sampled_from(["HPA", "None"]),
    broken=st.sets(st.sampled_from(["pvc://models/v2", "pvc://models/v3"])),
    disturbances=histories(changes_of(*MODELS, *PAUSES), INSTALLATION, REQUESTS),
)
def test_a_rolling_update_never_takes_more_than_one_pod_from_a_revision_that_serves(
    replicas: int, spare: int, provider: str, broken: set[str], disturbances: list[Disturbance]
) -> None:
    scaling = {"minReplicas": 1 if provider == "HPA" else replicas, "provider": provider}
    cluster = Cluster(make_spec(scaling=scaling), gpus=replicas + spare)
    cluster.demand, cluster.broken = replicas, broken
    come_to_rest(cluster)
    fewest = replicas - 1
    for disturbance in [*disturbances, *([Disturbance("reconciled", 1)] * 20)]:
        # Without its status a rollout goes on from the pods that serve, one of which may have made room already.
        fewest -= disturbance.what == "status lost"
        disturb(cluster, disturbance, truthfully)
        assert cluster.observed.ready >= max(1, fewest)


@bounded
@given(histories(changes_of(*MODELS, *PAUSES), INSTALLATION, REQUESTS, REQUESTS))
def test_each_request_restarts_once_whatever_happens_in_between(disturbances: list[Disturbance]) -> None:
    cluster = Cluster(make_spec(rollout={"revisionHistoryLimit": 0}))
    counts: dict[str, set[int]] = {}
    for disturbance in disturbances:
        disturb(cluster, disturbance, truthfully)
        for revision in cluster.observed.revisions:
            counts.setdefault(revision.restarts.nonce, set()).add(revision.restarts.count)
    assert all(len(each) == 1 for each in counts.values()), counts


def truthfully(cluster: Cluster) -> Plan:
    """The plan of a reconcile. Whatever has happened before, it is sound, and its status tells what was observed."""
    observed = cluster.observed
    plan = reconcile(observed, cluster.policy, cluster.now)
    check_writes(observed, plan)
    check_status(observed, plan.status if plan.status is not None else observed.owner.status)
    return plan


def check_writes(observed: Observed, plan: Plan) -> None:
    applied = {ObjectKey.of(manifest): manifest for manifest in plan.apply}
    left = (observed.children.keys() | applied.keys()) - set(plan.delete)
    deployments = {key.name for key in left if key.kind == "Deployment"}
    for key, manifest in applied.items():
        if key.kind == "Deployment":
            assert "replicas" not in manifest["spec"]
        if key.kind == "HorizontalPodAutoscaler":
            assert manifest["spec"]["scaleTargetRef"]["name"] in deployments


def check_status(observed: Observed, status: Manifest) -> None:
    told = {condition["type"]: condition["status"] for condition in status["conditions"]}
    [reason] = [condition["reason"] for condition in status["conditions"] if condition["type"] == "Ready"]
    assert as_the_table_says(reason, tuple(told[kind] for kind in SUMS)), reason
    assert status["observedGeneration"] == observed.owner.generation
    assert (told["Reconciling"], told["Stalled"]) != ("True", "True")
    assert told["Available"] == ("True" if observed.ready else "False")
    if told["Ready"] == "True":
        spec = parse_spec(observed.owner.spec)
        assert observed.stable is not None
        assert observed.stable.input == revision_input(spec)
        assert set(observed.workloads) == {observed.stable.hash}
        assert observed.ready >= spec.scaling.min_replicas


def come_to_rest(cluster: Cluster, moves: int = 200) -> None:
    """Reconcile until nothing moves and no moment is waited for; then nothing is ever written again."""
    for _ in range(moves):
        before = cluster.observed
        plan = step(cluster, truthfully)
        if plan.writes == 0 and cluster.observed == before:
            if plan.requeue_after is None:
                assert reconcile(cluster.observed, cluster.policy, cluster.now + timedelta(days=1)) == Plan()
                return
            cluster.pass_time(plan.requeue_after.total_seconds())
    raise AssertionError(f"not at rest after {moves} moves")


def heal(cluster: Cluster) -> Spec:
    """A world without trouble, and a spec that can be carried out in it."""
    cluster.gpus, cluster.broken, cluster.demand = 100, set(), None
    cluster.policy = replace(cluster.policy, frozen=False)
    spec = merged(cluster.observed.owner.spec, {"rollout": {"paused": False}})
    if spec["gpu"]["profile"] == "no-such-profile":
        spec = merged(spec, {"gpu": {"profile": "nvidia-l4"}})
    try:
        parse_spec(spec)
    except InvalidSpecError:
        spec = merged(spec, MODELS[0])
    cluster.change(spec)
    return parse_spec(spec)


def what_stands(cluster: Cluster) -> dict[ObjectKey, Any]:
    """The children without older revisions and what depends on the past: numbers, hashes, when a pod was rendered."""
    assert cluster.observed.stable is not None
    forgotten = {revision.name for revision in cluster.observed.revisions if not revision.stable}
    stand = [masked(child) for key, child in cluster.observed.children.items() if key.name not in forgotten]
    anonymous = json.loads(json.dumps(stand).replace(cluster.observed.stable.hash, "HASH"))
    return {ObjectKey.of(child): child for child in anonymous}


def masked(child: Manifest) -> Manifest:
    plain = copy.deepcopy(dict(child))
    plain.pop("revision", None)
    plain.get("data", {}).pop("template", None)
    plain.get("data", {}).pop("restarts", None)
    if plain["kind"] == "Deployment":
        del plain["spec"]["template"]
    del plain["metadata"]["annotations"]
    return plain
