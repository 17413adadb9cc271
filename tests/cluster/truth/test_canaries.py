"""Every situation of a canary is told by the object, and others make the right sum of it. All at once."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from argo_lua import argo_health
from cluster.truth.canary_situations import CANARY_SITUATIONS, TOLD, CanarySituation
from cluster.truth.judges import kstatus
from cluster.truth.test_truth import SUMS
from cluster_kit import Kit, eventually
from operator_process import OperatorProcess
from plimsoll_operator.names import ANNOTATION_REQUEST
from plimsoll_sandbox.sandbox import Sandbox
from traffic import Load, traffic

pytestmark = pytest.mark.cluster

EXPLAIN = str(Path(sys.executable).with_name("kubectl-plimsoll"))
every_situation = pytest.mark.parametrize("situation", CANARY_SITUATIONS, ids=lambda situation: situation.name)


@pytest.fixture(scope="module")
def arranged(
    kit: Kit, operator: OperatorProcess, sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Kit]:
    """Every canary in a namespace of its own, brought about together, some with requests to be judged by."""
    del operator
    with ExitStack() as stack:
        for situation in CANARY_SITUATIONS:
            kit.kubectl("create", "namespace", situation.namespace)
            in_its_place(kit, situation).apply(situation.first)
        for situation in CANARY_SITUATIONS:
            place = in_its_place(kit, situation)
            place.wait_for(TOLD, "Ready", "True", deadline=180)
            if rate := situation.requests_a_second:
                url = f"{sandbox.url(situation.namespace, TOLD)}/predict"
                folder = tmp_path_factory.mktemp(situation.name)
                stack.enter_context(traffic(url, Load([{"inputs": "sort a list"}], rate), folder))
            place.apply(situation.second)
        for situation in CANARY_SITUATIONS:
            if situation.request:
                ask_for(in_its_place(kit, situation), situation.request)
        yield kit
    kit.kubectl("delete", "namespace", "--wait=false", *(situation.namespace for situation in CANARY_SITUATIONS))


def in_its_place(kit: Kit, situation: CanarySituation) -> Kit:
    return dataclasses.replace(kit, namespace=situation.namespace)


def ask_for(kit: Kit, verb: str) -> None:
    eventually(lambda: kit.get("infd", TOLD)["status"]["rollout"]["phase"] == "Analysing", 90)
    kit.kubectl("annotate", "infd", TOLD, f"{ANNOTATION_REQUEST}={verb}#1")


@every_situation
def test_it_is_told_with_what_to_do_and_everybody_makes_the_right_sum_of_it(
    arranged: Kit, situation: CanarySituation, kstatus_program: Path
) -> None:
    kit = in_its_place(arranged, situation)
    told = kit.wait_for(TOLD, "Ready", situation.state[1], situation.reason, deadline=180)
    for word in situation.words:
        assert word in told["message"]
    found = kit.get("infd", TOLD)
    conditions = {condition["type"]: condition["status"] for condition in found["status"]["conditions"]}
    assert tuple(conditions[kind] for kind in SUMS) == situation.state
    assert kstatus(kstatus_program, [found]) == [situation.kstatus]
    assert argo_health(found) == situation.argo


@every_situation
def test_its_events_are_few_and_each_is_told_once(arranged: Kit, situation: CanarySituation) -> None:
    kit = in_its_place(arranged, situation)

    def told() -> list[tuple[str, int]]:
        events = [event for event in kit.select("events") if event["involvedObject"]["kind"] == "InferenceDeployment"]
        return [(event["reason"], event["count"]) for event in events]

    # Events are written before the status is, so they are there by now.
    assert {reason for reason, _ in told()} - situation.may_be_told == situation.events
    assert [(reason, count) for reason, count in told() if count > 1 and reason != "Serving"] == []


@every_situation
def test_it_is_explained_with_what_to_do(arranged: Kit, situation: CanarySituation) -> None:
    done = subprocess.run(
        [EXPLAIN, "explain", TOLD, "-n", situation.namespace, "--kubeconfig", str(arranged.kubeconfig)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.splitlines()[0] == f"{situation.namespace}/{TOLD}  {situation.explained}"
    assert "WHAT TO DO NEXT" in done.stdout
    assert ("DECISION" in done.stdout) == (situation.explained in ("rolled back", "promoted"))
