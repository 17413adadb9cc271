"""Every status that the operator writes is one that the apiserver stores whole: a field it does not know is dropped."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

import canaries
from builders import Cluster, make_pod, make_spec
from measured import Traffic, begun, look_at, lose_prometheus, promoted_undecided, tell, trial, watch
from plimsoll_operator.observed import Pack
from rollouts import at_rest, look, reject, watched_start

ROOT = Path(__file__).resolve().parents[2]
DEFINITION = yaml.safe_load((ROOT / "crds" / "plimsoll.dev_inferencedeployments.yaml").read_text(encoding="utf-8"))
STATUS = DEFINITION["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["status"]
KNOWN_SHAPE = {"uri": "pvc://models/domains", "shape": "modernbert-base"}
TOO_MUCH = {"name": "a", "maxTokens": 32768, "concurrency": 999}

LIVES = {
    "a first rollout": [make_spec()],
    "a rollout with a known shape": [make_spec(model=KNOWN_SHAPE)],
    "a change by RollingUpdate": [make_spec(), make_spec(gpu={"profile": "nvidia-h100-80gb"})],
    "a change by Recreate": [make_spec(), make_spec(model=KNOWN_SHAPE, rollout={"strategy": "Recreate"})],
    "a change that is paused": [make_spec(), make_spec(model=KNOWN_SHAPE, rollout={"paused": True})],
    "a profile that nobody knows": [make_spec(gpu={"profile": "abacus"})],
    "a shape that nobody knows": [make_spec(model={"uri": "pvc://models/domains", "shape": "sphere"})],
    "a line far exceeded": [
        make_spec(model=KNOWN_SHAPE, tiers=[{"name": "a", "maxTokens": 32768, "concurrency": 999}])
    ],
    "a spec that the schema should have refused": [make_spec(gpu={"profile": "cpu", "count": "many"})],
}


def strict(schema: dict[str, Any]) -> dict[str, Any]:
    """The same schema, refusing the fields it does not know instead of dropping them."""
    closed = dict(schema)
    if "properties" in schema:
        closed |= {"properties": {k: strict(v) for k, v in schema["properties"].items()}, "additionalProperties": False}
    if "items" in schema:
        closed["items"] = strict(schema["items"])
    return closed


def statuses(specs: list[dict[str, Any]]) -> Iterator[Any]:
    """Each status on the way through a life: one spec after the other, each reconciled to rest."""
    cluster = Cluster(specs[0])
    for spec in specs:
        cluster.change(spec)
        yield from (state.owner.status for state in cluster.settle() if state.owner.status)
    for request in ("restart#1", "promote@0ld#2", "what?"):
        cluster.request(request)
        yield from (state.owner.status for state in cluster.settle())


def status_of_a_kill() -> Any:
    """Status once a pod was killed for memory."""
    cluster = at_rest()
    [workload] = cluster.observed.workloads.values()
    pack = Pack("short", 512, 8)
    killed = make_pod(workload.revision, last_exit_reason="OOMKilled", last_exit_at=cluster.now, last_pack=pack)
    workloads = {workload.revision: replace(workload, pods=(killed,))}
    cluster.observed = replace(cluster.observed, workloads=workloads)
    look(cluster)
    return cluster.observed.owner.status


def status_of_a_rejection() -> Any:
    """Status where an older revision was taken back."""
    cluster = Cluster(make_spec())
    cluster.settle()
    cluster.change(make_spec(model=KNOWN_SHAPE))
    cluster.settle()
    reject(cluster, min(cluster.observed.revisions, key=lambda revision: revision.number).hash)
    look(cluster)
    return cluster.observed.owner.status


def statuses_of_a_trial() -> Iterator[Any]:
    """Status while a canary is compared, and once Prometheus is gone and a pod of it was killed."""
    cluster = trial()
    watch(cluster, Traffic(), Traffic(), looks=2)
    yield cluster.observed.owner.status
    revision = cluster.observed.owner.status["rollout"]["canary"]
    workload = cluster.observed.workloads[revision]
    killed = make_pod(revision, restarts=1, last_exit_reason="OOMKilled", last_exit_at=cluster.now)
    workloads = {**cluster.observed.workloads, revision: replace(workload, pods=(killed,))}
    cluster.observed = replace(cluster.observed, workloads=workloads)
    lose_prometheus(cluster)
    yield cluster.observed.owner.status


def status_of_a_step_after_an_outage() -> Any:
    """Status in a step that began after Prometheus had been away for a while."""
    trials = canaries.changed(canaries.served(3))
    trials.blind = timedelta(minutes=1)
    canaries.look(canaries.analysed(trials), 2)
    return trials.observed.owner.status


def status_of_two_tiers() -> Any:
    """Status where one tier fails, and another has come to one side only."""

    def spec(version: int) -> dict[str, Any]:
        tiers = [{"name": name, "maxTokens": most, "concurrency": 8} for name, most in (("short", 512), ("long", 1024))]
        fixed = {"minReplicas": 3, "provider": "None"}
        model = {"uri": f"pvc://models/v{version}"}
        return make_spec(model=model, tiers=tiers, scaling=fixed, rollout={"strategy": "Canary"})

    cluster = begun(spec(1), spec(2))
    stable = (Traffic(length="512"), Traffic(tier="long", length="1024"))
    canary = (Traffic(ok=5, failed=5, length="512"), Traffic(tier="long", length="2048"))
    watch(cluster, (*canary, Traffic(tier="none", length="64")), stable, looks=2)
    return cluster.observed.owner.status


def status_by_a_clock_that_is_ahead() -> Any:
    """Status where the operator's clock shows a minute more than Prometheus'."""
    cluster, ahead = trial(), timedelta(minutes=1)
    cluster.now += ahead
    look_at(cluster, Traffic(), Traffic())
    told = cluster.observed.measurements
    assert told is not None
    cluster.observed = replace(cluster.observed, measurements=replace(told, clock=cluster.now - ahead, ahead=ahead))
    tell(cluster)
    return cluster.observed.owner.status


def status_without_a_decision() -> Any:
    """Status once time was up, where somebody has to decide."""
    trials = canaries.changed(canaries.served(3, canary={"maxDuration": "5m", "onInconclusive": "Pause"}))
    canaries.watched(canaries.analysed(trials), timedelta(minutes=5))
    trials.until_phase("Inconclusive")
    return trials.observed.owner.status


def status_where_only_the_canary_serves() -> Any:
    """Status while no pod of the stable revision is ready."""
    trials = canaries.analysed(canaries.changed(canaries.served(3)))
    canaries.fallen_silent(trials, 1)
    canaries.look(trials, 2)
    return trials.observed.owner.status


def statuses_of_a_canary_in_need() -> Iterator[Any]:
    """Status of one that took a pod's place and was not asked anything until time was up, nor then measured."""
    trials = canaries.changed(canaries.served(3, gpus=3), canary={"maxDuration": "1m", "capacity": "Replace"})
    trials.data = "NoTraffic"
    yield trials.until(lambda trials: "heldWithoutData" in trials.rollout)[-1].owner.status
    trials.data = "CanaryMissing"
    trials.reconcile()
    yield trials.observed.owner.status
    canaries.changed(trials, paused=True)
    canaries.fallen_silent(trials, 2)
    canaries.look(trials, 2)
    yield trials.observed.owner.status
    waiting = canaries.changed(canaries.served(3, gpus=3))
    canaries.look(waiting, 3)
    yield waiting.observed.owner.status


@pytest.mark.parametrize("specs", LIVES.values(), ids=LIVES.keys())
def test_every_status_on_the_way_fits_the_schema(specs: list[dict[str, Any]]) -> None:
    seen = list(statuses(specs))
    assert seen
    for status in seen:
        jsonschema.validate(status, strict(STATUS), format_checker=jsonschema.FormatChecker())


def test_every_field_of_the_status_is_written_by_somebody() -> None:
    written = {path for specs in LIVES.values() for status in statuses(specs) for path in paths(status)}
    told = (*statuses_of_a_trial(), *statuses_of_a_canary_in_need())
    for status in (
        watched_start(),
        status_of_a_kill(),
        status_of_a_rejection(),
        promoted_undecided().observed.owner.status,
        status_of_a_step_after_an_outage(),
        status_of_two_tiers(),
        status_by_a_clock_that_is_ahead(),
        status_without_a_decision(),
        status_where_only_the_canary_serves(),
        *told,
    ):
        jsonschema.validate(status, strict(STATUS), format_checker=jsonschema.FormatChecker())
        written |= set(paths(status))
    declared = set(paths_of(STATUS))
    assert declared <= written, f"nothing writes {declared - written}"


def paths(value: Any, path: str = "") -> Iterator[str]:
    if isinstance(value, list | tuple):
        for item in value:
            yield from paths(item, f"{path}[]")
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield f"{path}.{name}"
            yield from paths(inner, f"{path}.{name}")


def paths_of(schema: dict[str, Any], path: str = "") -> Iterator[str]:
    for name, child in schema.get("properties", {}).items():
        yield f"{path}.{name}"
        yield from paths_of(child.get("items", child), f"{path}.{name}" + ("[]" if "items" in child else ""))
