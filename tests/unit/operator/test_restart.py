"""A restart takes a newer rendering: once per ID, whenever the operator ends and whatever becomes of its status."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from builders import POLICY, PROFILES, Cluster, make_spec
from plimsoll_operator.names import content_hash
from plimsoll_operator.observed import Observed
from plimsoll_operator.requests import REMEMBERED
from rollouts import at_rest, autoscaled, condition, settled, spec_of

NEWER = replace(POLICY, server_image="plimsoll/server:2")


def image_of(state: Observed) -> str:
    """The image of the one Deployment."""
    [deployment] = [live for key, live in state.children.items() if key.kind == "Deployment"]
    return str(deployment["spec"]["template"]["spec"]["containers"][0]["image"])


def stable_of(cluster: Cluster) -> str:
    assert cluster.observed.stable is not None
    return cluster.observed.stable.hash


def last_request(cluster: Cluster) -> dict[str, Any]:
    return dict(cluster.observed.owner.status["rollout"]["lastRequest"])


def lose_status(cluster: Cluster) -> None:
    cluster.observed = replace(cluster.observed, owner=replace(cluster.observed.owner, status={}))


def upgraded(cluster: Cluster) -> Cluster:
    """At rest under an operator that renders pods differently."""
    cluster.policy = NEWER
    cluster.settle()
    return cluster


def test_a_newer_operator_restarts_no_pod_and_says_that_its_rendering_waits() -> None:
    cluster = settled(replicas=2, gpus=4)
    pods = list(cluster.pods)
    assert condition(cluster.observed, "UpToDate")["reason"] == "AsRendered"
    upgraded(cluster)
    assert cluster.pods == pods
    told = condition(cluster.observed, "UpToDate")
    assert (told["status"], told["reason"]) == ("False", "NewerRenderingWaits")
    assert "spec.containers[server].image:" in told["message"]
    assert "kubectl plimsoll restart domains -n guardrails" in told["message"]
    assert condition(cluster.observed, "Ready")["status"] == "True"


def test_a_changed_gpu_table_restarts_no_pod_and_is_named() -> None:
    cluster = at_rest(make_spec(model={"uri": "pvc://models/domains", "shape": "modernbert-base"}))
    stable = stable_of(cluster)
    larger = replace(PROFILES["nvidia-l4"], node_selector={"pool": "new"})
    cluster.observed = replace(cluster.observed, profiles={**PROFILES, "nvidia-l4": larger})
    cluster.settle()
    assert stable_of(cluster) == stable
    message = condition(cluster.observed, "UpToDate")["message"]
    assert "spec.nodeSelector[nvidia.com/gpu.product], spec.nodeSelector.pool:" in message


def test_what_cannot_be_rendered_cannot_be_compared() -> None:
    cluster = at_rest()
    cluster.observed = replace(cluster.observed, profiles={})
    cluster.settle()
    assert condition(cluster.observed, "UpToDate")["reason"] == "NotRendered"


@pytest.mark.parametrize("strategy", ["RollingUpdate", "Recreate"])
def test_a_restart_takes_the_newer_rendering_by_the_specs_strategy(strategy: str) -> None:
    cluster = upgraded(settled(replicas=3, gpus=3, strategy=strategy))
    old = stable_of(cluster)
    cluster.request("restart#1")
    states = cluster.settle()
    assert image_of(cluster.observed) == "plimsoll/server:2"
    assert condition(cluster.observed, "UpToDate")["status"] == "True"
    assert last_request(cluster) == {
        "id": "1",
        "verb": "restart",
        "revision": stable_of(cluster),
        "outcome": "Accepted",
        "message": last_request(cluster)["message"],
        "at": last_request(cluster)["at"],
    }
    assert stable_of(cluster) != old
    assert min(state.ready for state in states) >= (2 if strategy == "RollingUpdate" else 0)


def test_a_restart_with_nothing_new_to_take_replaces_the_pods_all_the_same() -> None:
    cluster = settled(replicas=1, gpus=2)
    [pod] = cluster.pods
    cluster.request("restart#1")
    cluster.settle()
    assert [other.name for other in cluster.pods] != [pod.name]


@pytest.mark.parametrize("writes", range(10))
def test_an_operator_killed_at_any_write_of_a_restart_restarts_once(writes: int) -> None:
    cluster = upgraded(autoscaled(3))
    cluster.request("restart#1")
    for _ in range(60):
        cluster.reconcile(writes=writes)
        lose_status(cluster)
        cluster.reconcile(writes=0)
        assert len(cluster.observed.revisions) <= 2
    cluster.settle()
    assert len(cluster.observed.revisions) == 2
    assert image_of(cluster.observed) == "plimsoll/server:2"


def restarted(cluster: Cluster, request: str = "restart#1") -> str:
    cluster.request(request)
    cluster.settle()
    return stable_of(cluster)


def test_a_request_that_was_carried_out_is_not_repeated_when_status_is_lost() -> None:
    cluster = settled(replicas=1, gpus=2)
    stable = restarted(cluster)
    lose_status(cluster)
    cluster.settle()
    assert stable_of(cluster) == stable
    assert last_request(cluster)["outcome"] == "Accepted"


def test_a_request_is_remembered_when_the_revision_that_it_made_is_long_forgotten() -> None:
    cluster = Cluster(spec_of(1, 1, revisionHistoryLimit=0))
    cluster.settle()
    restarted(cluster)
    for version in (2, 3):
        cluster.change(spec_of(version, 1, revisionHistoryLimit=0))
        cluster.settle()
    stable = stable_of(cluster)
    lose_status(cluster)
    cluster.request("restart#1")
    cluster.settle()
    assert stable_of(cluster) == stable


@pytest.mark.parametrize("back", [None, "restart#1"], ids=["taken off", "put back by GitOps"])
def test_an_annotation_that_goes_back_undoes_and_repeats_nothing(back: str | None) -> None:
    cluster = upgraded(settled(replicas=1, gpus=2))
    restarted(cluster, "restart#1")
    stable = restarted(cluster, "restart#2")
    cluster.request(back)
    cluster.settle()
    assert stable_of(cluster) == stable
    assert image_of(cluster.observed) == "plimsoll/server:2"


def test_an_object_made_anew_with_an_old_annotation_starts_once() -> None:
    cluster = Cluster(spec_of(1, 1))
    cluster.request("restart#1")
    cluster.settle()
    assert len(cluster.observed.revisions) == 1
    assert last_request(cluster)["outcome"] == "Accepted"


def test_an_old_annotation_on_an_object_made_anew_asks_for_nothing_even_if_bound_to_the_revision_it_gets() -> None:
    cluster = settled(replicas=1, gpus=2)
    request = f"restart@{stable_of(cluster)}#1"
    again = Cluster(spec_of(1, 1))
    again.request(request)
    again.settle()
    assert len(again.observed.revisions) == 1


def test_a_change_after_a_restart_and_back_takes_the_restarted_revision() -> None:
    cluster = upgraded(settled(replicas=1, gpus=2))
    stable = restarted(cluster)
    cluster.change(spec_of(2, 1))
    cluster.settle()
    assert stable_of(cluster) != stable
    cluster.change(spec_of(1, 1))
    cluster.settle()
    assert stable_of(cluster) == stable


def test_the_answer_names_the_revision_that_carried_the_request_out_also_after_others_have_come() -> None:
    cluster = settled(replicas=1, gpus=2)
    restarted(cluster)
    answered = last_request(cluster)
    cluster.change(spec_of(2, 1))
    cluster.settle()
    assert last_request(cluster) == answered


def test_a_restart_where_nothing_can_run_yet_names_no_revision() -> None:
    cluster = Cluster(make_spec(gpu={"profile": "abacus"}))
    cluster.request("restart#1")
    cluster.settle()
    assert last_request(cluster)["outcome"] == "Accepted"
    assert "revision" not in last_request(cluster)
    cluster.change(make_spec())
    cluster.settle()
    assert len(cluster.observed.revisions) == 1


def test_a_restart_and_a_change_at_once_are_one_rollout() -> None:
    cluster = settled(replicas=1, gpus=2)
    cluster.request("restart#1")
    cluster.change(spec_of(2, 1))
    cluster.settle()
    assert len(cluster.observed.revisions) == 2


def test_a_history_entry_deleted_after_a_restart_comes_back_without_a_new_pod() -> None:
    cluster = settled(replicas=1, gpus=2)
    stable = restarted(cluster)
    pods = list(cluster.pods)
    cluster.request(None)
    cluster.store(
        {key: live for key, live in cluster.observed.children.items() if not key.name.endswith(stable)}
        | {key: live for key, live in cluster.observed.children.items() if key.kind == "Deployment"}
    )
    cluster.settle()
    assert stable_of(cluster) == stable
    assert cluster.pods == pods


def test_only_so_many_ids_are_kept() -> None:
    cluster = settled(replicas=1, gpus=2)
    for number in range(REMEMBERED + 5):
        restarted(cluster, f"restart#{number}")
    assert cluster.observed.stable is not None
    assert len(cluster.observed.stable.restarts.ids) == REMEMBERED
    assert cluster.observed.stable.restarts.count == REMEMBERED + 5


REFUSED = [
    pytest.param("promote#7", "Refused", "7", id="a verb for which there is nothing to do"),
    pytest.param("restart@0000000000#8", "Outdated", "8", id="bound to another revision"),
    pytest.param("restart", "Invalid", "", id="no ID"),
    pytest.param("destroy#9", "Invalid", "", id="no such verb"),
    pytest.param("restart#" + "x" * 64, "Invalid", "", id="an ID too long"),
    pytest.param("", "Invalid", "", id="empty"),
]


@pytest.mark.parametrize(("text", "outcome", "request_id"), REFUSED)
def test_what_cannot_be_done_is_answered_and_changes_nothing(text: str, outcome: str, request_id: str) -> None:
    cluster = settled(replicas=1, gpus=2)
    stable = stable_of(cluster)
    cluster.request(text)
    cluster.settle()
    assert (last_request(cluster)["outcome"], last_request(cluster)["id"]) == (outcome, request_id)
    assert stable_of(cluster) == stable
    assert len(cluster.observed.revisions) == 1


def test_a_restart_bound_to_the_present_revision_is_carried_out() -> None:
    cluster = settled(replicas=1, gpus=2)
    before = stable_of(cluster)
    assert restarted(cluster, f"restart@{before}#1") != before


def test_a_request_that_came_too_late_stays_so_when_the_spec_goes_back() -> None:
    cluster = settled(replicas=1, gpus=2)
    first = stable_of(cluster)
    cluster.change(spec_of(2, 1))
    cluster.request(f"restart@{first}#1")
    cluster.settle()
    assert last_request(cluster)["outcome"] == "Outdated"
    cluster.change(spec_of(1, 1))
    cluster.settle()
    assert stable_of(cluster) == first


def test_a_restart_waits_for_what_a_new_revision_needs_and_is_then_carried_out() -> None:
    cluster = settled(replicas=1, gpus=2)
    before = stable_of(cluster)
    cluster.observed = replace(cluster.observed, profiles={})
    cluster.request("restart#1")
    cluster.settle()
    assert last_request(cluster)["outcome"] == "Waiting"
    assert "nvidia-l4" in last_request(cluster)["message"]
    assert stable_of(cluster) == before
    cluster.observed = replace(cluster.observed, profiles=PROFILES)
    cluster.settle()
    assert last_request(cluster)["outcome"] == "Accepted"
    assert stable_of(cluster) != before


def test_a_paused_object_keeps_its_pods_until_it_goes_on() -> None:
    cluster = Cluster(spec_of(1, 1, paused=True))
    cluster.settle()
    before = stable_of(cluster)
    assert restarted(cluster) == before
    assert condition(cluster.observed, "Ready")["reason"] == "Paused"
    cluster.change(spec_of(1, 1))
    cluster.settle()
    assert stable_of(cluster) == last_request(cluster)["revision"] != before


def test_a_spec_that_cannot_be_read_keeps_the_last_answer() -> None:
    cluster = settled(replicas=1, gpus=2)
    restarted(cluster)
    answered = last_request(cluster)
    cluster.change({**make_spec(), "gpu": {"profile": "cpu", "count": "many"}})
    cluster.settle()
    assert last_request(cluster) == answered


def test_what_a_newer_operator_wrote_into_the_history_is_left_in_it() -> None:
    cluster = settled(replicas=1, gpus=2)
    children = {
        key: {**live, "data": {**live["data"], "judged": {"by": "a newer one"}}} if "data" in live else live
        for key, live in cluster.observed.children.items()
    }
    cluster.store(children)
    for _ in range(3):
        written = [manifest for manifest in cluster.reconcile().apply if "data" in manifest]
        assert all(manifest["data"]["judged"] == {"by": "a newer one"} for manifest in written)


def test_revisions_that_were_never_restarted_keep_the_hash_they_had_before_there_were_restarts() -> None:
    cluster = settled(replicas=1, gpus=2)
    assert cluster.observed.stable is not None
    assert stable_of(cluster) == content_hash([cluster.observed.stable.input, 0])
