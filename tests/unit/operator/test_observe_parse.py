"""From Kubernetes' JSON to what a reconcile looks at."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from builders import make_owner, make_spec
from live_objects import HASH, LABELS, make_child, make_deployment, make_pod, make_revision
from plimsoll_operator.cluster import kinds
from plimsoll_operator.cluster.history import UnreadableObjectError, parse_revision
from plimsoll_operator.cluster.observe import assemble
from plimsoll_operator.cluster.parse import (
    parse_owner,
    parse_pod,
    parse_workload,
    parse_workloads,
)
from plimsoll_operator.cluster.profiles import ProfileTable, parse_table
from plimsoll_operator.observed import MEMORY, Manifest, Milestones, ObjectKey, Pack, Pod, Rejection, Revision


def condition(kind: str, status: str, message: str = "") -> dict[str, Any]:
    return {"conditions": [{"type": kind, "status": status, "message": message}]}


OOM = {"terminated": {"reason": "OOMKilled", "exitCode": 137}}
CRASH = {"terminated": {"reason": "Error", "exitCode": 1}}
PACK = '{"tier":"long","tokens":8192,"sequences":1}'


def at(seconds: int) -> datetime:
    return datetime(2026, 5, 4, 3, 0, tzinfo=UTC) + timedelta(seconds=seconds)


def text(seconds: int) -> str:
    return at(seconds).strftime("%Y-%m-%dT%H:%M:%SZ")


RUN = {"startedAt": text(30), "finishedAt": text(90)}


@pytest.mark.parametrize(
    ("manifest", "expected"),
    [
        pytest.param(make_pod(**condition("Ready", "True")), {"ready": True}, id="ready"),
        pytest.param(make_pod(**condition("Ready", "False")), {"ready": False}, id="not ready"),
        pytest.param(make_pod(node=""), {"scheduled": False}, id="not yet looked at by the scheduler"),
        pytest.param(
            make_pod(node="", **condition("PodScheduled", "False", "0/3 nodes: insufficient nvidia.com/gpu")),
            {"scheduled": False, "unschedulable": "0/3 nodes: insufficient nvidia.com/gpu"},
            id="no node has room",
        ),
        pytest.param(
            make_pod(container={"state": {"waiting": {"reason": "ErrImagePull", "message": "no such image"}}}),
            {"waiting_reason": "ErrImagePull", "waiting_message": "no such image"},
            id="image missing",
        ),
        pytest.param(
            make_pod(container={"state": {"running": {}}, "lastState": OOM, "restartCount": 2}),
            {"restarts": 2, "last_exit_reason": "OOMKilled", "last_exit_code": 137},
            id="killed for memory and running again",
        ),
        pytest.param(
            make_pod(container={"state": {"terminated": {**OOM["terminated"], **RUN, "message": PACK}}}),
            {
                "last_exit_reason": "OOMKilled",
                "last_exit_code": 137,
                "last_exit_at": at(90),
                "last_run": timedelta(seconds=60),
                "last_pack": Pack("long", 8192, 1),
            },
            id="killed for memory while a pack ran",
        ),
        *(
            pytest.param(
                make_pod(container={"state": {"terminated": {"message": words}}}),
                {"last_exit_message": words},
                id=f"last words that only look like a note: {words[:24]}",
            )
            for words in ('{"tier":1}', PACK.replace("8192", "1e999"), PACK.replace("long", "x" * 33), "[" * 300)
        ),
        pytest.param(
            make_pod(container={"state": CRASH, "lastState": OOM}),
            {"last_exit_reason": "Error", "last_exit_code": 1},
            id="the newest end counts",
        ),
        pytest.param(
            {"metadata": {"name": "p", "labels": LABELS, "deletionTimestamp": "2026-05-04T03:00:00Z"}},
            {"terminating": True, "scheduled": False},
            id="terminating, without a status",
        ),
    ],
)
def test_a_pod_is_cut_down_to_what_decisions_need(manifest: Manifest, expected: dict[str, Any]) -> None:
    ordinary: dict[str, Any] = {"name": "p", "revision": HASH, "ready": False, "scheduled": True, "terminating": False}
    assert parse_pod(manifest) == Pod(**(ordinary | expected))


def test_a_pod_that_starts_tells_how_far_it_has_got() -> None:
    scheduled = {"type": "PodScheduled", "status": "True", "lastTransitionTime": text(1)}
    ready = {"type": "Ready", "status": "False", "lastTransitionTime": text(2)}
    running = {"state": {"running": {"startedAt": text(4)}}, "started": True}
    manifest: dict[str, Any] = dict(make_pod(container=running, conditions=[scheduled, ready]))
    manifest["metadata"] = {**manifest["metadata"], "creationTimestamp": text(0)}
    assert parse_pod(manifest).milestones == Milestones(at(0), at(1), at(4), started=True, ready_changed=at(2))


def test_a_revision_holds_the_users_input_and_the_frozen_template() -> None:
    assert parse_revision(make_revision()) == Revision(
        HASH, f"domains-{HASH}", 3, False, "2026-05-04T03:00:00Z", {"model": {}}, {"spec": {}}
    )


def test_the_stable_revision_is_told_by_its_label() -> None:
    labels = LABELS | {"plimsoll.dev/stable": "true"}
    metadata = {"labels": labels, "creationTimestamp": "2026-05-04T03:00:00Z"}
    assert parse_revision(make_revision(metadata=metadata)).stable


REJECTED = {"plimsoll.dev/rejected": "true"}
TOLD = {"reason": "Errors", "message": "as status says"}
UNKNOWN = "why is written down nowhere any more"


@pytest.mark.parametrize(
    ("labels", "annotation", "told", "rejected"),
    [
        pytest.param({}, None, {}, None, id="an older release wrote no label"),
        pytest.param({"plimsoll.dev/rejected": "false"}, None, {"rejected": TOLD}, None, id="the label counts first"),
        pytest.param(REJECTED, "Aborted: on request 7: now", {}, Rejection("Aborted", "on request 7: now"), id="both"),
        pytest.param(REJECTED, None, {"rejected": TOLD}, Rejection(**TOLD), id="the annotation is gone"),
        pytest.param(REJECTED, "edited", {}, Rejection("Rejected", UNKNOWN), id="no why"),
        pytest.param({}, None, {"rejected": TOLD}, Rejection(**TOLD), id="the label is gone"),
        pytest.param(
            {"plimsoll.dev/rejected": "x"}, None, {"rejected": TOLD}, Rejection(**TOLD), id="the label edited"
        ),
    ],
)
def test_a_rejection_is_told_by_the_label_and_else_by_status(
    labels: dict[str, str], annotation: str | None, told: dict[str, Any], rejected: Rejection | None
) -> None:
    annotations = {} if annotation is None else {"plimsoll.dev/rejected-because": annotation}
    created = "2026-05-04T03:00:00Z"
    metadata = {"labels": LABELS | labels, "annotations": annotations, "creationTimestamp": created}
    assert parse_revision(make_revision(metadata=metadata), told).rejected == rejected


@pytest.mark.parametrize(
    ("labels", "told", "promoted"),
    [
        pytest.param({"plimsoll.dev/stable": "true"}, {}, True, id="the stable one of an older release"),
        pytest.param({"plimsoll.dev/stable": "false"}, {}, False, id="another one of it"),
        pytest.param({"plimsoll.dev/promoted": "true"}, {}, True, id="by its label"),
        pytest.param({}, {"promoted": True}, True, id="the label is gone"),
    ],
)
def test_what_was_ever_stable_counts_as_promoted(labels: dict[str, str], told: dict[str, Any], promoted: bool) -> None:
    metadata = {"labels": LABELS | labels, "creationTimestamp": "2026-05-04T03:00:00Z"}
    assert parse_revision(make_revision(metadata=metadata), told).promoted == promoted


@pytest.mark.parametrize(
    ("damaged", "says"),
    [
        pytest.param({"data": None}, "data of type NoneType", id="no data"),
        pytest.param({"data": {"input": {}}}, r"the fields \['input'\]", id="no template"),
    ],
)
def test_a_damaged_revision_is_named_with_what_to_do(damaged: dict[str, Any], says: str) -> None:
    with pytest.raises(UnreadableObjectError, match=f"ControllerRevision domains-{HASH}: .*{says}.*delete it"):
        parse_revision(make_revision(**damaged))


@pytest.mark.parametrize("labels", [{}, {"plimsoll.dev/revision": "edited"}], ids=["removed", "edited"])
def test_labels_edited_by_hand_hide_no_revision(labels: dict[str, str]) -> None:
    metadata = {"labels": labels, "creationTimestamp": "2026-05-04T03:00:00Z"}
    assert parse_revision(make_revision(metadata=metadata)).hash == HASH
    assert parse_workload(make_deployment(metadata={"labels": labels}), {}).revision == HASH


@pytest.mark.parametrize(
    ("fields", "replicas", "failure"),
    [
        pytest.param({}, 2, "", id="as asked"),
        pytest.param({"spec": {}}, 1, "", id="unset means one"),
        pytest.param({"spec": {"replicas": 0}}, 0, "", id="zero is zero"),
        pytest.param({"status": condition("ReplicaFailure", "True", "quota")}, 2, "quota", id="pods refused"),
        pytest.param({"status": condition("ReplicaFailure", "False", "old")}, 2, "", id="no longer refused"),
    ],
)
def test_a_deployment_becomes_a_workload(fields: dict[str, Any], replicas: int, failure: str) -> None:
    workload = parse_workload(make_deployment(**fields), {})
    assert (workload.replicas, workload.replica_failure, workload.revision) == (replicas, failure, HASH)


def test_a_new_object_has_neither_status_nor_annotations() -> None:
    metadata = {"namespace": "guardrails", "name": "domains", "uid": "uid-1", "generation": 1, "resourceVersion": "42"}
    assert parse_owner({"metadata": metadata, "spec": make_spec()}) == make_owner()


SOMEBODY = {"ownerReferences": [{"uid": "uid-2", "controller": True}]}
MERELY_LISTED = {"ownerReferences": [{"uid": "uid-1"}]}
ORPHANED = {
    "ownerReferences": [],
    "labels": LABELS | {"app.kubernetes.io/managed-by": "plimsoll-operator"},
    "annotations": {"plimsoll.dev/applied-hash": "1f74b2d273"},
}


@pytest.mark.parametrize(
    ("manifest", "bucket"),
    [
        pytest.param(make_child(kinds.SERVICE, "domains"), "children", id="ours"),
        pytest.param(make_child(kinds.SERVICE, "domains", metadata=SOMEBODY), "foreign", id="another owner's"),
        pytest.param(make_child(kinds.SERVICE, "domains", metadata=MERELY_LISTED), "foreign", id="not controlled"),
        pytest.param(make_child(kinds.SERVICE, "extra", metadata=SOMEBODY), "", id="a name we do not need"),
        pytest.param(make_child(kinds.SERVICE, "domains", metadata=ORPHANED), "children", id="ours, orphaned"),
        pytest.param(
            make_child(kinds.SERVICE, "domains", metadata={**ORPHANED, **SOMEBODY}),
            "foreign",
            id="ours, adopted by others",
        ),
        pytest.param(make_deployment(metadata=SOMEBODY), "foreign", id="a revision's name"),
        pytest.param(
            make_deployment(metadata=SOMEBODY | {"name": "domains-gateway"}), "", id="merely a name that begins so"
        ),
    ],
)
def test_what_the_owner_neither_controls_nor_made_is_foreign_where_it_holds_a_name_that_is_needed(
    manifest: Manifest, bucket: str
) -> None:
    observed = assemble(make_owner(), [manifest], [], ProfileTable(), None)
    key = ObjectKey.of(manifest)
    assert (key in observed.children, key in observed.foreign) == (bucket == "children", bucket == "foreign")


def test_pods_are_counted_with_their_revision_and_evicted_ones_not_at_all() -> None:
    pods = [make_pod("b"), make_pod("a"), make_pod("gone", phase="Failed")]
    observed = assemble(make_owner(), [make_deployment(), make_revision()], pods, ProfileTable(), None)
    assert [pod.name for pod in observed.workloads[HASH].pods] == ["a", "b"]
    assert [revision.hash for revision in observed.revisions] == [HASH]


LOW_ON_MEMORY = (
    "The node was low on resource: memory. Threshold quantity: 100Mi, available: 72Mi. Container server was using 9Gi, "
    "request is 8Gi, has larger consumption of memory. "
)


def evicted(message: str, reason: str = "Evicted", target: str = "TerminationByKubelet", **fields: Any) -> Manifest:
    """A pod that failed; `target` is the reason of its DisruptionTarget, which has none where that is empty."""
    conditions = [{"type": "DisruptionTarget", "status": "True", "reason": target, "lastTransitionTime": text(90)}]
    told: Manifest = {
        "phase": "Failed",
        "reason": reason,
        "message": message,
        "conditions": conditions if target else [],
    }
    return make_pod("e", **told, **fields)


@pytest.mark.parametrize(
    ("manifest", "resource"),
    [
        pytest.param(evicted(LOW_ON_MEMORY), MEMORY, id="its node ran short of memory"),
        pytest.param(evicted("The node was low on resource: ephemeral-storage. "), "other", id="of disk"),
        pytest.param(evicted('Usage of EmptyDir volume "tmp" exceeds the limit "1Gi". ', target=""), "other", id="own"),
        pytest.param(evicted("The node had condition: [MemoryPressure]. ", target=""), "", id="it was never let in"),
        pytest.param(evicted("Pod was terminated in response to a shutdown.", "Terminated"), "", id="node shut down"),
        pytest.param(evicted("Pod was rejected as the node is shutting down.", "NodeShutdown"), "", id="going down"),
        pytest.param(evicted("Preempted in order to admit critical pod", "Preempting"), "", id="a critical pod came"),
        pytest.param(evicted(LOW_ON_MEMORY, target="PreemptionByScheduler"), "", id="for another pod"),
        pytest.param(evicted("Pod was rejected", "UnexpectedAdmissionError", ""), "", id="no device"),
    ],
)
def test_an_evicted_pod_is_told_from_one_that_somebody_else_ended(manifest: Manifest, resource: str) -> None:
    workload = parse_workloads([make_deployment()], [manifest])[HASH]
    assert (workload.pods, [pod.evicted for pod in workload.evicted]) == ((), [resource] if resource else [])


def ended(**terminated: str) -> Manifest:
    return {"state": {"terminated": terminated}}


UNTOLD = {**evicted("", target=""), "metadata": {"name": "e", "creationTimestamp": text(5)}}


@pytest.mark.parametrize(
    ("pod", "seconds"),
    [
        pytest.param(evicted("", container=ended(finishedAt=text(95))), 95, id="its container"),
        pytest.param(evicted("", container=ended()), 90, id="its condition"),
        pytest.param(UNTOLD, 5, id="nothing"),
    ],
)
def test_when_a_pod_was_evicted_is_told_by_what_there_is(pod: Manifest, seconds: int) -> None:
    assert parse_pod(pod).last_exit_at == at(seconds)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        pytest.param(None, "expected the key profiles.yaml", id="no data"),
        pytest.param({"profiles.yaml": ""}, "found nothing", id="empty"),
        pytest.param({"profiles.yaml": "[cpu]"}, "found list", id="a list"),
        pytest.param({"profiles.yaml": "cpu: [}"}, "is not YAML", id="not YAML"),
        pytest.param({"profiles.yaml": "cpu: {}"}, "gpuProfiles.cpu: expected a map with `memory`", id="no memory"),
        pytest.param({"profiles.yaml": "cpu: {memory: lots}"}, "gpuProfiles.cpu.memory", id="no quantity"),
    ],
)
def test_a_broken_profile_table_says_what_to_do(data: Any, says: str) -> None:
    config_map = {"data": data} if data is not None else {}
    table = parse_table(config_map, "ConfigMap plimsoll-system/profiles")
    assert table.profiles == {}
    assert table.error.startswith("ConfigMap plimsoll-system/profiles: ")
    assert says in table.error


def test_the_profile_table_is_read() -> None:
    table = parse_table({"data": {"profiles.yaml": "cpu: {memory: 4Gi}"}}, "ConfigMap")
    assert (table.profiles["cpu"].memory_bytes, table.error) == (4 << 30, "")
