"""What a start took, phase by phase, and when a server that never gets ready is called that."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from builders import NOW, POLICY, Cluster, make_observed, make_spec, make_workload
from plimsoll_operator.observed import Pod
from plimsoll_operator.reconcile import reconcile
from plimsoll_operator.steps.starts import MOST_STARTS, PATIENCE
from rollouts import at_rest, condition, look, seconds, spec_of, starting_pod, watched_start

WHOLE = {"scheduledSeconds": 2, "imageSeconds": 3, "weightsSeconds": 25, "warmUpSeconds": 10, "readySeconds": 40}


def phases(**left_out: None) -> dict[str, int]:
    return {name: value for name, value in WHOLE.items() if name not in left_out}


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        pytest.param((0,), {}, id="no node yet"),
        pytest.param((4,), {"scheduledSeconds": 2}, id="its image is pulled"),
        pytest.param((20,), {"scheduledSeconds": 2, "imageSeconds": 3}, id="its weights are loaded"),
        pytest.param((20, 30), phases(warmUpSeconds=None, readySeconds=None), id="it warms up"),
        pytest.param((20, 30, 35, 41), WHOLE, id="ready"),
        pytest.param((30, 41, 400), WHOLE, id="ready for long"),
        pytest.param((20, 41), {**WHOLE, "weightsSeconds": 35, "warmUpSeconds": 0}, id="ready at the next look"),
        pytest.param((41,), phases(weightsSeconds=None, warmUpSeconds=None), id="seen only once it was ready"),
    ],
)
def test_each_phase_is_told_once_it_is_over(seen: tuple[int, ...], expected: dict[str, int]) -> None:
    [start] = watched_start(*seen)["starts"]
    assert {name: value for name, value in start.items() if name.endswith("Seconds")} == expected


def serving(*pods: Pod) -> Cluster:
    cluster = at_rest(spec_of(1, len(pods)))
    [revision] = cluster.observed.workloads
    own = [replace(pod, revision=revision, name=f"pod-{number:02}") for number, pod in enumerate(pods)]
    workload = make_workload(revision, len(own), *own)
    cluster.observed = replace(cluster.observed, workloads={revision: replace(workload, name=f"domains-{revision}")})
    return cluster


def told(cluster: Cluster, kind: str) -> tuple[str, str]:
    [found] = [c for c in cluster.observed.owner.status["conditions"] if c["type"] == kind]
    return found["status"], found["reason"]


def pod_after(second: int, began: Any, **fields: Any) -> Pod:
    return starting_pod("any", second, began, **fields)


def test_a_complete_start_stays_though_the_pod_gets_ready_again() -> None:
    cluster = at_rest()
    began = cluster.now - seconds(100)
    cluster = serving(pod_after(41, began))
    look(cluster)
    before = cluster.observed.owner.status["starts"]
    [workload] = cluster.observed.workloads.values()
    [pod] = workload.pods
    assert pod.milestones is not None
    again = replace(pod, milestones=replace(pod.milestones, ready_changed=cluster.now))
    cluster.observed = replace(cluster.observed, workloads={workload.revision: replace(workload, pods=(again,))})
    look(cluster)
    assert cluster.observed.owner.status["starts"] == before


def test_a_start_with_a_crash_in_it_tells_the_whole_and_not_its_parts() -> None:
    cluster = at_rest()
    cluster = serving(pod_after(41, cluster.now, restarts=1))
    look(cluster, seconds(41))
    [start] = cluster.observed.owner.status["starts"]
    assert (start["readySeconds"], start.keys() & {"imageSeconds", "weightsSeconds", "warmUpSeconds"}) == (40, set())


def test_the_newest_pods_count() -> None:
    now = at_rest().now
    cluster = serving(*(pod_after(41, now - seconds(60 - number)) for number in range(MOST_STARTS + 2)))
    look(cluster)
    assert [start["pod"] for start in cluster.observed.owner.status["starts"]] == [
        f"pod-{number:02}" for number in range(MOST_STARTS + 1, 1, -1)
    ]


def test_a_server_that_has_its_weights_and_never_gets_ready_is_called_that_once_patience_is_over() -> None:
    cluster = at_rest()
    cluster = serving(pod_after(30, cluster.now))
    plan = look(cluster, seconds(30))
    assert told(cluster, "Ready") == ("False", "TooFewReady")
    assert plan.requeue_after == PATIENCE
    plan = look(cluster, seconds(30) + PATIENCE)
    assert told(cluster, "Ready") == ("False", "ProbeFailing")
    assert [event.reason for event in plan.events] == ["ProbeFailing"]
    assert look(cluster, seconds(31) + PATIENCE).events == ()


def test_patience_begins_when_the_weights_are_there_however_long_they_took() -> None:
    cluster = at_rest()
    began = cluster.now
    cluster = serving(pod_after(30, began - seconds(600)))
    look(cluster)
    assert told(cluster, "Ready") == ("False", "TooFewReady")


@pytest.mark.parametrize(
    ("ended", "reason"),
    [
        pytest.param({"last_exit_code": 0, "last_run": seconds(65)}, "ProbeFailing", id="told to end, and did"),
        pytest.param({"last_exit_code": 143, "last_run": seconds(300)}, "ProbeFailing", id="ended by SIGTERM"),
        pytest.param({"last_exit_code": 0, "last_run": seconds(3)}, "CrashLoop", id="ends by itself"),
        pytest.param({"last_exit_code": 1, "last_run": seconds(300)}, "CrashLoop", id="fails after minutes"),
        pytest.param({"last_exit_code": 0}, "CrashLoop", id="nobody knows how long it ran"),
    ],
)
def test_a_restart_by_the_kubelet_is_told_from_a_crash(ended: dict[str, Any], reason: str) -> None:
    cluster = at_rest()
    cluster = serving(pod_after(20, cluster.now, restarts=2, **ended))
    look(cluster)
    assert told(cluster, "Ready") == ("False", reason)


@pytest.mark.parametrize(
    ("model", "least", "most"),
    [
        pytest.param({"shape": "modernbert-base"}, 300, 400, id="a small model"),
        pytest.param({"shape": "modernbert-large"}, 340, 500, id="a larger one"),
        pytest.param({}, 900, 1200, id="nobody knows how large"),
    ],
)
def test_a_start_may_take_as_long_as_its_weights_need(model: dict[str, str], least: int, most: int) -> None:
    spec = make_spec(model={"uri": "pvc://models/domains", **model})
    [deployment] = [made for made in reconcile(make_observed(spec), POLICY, NOW).apply if made["kind"] == "Deployment"]
    probe = deployment["spec"]["template"]["spec"]["containers"][0]["startupProbe"]
    assert probe["httpGet"]["path"] == "/startupz"
    assert least <= probe["periodSeconds"] * probe["failureThreshold"] <= most


def unstarted(second: int, began: Any, **fields: Any) -> Pod:
    """A pod whose weights are not loaded, so many seconds after it began."""
    pod = pod_after(second, began, **{"ready": False} | fields)
    assert pod.milestones is not None
    return replace(pod, milestones=replace(pod.milestones, started=False, ready_changed=began))


UNKNOWN_SIZE = seconds(1100)
"""What the startup probe allows a model whose shape is not stated."""


def test_a_server_that_never_loads_its_weights_is_called_that_when_the_probe_gives_it_up() -> None:
    cluster = at_rest(spec_of(1, 1))
    cluster = serving(unstarted(30, cluster.now))
    plan = look(cluster, seconds(30))
    assert told(cluster, "Ready") == ("False", "TooFewReady")
    assert plan.requeue_after == UNKNOWN_SIZE + seconds(5 - 30)
    look(cluster, UNKNOWN_SIZE + seconds(5))
    assert told(cluster, "Ready") == ("False", "ProbeFailing")
    assert all(word in ready_message(cluster) for word in ("startup probe", "kubectl logs pod-00"))


@pytest.mark.parametrize("code", [0, 137, 143, 1])
def test_an_attempt_that_the_kubelet_ended_at_its_budget_is_no_crash_whatever_its_exit_code(code: int) -> None:
    cluster = at_rest(spec_of(1, 1))
    ended = {"restarts": 1, "last_exit_code": code, "last_run": UNKNOWN_SIZE - seconds(2)}
    cluster = serving(unstarted(20, cluster.now, **ended))
    look(cluster)
    assert told(cluster, "Ready") == ("False", "ProbeFailing")
    assert all(word in ready_message(cluster) for word in ("startup probe", "kubectl logs pod-00 --previous"))


def test_a_restart_of_a_server_that_had_started_is_not_laid_to_its_startup_probe() -> None:
    cluster = at_rest(spec_of(1, 1))
    began = cluster.now
    cluster = serving(pod_after(41, began))
    look(cluster, seconds(41))
    ended = {"restarts": 1, "last_exit_code": 1, "last_run": UNKNOWN_SIZE + seconds(60)}
    [workload] = cluster.observed.workloads.values()
    pod = replace(unstarted(41, began, **ended), name="pod-00", revision=workload.revision)
    cluster.observed = replace(cluster.observed, workloads={workload.revision: replace(workload, pods=(pod,))})
    look(cluster, seconds(60))
    assert told(cluster, "Ready") == ("False", "CrashLoop")


def test_a_rollout_given_up_while_its_server_still_loads_says_so_and_where_to_look() -> None:
    cluster = Cluster(spec_of(1, 1, progressDeadline="2m"))
    cluster.broken = {"pvc://models/v1"}
    cluster.settle()
    [workload] = cluster.observed.workloads.values()
    pod = replace(unstarted(60, cluster.now), revision=workload.revision)
    cluster.observed = replace(
        cluster.observed, workloads={workload.revision: replace(workload, name=workload.name, pods=(pod,))}
    )
    look(cluster, seconds(60))
    assert told(cluster, "Stalled") == ("False", "NotStalled")
    look(cluster, seconds(121))
    assert told(cluster, "Stalled") == ("True", "ProgressDeadlineExceeded")
    assert all(word in ready_message(cluster) for word in ("startup probe", f"kubectl logs {pod.name}"))


def ready_message(cluster: Cluster) -> str:
    return str(condition(cluster.observed, "Ready")["message"])
