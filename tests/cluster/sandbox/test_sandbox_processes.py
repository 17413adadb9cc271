"""Whose processes are whose: two sandboxes at once, nothing left afterwards, and whatever dies comes back."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cluster_kit import Kit, KubectlError, eventually
from plimsoll_sandbox.errors import SandboxError
from plimsoll_sandbox.fleet import NodeGroup
from plimsoll_sandbox.orphans import MARK, POD_MARK, marked
from plimsoll_sandbox.report import resident_bytes
from plimsoll_sandbox.sandbox import Options, Sandbox
from plimsoll_sandbox.toolchain import Tools
from pod_manifests import container_status, make_pod, make_service, make_shell, text_of, wait_for_ready

pytestmark = pytest.mark.cluster

# Its own child leaves the group and the session, as daemons do.
RESTLESS = "setsid sleep 600 & sleep 600"


def processes(sandbox: Sandbox) -> list[int]:
    return marked(MARK, str(sandbox.layout.folder))


def programs(sandbox: Sandbox) -> set[int]:
    """Without what pods run: those of the test before may be ending."""
    return set(processes(sandbox)) - set(marked(POD_MARK, str(sandbox.layout.folder)))


def kit_of(sandbox: Sandbox, tools: Tools) -> Kit:
    return Kit(tools.kubectl, sandbox.kubeconfig, "default")


def program_pid(sandbox: Sandbox, name: str) -> int:
    status = sandbox.status()
    assert status is not None
    pid = status.programs[name].pid
    assert pid is not None
    return pid


def supervisor_pid(sandbox: Sandbox) -> int:
    status = sandbox.status()
    assert status is not None
    return status.supervisor_pid


def test_two_sandboxes_do_not_meet(sandbox: Sandbox, second: Sandbox, tools: Tools, kit: Kit) -> None:
    assert second.config.network.services_range != sandbox.config.network.services_range
    assert not set(second.config.network.ports.values()) & set(sandbox.config.network.ports.values())
    there = kit_of(second, tools)
    for place in (kit, there):
        place.apply(make_pod("serve", name="web"))
        place.apply(make_service("web"))
        wait_for_ready(place, "web")
    mine, theirs = sandbox.url(kit.namespace, "web"), second.url("default", "web")
    assert mine != theirs
    for url in (mine, theirs):
        assert eventually(lambda url=url: text_of(url), deadline=10) == "web"  # type: ignore[misc]
    there.kubectl("delete", "pod", "web")
    assert text_of(mine) == "web"


def test_an_idle_sandbox_is_small(second: Sandbox) -> None:
    time.sleep(3)
    assert sum(map(resident_bytes, processes(second))) < 1.5 * 2**30


def test_nothing_is_left_when_the_supervisor_is_killed(second: Sandbox, tools: Tools) -> None:
    kit = kit_of(second, tools)
    kit.apply(make_shell(RESTLESS))
    wait_for_ready(kit, "pod")
    assert len(processes(second)) >= 10
    os.kill(supervisor_pid(second), signal.SIGKILL)
    eventually(lambda: not processes(second), deadline=10)

    # What etcd had is still there, and the pod runs again.
    second.up(tools, Options(nodes=(NodeGroup("cpu"),), images=second.config.request.images))
    eventually(lambda: container_status(kit, "pod").get("restartCount") == 1, deadline=20)
    wait_for_ready(kit, "pod")


def test_down_sweeps_what_two_kills_left(second: Sandbox, tools: Tools) -> None:
    kit = kit_of(second, tools)
    kit.apply(make_shell(RESTLESS, name="restless"))
    wait_for_ready(kit, "restless")
    kit.kubectl("delete", "pod", "pod", "--ignore-not-found")
    agent = program_pid(second, "node-agent")
    os.kill(agent, signal.SIGSTOP)  # So that it cannot clean up.
    os.kill(supervisor_pid(second), signal.SIGKILL)
    os.kill(agent, signal.SIGKILL)
    # The pod's first process died with the agent; what that had started knows no parent any more.
    eventually(lambda: len(processes(second)) == 2, deadline=10)
    second.down()
    assert not processes(second)
    assert not second.layout.folder.exists()


@pytest.mark.parametrize("program", ["kube-apiserver", "etcd", "node-agent", "prometheus"])
def test_a_program_that_dies_comes_back(sandbox: Sandbox, kit: Kit, program: str) -> None:
    kit.apply(make_shell("sleep 600", name="witness"))
    wait_for_ready(kit, "witness")
    killed = program_pid(sandbox, program)
    os.kill(killed, signal.SIGKILL)

    def is_back() -> bool:
        status = sandbox.status()
        assert status is not None
        again = status.programs[program]
        return again.pid not in (None, killed) and again.restarts > 0 and "SIGKILL" in again.last_end

    eventually(is_back, deadline=20)
    # The cluster goes on: nodes stay ready, and new pods run.
    eventually(lambda: _can_run_pods(kit, f"next-{program}"), deadline=60)
    expected = 1 if program == "node-agent" else 0
    eventually(lambda: container_status(kit, "witness")["restartCount"] == expected, deadline=20)


def test_up_again_changes_nothing(sandbox: Sandbox, tools: Tools) -> None:
    before = programs(sandbox)
    request = sandbox.config.request
    options = Options(
        nodes=tuple(map(NodeGroup.parse, request.groups)),
        images=request.images,
        restart_backoff_seconds=request.restart_backoff_seconds,
    )
    # In processor time: nobody waits here, but for other processes.
    began = time.process_time()
    sandbox.up(tools, options)
    assert time.process_time() - began < 2
    assert programs(sandbox) == before


def test_up_with_other_options_says_what_runs(sandbox: Sandbox, tools: Tools) -> None:
    with pytest.raises(SandboxError, match=r"runs with other options .*--node cpu:2:1.*asked for: --node cpu:5:1"):
        sandbox.up(tools, Options(nodes=(NodeGroup("cpu", 5),)))


def test_a_program_that_cannot_start_names_its_log(tools: Tools) -> None:
    sandbox = Sandbox(f"test-{os.getpid()}-broken")
    broken = Tools(**{**vars(tools), "prometheus": Path("/bin/false")})
    try:
        with pytest.raises(SandboxError, match=r"prometheus ended with exit code 1 .*its log is .*prometheus\.log"):
            sandbox.up(broken, Options(nodes=(NodeGroup("cpu"),)))
        eventually(lambda: not processes(sandbox), deadline=10)
    finally:
        sandbox.down()


def test_the_command_line_speaks_of_the_sandbox(sandbox: Sandbox, kit: Kit) -> None:
    command = Path(sys.executable).with_name("plimsoll-sandbox")

    def run(*arguments: str) -> str:
        done = subprocess.run([command, *arguments], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    shown = run("status", "--name", sandbox.name)
    assert all(name in shown for name in ("kube-apiserver", "node-agent", "nvidia-l4-1", str(sandbox.kubeconfig)))
    assert "cpu-0" in run("kubectl", "--name", sandbox.name, "--", "get", "nodes")
    kit.apply(make_service("web", port=8080))
    assert run("url", "--name", sandbox.name, f"{kit.namespace}/web").startswith("http://127.")


def _can_run_pods(kit: Kit, name: str) -> bool:
    try:
        kit.apply(make_shell("sleep 600", name=name))
        wait_for_ready(kit, name, deadline=20)
    except KubectlError:
        return False
    return True
