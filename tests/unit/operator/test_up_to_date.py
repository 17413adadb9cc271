"""`UpToDate` speaks of the pods that run: of what their own input would give now, whatever else is asked for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from builders import POLICY, Cluster, make_spec
from plimsoll_operator.observed import Manifest, Revision
from rollouts import condition, settled, spec_of

NEWER = replace(POLICY, server_image="plimsoll/server:2")


def told(cluster: Cluster) -> dict[str, Any]:
    return condition(cluster.observed, "UpToDate")


def restarted_and_held(**arrangement: Any) -> Cluster:
    """A newer operator, and a restart that takes its rendering and cannot go on."""
    cluster = settled(replicas=1, gpus=1)
    cluster.policy = NEWER
    if arrangement:
        cluster.change({**cluster.observed.owner.spec, "rollout": arrangement})
    cluster.request("restart#1")
    cluster.settle()
    assert condition(cluster.observed, "Ready")["status"] == "False"
    return cluster


@pytest.mark.parametrize(
    ("arrangement", "why"),
    [pytest.param({"paused": True}, "Paused", id="paused"), pytest.param({}, "NoFreeGPU", id="no GPU is free")],
)
def test_a_restart_that_waits_has_not_brought_the_newer_rendering(arrangement: dict[str, Any], why: str) -> None:
    cluster = restarted_and_held(**arrangement)
    assert condition(cluster.observed, "Ready")["reason"] == why
    stable = cluster.observed.stable
    assert stable is not None
    assert (told(cluster)["status"], told(cluster)["reason"]) == ("False", "NewerRenderingWaits")
    assert f"revision {stable.hash} would differ in spec.containers[server].image" in told(cluster)["message"]
    canary = cluster.observed.owner.status["rollout"]["canary"]
    assert told(cluster)["message"].endswith(f"revision {canary}, which is asked for, brings it")


def test_a_waiting_revision_that_is_older_itself_does_not_bring_it() -> None:
    cluster = restarted_and_held(paused=True)
    cluster.policy = replace(POLICY, server_image="plimsoll/server:3")
    cluster.settle()
    assert "kubectl plimsoll restart domains" in told(cluster)["message"]


@pytest.mark.parametrize(
    "asked_for",
    [
        pytest.param(spec_of(2, 1, paused=True), id="held"),
        pytest.param({**spec_of(2, 1), "gpu": {"profile": "nvidia-x1"}}, id="no such GPU profile"),
        pytest.param(
            make_spec(
                model={"uri": "pvc://models/v2", "shape": "modernbert-base"},
                server={"memoryUtilizationPercent": 1},
            ),
            id="nothing fits",
        ),
    ],
)
def test_a_change_of_the_users_own_is_no_newer_rendering(asked_for: Manifest) -> None:
    cluster = settled(replicas=1, gpus=2)
    cluster.change(asked_for)
    cluster.settle()
    assert condition(cluster.observed, "Ready")["status"] == "False"
    assert told(cluster)["reason"] == "AsRendered"
    cluster.policy = NEWER
    cluster.settle()
    assert "would differ in spec.containers[server].image:" in told(cluster)["message"]


def test_what_cannot_be_rendered_any_more_cannot_be_compared() -> None:
    cluster = settled(replicas=1, gpus=1)
    profiles = {name: profile for name, profile in cluster.observed.profiles.items() if name != "nvidia-l4"}
    cluster.observed = replace(cluster.observed, profiles=profiles)
    cluster.change({**spec_of(2, 1), "gpu": {"profile": "nvidia-x1"}})
    cluster.settle()
    assert (told(cluster)["status"], told(cluster)["reason"]) == ("Unknown", "NotRendered")
    assert "spec.gpu.profile 'nvidia-l4' is not in the table" in told(cluster)["message"]


def test_the_input_of_another_version_cannot_be_compared() -> None:
    cluster = settled(replicas=1, gpus=1)
    cluster.observed = replace(cluster.observed, revisions=tuple(map(of_another_version, cluster.observed.revisions)))
    cluster.change(spec_of(2, 1, paused=True))
    cluster.carry_out(cluster.reconcile())
    assert told(cluster)["reason"] == "NotRendered"
    assert "another version's input: spec.tiers" in told(cluster)["message"]


def of_another_version(revision: Revision) -> Revision:
    return replace(revision, input={"model": {"uri": "pvc://models/v1"}, "gpu": {"profile": "nvidia-l4"}})
