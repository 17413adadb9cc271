"""What comes between a canary and its verdict: its status is lost, its object is restored, its spec changes again."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from api_client import Api
from cluster.rollouts.objects import BODIES, changed, counting
from cluster.rollouts.stage import Scene, Stage
from cluster.rollouts.verdicts import served_all_along, was_taken_back
from cluster.rollouts.versions import first_versions, on_trial, pods_of, reaches, rejections_of, rollout_of, version
from cluster_kit import Kit, eventually
from kubectl_plugin import Plugin
from operator_process import OperatorProcess
from plimsoll_operator.cluster.kinds import EVENT, INFERENCE_DEPLOYMENT
from pod_history import pod_history
from rollout_history import Told
from traffic import Load

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

OBJECTS = ("superseded", "reverted", "restored")
LOAD = Load(BODIES, rate=45)


@pytest.fixture(scope="module")
def served(kit: Kit, operator: OperatorProcess) -> Iterator[None]:
    """Version 1 of each light object serves."""
    del operator
    with first_versions(kit, OBJECTS):
        yield


def lose_status(api: Api, name: str) -> None:
    """Field by field: of an object that is written without a status the apiserver keeps the old one."""
    status = api.get(INFERENCE_DEPLOYMENT, name)["status"]
    api.merge(INFERENCE_DEPLOYMENT, name, {"status": dict.fromkeys(status)}, "status")


def begun_at(told: Told) -> datetime | None:
    """When the analysis began whose evidence the object tells, once a request has been weighed."""
    evidence = told.rollout.get("evidence", {})
    return datetime.fromisoformat(evidence["since"]) if evidence.get("requests") else None


def times_rolled_back(api: Api, name: str) -> int:
    """That Events of this very object tell of."""
    uid = api.get(INFERENCE_DEPLOYMENT, name)["metadata"]["uid"]
    events = [event for event in api.select(EVENT) if event["involvedObject"].get("uid") == uid]
    return sum(event.get("count", 1) for event in events if event["reason"] == "RolledBack")


@pytest.mark.thorough
def test_a_canary_whose_status_is_lost_is_judged_from_the_beginning_and_never_again(stage: Stage) -> None:
    manifest = counting("forgotten")
    change = changed(manifest, model={"family": "faulty"})
    with stage.rollout(manifest, change, LOAD, age=0) as scene:
        before = eventually(lambda: scene.told.first(lambda told: begun_at(told) is not None), 120, scene.told.__str__)
        lose_status(stage.api, scene.name)
        after = scene.is_over(300)
        outcome = stage.end(scene)
        was_taken_back(outcome, "MoreErrors")
        assert len(outcome.canary_pods) == 1, "a pod of the canary was started again"
        assert any(told.status == {} for told in outcome.told.told), "it was not lost"
        began, began_again = begun_at(before), begun_at(after)
        assert began is not None
        assert began_again is not None
        assert began_again > began, "evidence of before was told"

        is_not_tried_again(stage, scene, manifest, change)
        assert rejections_of(stage.api, scene.name) == {outcome.canary: "MoreErrors"}


def is_not_tried_again(stage: Stage, scene: Scene, manifest: dict[str, Any], change: dict[str, Any]) -> None:
    """Neither where it stands when the status is lost, nor where it is applied anew."""
    started = scene.pods.uids
    lose_status(stage.api, scene.name)
    reaches(stage.api, scene.name, "RolledBack")
    stage.kit.apply(manifest)
    reaches(stage.api, scene.name, "Idle")
    lose_status(stage.api, scene.name)
    stage.kit.apply(change)
    reaches(stage.api, scene.name, "RolledBack")
    assert scene.pods.uids == started
    served_all_along(scene.pods, scene.before)
    assert times_rolled_back(stage.api, scene.name) == 1


def test_an_object_restored_in_the_middle_of_a_canary_goes_on_with_it_and_remembers_what_was_rejected(
    served: None, kit: Kit, api: Api
) -> None:
    """From its manifest, without status and with another UID, as a backup of children and manifests comes back."""
    name = "restored"
    rejected = on_trial(kit, api, name, 2)
    assert Plugin(kit).document("abort", name, "--wait", "--timeout", "3m")[0] == 0
    canary = on_trial(kit, api, name, 3)
    pods, stable = pods_of(api, name), rollout_of(api, name)["stable"]
    first = api.get(INFERENCE_DEPLOYMENT, name)["metadata"]
    with pod_history(api, name) as history:
        kit.kubectl("delete", "infd", name, "--cascade=orphan")
        kit.apply(version(name, 3))
        restored = reaches(api, name, "Analysing")
        second = api.get(INFERENCE_DEPLOYMENT, name)["metadata"]
        assert second["uid"] != first["uid"]
        assert (restored["stable"], restored["canary"]) == (stable, canary)
        assert datetime.fromisoformat(restored["countsFrom"]) >= datetime.fromisoformat(second["creationTimestamp"])
        assert pods_of(api, name) == pods

        kit.apply(version(name, 2))
        assert reaches(api, name, "RolledBack")["stable"] == stable
        eventually(lambda: set(pods_of(api, name)) == {stable}, 60)
    assert rejections_of(api, name) == {rejected: "Aborted"}
    assert history.begun == set(), "a pod was started"
    served_all_along(history, pods[stable])


def test_a_second_change_takes_the_place_of_the_canary_and_rejects_nothing(served: None, kit: Kit, api: Api) -> None:
    name = "superseded"
    [stable] = serving = pods_of(api, name)
    second = on_trial(kit, api, name, 2)
    with pod_history(api, name) as history:
        third = on_trial(kit, api, name, 3)
        eventually(lambda: set(pods_of(api, name)) == {stable, third}, 60)
    assert history.begun == pods_of(api, name)[third], "a pod was started beside the third version's"
    assert third != second
    assert rollout_of(api, name)["stable"] == stable
    served_all_along(history, serving[stable])
    assert rejections_of(api, name) == {}
    assert times_rolled_back(api, name) == 0


def test_the_stable_spec_again_ends_the_canary_restarts_nothing_and_rejects_nothing(
    served: None, kit: Kit, api: Api
) -> None:
    name = "reverted"
    [stable] = serving = pods_of(api, name)
    canary = on_trial(kit, api, name, 2)
    with pod_history(api, name) as history:
        kit.apply(version(name, 1))
        assert reaches(api, name, "Idle")["stable"] == stable
        eventually(lambda: pods_of(api, name) == serving, 60)
    assert history.begun == set(), "a pod was started"
    served_all_along(history, serving[stable])
    assert rejections_of(api, name) == {}
    assert times_rolled_back(api, name) == 0
    assert on_trial(kit, api, name, 2) == canary, "it is tried again: nothing was decided"
