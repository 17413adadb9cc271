"""How containers live and end: probes, restarts, hooks, grace, limits, and what the API says of each."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from cluster_kit import Kit, eventually
from plimsoll_sandbox.sandbox import Sandbox
from pod_manifests import (
    container_status,
    events,
    make_config_map,
    make_container,
    make_pod,
    make_service,
    make_shell,
    make_shell_container,
    refuses,
    text_of,
    wait_for_phase,
    wait_for_ready,
    wait_for_state,
)

pytestmark = pytest.mark.cluster

NEVER = {"restartPolicy": "Never"}
QUICK: dict[str, Any] = {"periodSeconds": 1, "failureThreshold": 1}


def http_probe(path: str, **fields: Any) -> dict[str, Any]:
    return {"httpGet": {"path": path, "port": "http"}, **QUICK, **fields}


def make_server(**fields: Any) -> dict[str, Any]:
    return make_pod("serve", ports=[{"name": "http", "containerPort": 8080}], **fields)


def pod_url(kit: Kit, pod: str = "pod") -> str:
    return f"http://{kit.get('pod', pod)['status']['podIP']}:8080"


def ready_condition(kit: Kit, pod: str = "pod") -> str:
    conditions = kit.get("pod", pod)["status"]["conditions"]
    return str(next(found["status"] for found in conditions if found["type"] == "Ready"))


def test_readiness_gates_the_service(kit: Kit, sandbox: Sandbox) -> None:
    kit.apply(make_server(readinessProbe=http_probe("/ready")))
    kit.apply(make_service("pod", target="http"))
    wait_for_ready(kit, "pod")
    url = sandbox.url(kit.namespace, "pod")
    eventually(lambda: text_of(url) == "pod", deadline=5)

    httpx.put(f"{pod_url(kit)}/ready?503")
    eventually(lambda: ready_condition(kit) == "False", deadline=10)
    eventually(lambda: refuses(url), deadline=5)
    unhealthy = ("Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503")
    eventually(lambda: unhealthy in events(kit, "pod"), deadline=5)
    assert container_status(kit, "pod")["restartCount"] == 0

    httpx.put(f"{pod_url(kit)}/ready?200")
    eventually(lambda: ready_condition(kit) == "True", deadline=10)
    eventually(lambda: text_of(url) == "pod", deadline=5)


def test_a_status_that_somebody_else_changed_is_told_again(kit: Kit) -> None:
    kit.apply(make_shell("sleep 600"))
    wait_for_ready(kit, "pod")
    gone = {"status": {"conditions": [{"type": "Ready", "status": "False", "reason": "NodeNotReady"}]}}
    kit.kubectl("patch", "pod", "pod", "--subresource=status", "-p", json.dumps(gone))
    eventually(lambda: ready_condition(kit) == "True", deadline=5)


def test_a_container_that_fails_its_liveness_probe_is_restarted(kit: Kit) -> None:
    kit.apply(make_server(livenessProbe=http_probe("/alive", failureThreshold=2), readinessProbe=http_probe("/ready")))
    wait_for_ready(kit, "pod")
    httpx.put(f"{pod_url(kit)}/alive?500")
    eventually(lambda: container_status(kit, "pod")["restartCount"] == 1, deadline=15)
    killing = ("Killing", "Container main failed liveness probe, will be restarted")
    eventually(lambda: killing in events(kit, "pod"), deadline=5)


def test_other_probes_wait_for_the_startup_probe(kit: Kit) -> None:
    slow_start = {"exec": {"command": ["test", "-e", "started"]}, "periodSeconds": 1, "failureThreshold": 30}
    always_failing = {"exec": {"command": ["false"]}, **QUICK}
    script = "sleep 12; touch started; sleep 600"
    kit.apply(make_shell(script, startupProbe=slow_start, livenessProbe=always_failing))
    wait_for_state(kit, "pod", "running")
    time.sleep(2.5)
    early = container_status(kit, "pod")
    assert (early["started"], early["ready"], early["restartCount"]) == (False, False, 0)
    eventually(lambda: container_status(kit, "pod")["restartCount"] == 1, deadline=30)


def test_a_tcp_probe_sees_who_listens(kit: Kit) -> None:
    probe = {"tcpSocket": {"port": 8080}, **QUICK}
    kit.apply(make_server(readinessProbe=probe))
    wait_for_ready(kit, "pod")


def test_a_crash_loop_backs_off(kit: Kit) -> None:
    kit.apply(make_shell("echo no; exit 3"))
    waiting = wait_for_state(kit, "pod", "waiting", "CrashLoopBackOff")
    assert "restarting failed container=main" in waiting["message"]
    status = container_status(kit, "pod")
    last = status["lastState"]["terminated"]
    assert (last["exitCode"], last["reason"]) == (3, "Error")
    assert kit.get("pod", "pod")["status"]["phase"] == "Running"
    eventually(lambda: "BackOff" in dict(events(kit, "pod")), deadline=5)

    eventually(lambda: container_status(kit, "pod")["restartCount"] >= 3, deadline=20)
    waits = [message for _, message in events(kit, "pod") if "Back-off restarting" in message]
    assert len(waits) == 1, "one Event that counts, not one per restart"
    longer = wait_for_state(kit, "pod", "waiting", "CrashLoopBackOff")["message"]
    assert longer != waiting["message"]


@pytest.mark.parametrize(
    ("script", "policy", "phase", "reason"),
    [
        ("exit 0", "Never", "Succeeded", "Completed"),
        ("exit 0", "OnFailure", "Succeeded", "Completed"),
        ("exit 7", "Never", "Failed", "Error"),
    ],
)
def test_a_container_that_is_not_restarted_decides_the_phase(
    kit: Kit, script: str, policy: str, phase: str, reason: str
) -> None:
    kit.apply(make_shell(script, spec={"restartPolicy": policy}))
    assert wait_for_phase(kit, "pod", "Succeeded", "Failed") == phase
    assert container_status(kit, "pod")["state"]["terminated"]["reason"] == reason


def test_a_hog_is_killed_at_its_memory_limit(kit: Kit) -> None:
    limits = {"limits": {"memory": "128Mi"}}
    kit.apply(make_pod("hog", "300", resources=limits, spec=NEVER))
    assert wait_for_phase(kit, "pod", "Failed") == "Failed"
    ended = container_status(kit, "pod")["state"]["terminated"]
    assert (ended["exitCode"], ended["reason"]) == (137, "OOMKilled")
    eventually(lambda: "OOMKilling" in dict(events(kit, "pod")), deadline=5)


def test_memory_that_processes_share_counts_once(kit: Kit) -> None:
    limits = {"limits": {"memory": "200Mi"}}
    kit.apply(make_pod("hog", "100", "4", resources=limits, spec=NEVER))
    wait_for_state(kit, "pod", "running")
    eventually(lambda: kit.kubectl("logs", "pod").count("holding") == 4, deadline=20)
    time.sleep(2)
    assert "running" in container_status(kit, "pod")["state"]


def test_grace_is_given_and_then_ends(kit: Kit) -> None:
    kit.apply(make_pod("stubborn", spec={"terminationGracePeriodSeconds": 4}))
    eventually(lambda: "waiting" in kit.kubectl("logs", "pod", "--ignore-errors"), deadline=20)
    # Followed from before: asked for afterwards, the pod may be gone already.
    with kit.kubectl_running("logs", "pod", "--follow", "--request-timeout=30s") as log:
        assert log.readline() == "waiting\n"
        began = time.monotonic()
        kit.kubectl("delete", "pod", "pod", "--timeout=30s")
        # By default it were thirty.
        assert 4 <= time.monotonic() - began < 20
        assert log.read() == "SIGTERM\n"


def test_a_container_that_ends_when_told_is_gone_at_once(kit: Kit) -> None:
    kit.apply(make_pod("serve", spec={"terminationGracePeriodSeconds": 60}))
    wait_for_ready(kit, "pod")
    began = time.monotonic()
    kit.kubectl("delete", "pod", "pod")
    assert time.monotonic() - began < 20


def test_a_forced_deletion_leaves_no_process(kit: Kit) -> None:
    kit.apply(make_pod("stubborn", spec={"terminationGracePeriodSeconds": 60}))
    wait_for_ready(kit, "pod")
    uid = kit.get("pod", "pod")["metadata"]["uid"]
    kit.kubectl("delete", "pod", "pod", "--force", "--grace-period=0")
    eventually(lambda: not _processes_of(uid), deadline=10)


def test_pre_stop_comes_before_sigterm_within_the_grace(kit: Kit) -> None:
    hooks = {"preStop": {"sleep": {"seconds": 6}}}
    kit.apply(make_pod("serve", lifecycle=hooks, spec={"terminationGracePeriodSeconds": 30}))
    wait_for_ready(kit, "pod")
    url = pod_url(kit)
    began = time.monotonic()
    kit.kubectl("delete", "pod", "pod", "--wait=false")
    time.sleep(1)
    assert httpx.get(url).text == "pod"
    kit.kubectl("wait", "pod/pod", "--for=delete", "--timeout=30s")
    assert 6 <= time.monotonic() - began < 20


@pytest.mark.parametrize("hook", [{"exec": {"command": ["touch", "hooked"]}}, {"sleep": {"seconds": 1}}], ids=str)
def test_post_start_runs_beside_the_container(kit: Kit, hook: dict[str, Any]) -> None:
    kit.apply(make_shell("sleep 6; ls; sleep 600", lifecycle={"postStart": hook}))
    wait_for_ready(kit, "pod")
    if "exec" in hook:
        eventually(lambda: "hooked" in kit.kubectl("logs", "pod"), deadline=20)


def test_an_unknown_image_is_pulled_when_the_map_gets_it(kit: Kit, image_map: Path) -> None:
    kit.apply(make_pod(image="registry.example/absent:1", spec=NEVER))
    assert "absent:1" in wait_for_state(kit, "pod", "waiting", "ErrImagePull")["message"]
    wait_for_state(kit, "pod", "waiting", "ImagePullBackOff")
    assert kit.get("pod", "pod")["status"]["phase"] == "Pending"

    document = yaml.safe_load(image_map.read_text())
    document["images"]["registry.example/absent:1"] = {"command": ["/bin/true"]}
    image_map.write_text(yaml.safe_dump(document))
    assert wait_for_phase(kit, "pod", "Succeeded", "Failed", deadline=30) == "Succeeded"


def test_a_container_waits_for_its_config_map(kit: Kit) -> None:
    kit.apply(make_pod("show", envFrom=[{"configMapRef": {"name": "late"}}], spec=NEVER))
    waiting = wait_for_state(kit, "pod", "waiting", "CreateContainerConfigError")
    assert waiting["message"] == 'configmap "late" not found'
    kit.apply(make_config_map("late", COLOUR="blue"))
    wait_for_phase(kit, "pod", "Succeeded")
    assert json.loads(kit.kubectl("logs", "pod"))["environment"]["COLOUR"] == "blue"


def test_a_pod_waits_for_its_volumes(kit: Kit) -> None:
    volumes = [{"name": "late", "configMap": {"name": "late"}}]
    mounts = [{"name": "late", "mountPath": "/etc/late"}]
    kit.apply(make_shell("cat /etc/late/colour", volumeMounts=mounts, spec={**NEVER, "volumes": volumes}))
    eventually(lambda: "FailedMount" in dict(events(kit, "pod")), deadline=15)
    assert container_status(kit, "pod")["state"]["waiting"]["reason"] == "ContainerCreating"
    kit.apply(make_config_map("late", colour="blue"))
    wait_for_phase(kit, "pod", "Succeeded")
    assert kit.kubectl("logs", "pod").strip() == "blue"


def test_a_program_that_is_not_there_is_a_start_error(kit: Kit) -> None:
    kit.apply(make_pod(command=["no-such-program"], spec=NEVER))
    wait_for_phase(kit, "pod", "Failed")
    ended = container_status(kit, "pod")["state"]["terminated"]
    assert (ended["exitCode"], ended["reason"]) == (128, "StartError")
    assert "no-such-program" in ended["message"]


@pytest.mark.parametrize(
    ("policy", "message"), [("File", "from the file"), ("FallbackToLogsOnError", "from the log\n")]
)
def test_a_container_leaves_a_last_message(kit: Kit, policy: str, message: str) -> None:
    script = "echo from the log; exit 1" if message.endswith("log\n") else "printf 'from the file' > /dev/end; exit 1"
    fields = {"terminationMessagePath": "/dev/end", "terminationMessagePolicy": policy}
    kit.apply(make_shell(script, spec=NEVER, **fields))
    wait_for_phase(kit, "pod", "Failed")
    assert container_status(kit, "pod")["state"]["terminated"]["message"] == message


def test_init_containers_go_first_one_by_one(kit: Kit) -> None:
    init = [make_shell_container("sleep 1; date +%s%N", name=name) for name in ("first", "second")]
    kit.apply(make_shell("date +%s%N", spec={**NEVER, "initContainers": init}))
    wait_for_phase(kit, "pod", "Succeeded")
    times = [int(kit.kubectl("logs", "pod", "-c", name)) for name in ("first", "second", "main")]
    assert times == sorted(times)
    assert times[1] - times[0] >= 1e9


def test_a_failed_init_container_keeps_the_others_from_starting(kit: Kit) -> None:
    init = [make_shell_container("exit 5", name="first")]
    kit.apply(make_shell("echo started", spec={**NEVER, "initContainers": init}))
    assert wait_for_phase(kit, "pod", "Failed", "Running") == "Failed"
    assert container_status(kit, "pod")["state"] == {"waiting": {"reason": "PodInitializing"}}
    assert container_status(kit, "pod", "first", "initContainerStatuses")["state"]["terminated"]["exitCode"] == 5


def test_a_sidecar_runs_beside_and_ends_after_the_others(kit: Kit) -> None:
    sidecar = make_container("serve", name="side", restartPolicy="Always")
    main = "sleep 8; exit 0"
    kit.apply(make_shell(main, spec={**NEVER, "initContainers": [sidecar]}))
    wait_for_state(kit, "pod", "running")
    assert "running" in container_status(kit, "pod", "side", "initContainerStatuses")["state"]
    wait_for_phase(kit, "pod", "Succeeded")
    assert kit.kubectl("logs", "pod", "-c", "side").split() == ["serving", "drained"]


def _processes_of(uid: str) -> list[str]:
    found = []
    for process in Path("/proc").iterdir():
        try:
            if process.name.isdigit() and uid.encode() in (process / "environ").read_bytes():
                found.append(process.name)
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
    return found
