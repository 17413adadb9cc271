"""A newer operator and a changed GPU table restart no pod; `kubectl plimsoll restart` takes what they render."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from bare_api import PROFILES
from cluster.upgrades.conftest import Operator
from cluster_kit import Kit, eventually
from kubectl_plugin import Plugin
from light_server import light, ready

pytestmark = pytest.mark.cluster

OLD, NEW = "test/light-server:1", "test/light-server:2"


def of_the_operators_image(name: str, **sections: Any) -> dict[str, Any]:
    manifest = light(name, **sections)
    del manifest["spec"]["server"]["image"]
    return manifest


def uids(kit: Kit, name: str) -> set[str]:
    return {pod["metadata"]["uid"] for pod in kit.pods(name)}


def images(kit: Kit, name: str) -> set[str]:
    return {pod["spec"]["containers"][0]["image"] for pod in kit.pods(name)}


def test_a_newer_rendering_waits_until_a_person_takes_it(kit: Kit, operator: Operator, plimsoll: Plugin) -> None:
    with operator(OLD):
        ready(kit, of_the_operators_image("kept", scaling={"minReplicas": 2, "provider": "None"}))
        kit.wait_for("kept", "UpToDate", "True", "AsRendered")
    before = uids(kit, "kept")
    assert len(before) == 2
    with operator(NEW):
        told = kit.wait_for("kept", "UpToDate", "False", "NewerRenderingWaits")
        assert "spec.containers[server].image" in told["message"]
        assert uids(kit, "kept") == before
        assert kit.condition("kept", "Ready")["status"] == "True"
        code, said = plimsoll("status", "kept", "-n", kit.namespace)
        assert (code, "NewerRenderingWaits" in said) == (0, True), said

        code, said = plimsoll("restart", "kept", "-n", kit.namespace, "--wait", "--timeout", "3m")
        assert code == 0, said
        assert not uids(kit, "kept") & before
        assert images(kit, "kept") == {NEW}
        assert kit.condition("kept", "UpToDate")["status"] == "True"
    after = uids(kit, "kept")
    with operator(NEW) as started:
        # The annotation is still there, and the operator another: it asks for nothing more.
        eventually(lambda: started.said("serving"), 30)
        kit.kubectl("annotate", "infd", "kept", "plimsoll.dev/rollout-request=promote#later", "--overwrite")
        eventually(lambda: outcome(kit, "kept") == "Refused", 30, lambda: str(kit.get("infd", "kept")))
        assert uids(kit, "kept") == after


def outcome(kit: Kit, name: str) -> str:
    return str(kit.get("infd", name)["status"]["rollout"].get("lastRequest", {}).get("outcome", ""))


def test_a_changed_gpu_table_restarts_no_pod(kit: Kit, operator: Operator) -> None:
    with operator():
        ready(kit, light("tabled", gpu={"profile": "nvidia-l4"}))
        before = uids(kit, "tabled")
        table = kit.get("configmap", PROFILES)["data"]["profiles.yaml"]
        changed = yaml.safe_load(table)
        changed["nvidia-l4"]["nodeSelector"]["pool"] = "another"
        kit.patch("configmap", PROFILES, {"data": {"profiles.yaml": json.dumps(changed)}})
        told = kit.wait_for("tabled", "UpToDate", "False", "NewerRenderingWaits")
        assert "spec.nodeSelector.pool" in told["message"]
        assert uids(kit, "tabled") == before
        kit.patch("configmap", PROFILES, {"data": {"profiles.yaml": table}})
        kit.wait_for("tabled", "UpToDate", "True")
        assert uids(kit, "tabled") == before
        kit.kubectl("delete", "infd", "tabled")


def test_the_command_says_what_is_wrong_and_what_to_do(kit: Kit, plimsoll: Plugin) -> None:
    kit.apply(light("alone"))
    code, said = plimsoll("status", "nobody", "-n", kit.namespace)
    assert code == 1
    assert "InferenceDeployment 'nobody' not found in namespace 'upgrades': it has alone" in said
    code, said = plimsoll("restart", "alone", "-n", kit.namespace)
    assert (code, "no answer within 10 s" in said) == (3, True), said
    code, said = plimsoll("status", "alone", "-n", kit.namespace)
    assert (code, "no operator has looked at it" in said) == (0, True), said
    code, said = plimsoll("status", "alone", "--context", "nowhere")
    assert (code, "choose with --context" in said) == (2, True), said
    kit.kubectl("delete", "infd", "alone")
