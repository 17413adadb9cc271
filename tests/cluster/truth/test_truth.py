"""Whatever is wrong is told by the object: a condition with what to do, one Event, and the right sums. All at once."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from argo_lua import argo_health
from cluster.truth.judges import kstatus
from cluster.truth.situations import SITUATIONS, Situation
from cluster_kit import Kit, eventually
from operator_process import OperatorProcess

pytestmark = pytest.mark.cluster

SUMS = ("Available", "Ready", "Reconciling", "Stalled")
every_situation = pytest.mark.parametrize("situation", SITUATIONS, ids=lambda situation: situation.name)


@pytest.fixture(scope="module")
def arranged(kit: Kit, operator: OperatorProcess) -> Iterator[Kit]:
    """Every situation in a namespace of its own, brought about together."""
    del operator
    for situation in SITUATIONS:
        kit.kubectl("create", "namespace", situation.namespace)
        place = in_its_place(kit, situation)
        situation.arrange(place)
        place.apply(situation.manifest)
    yield kit
    kit.kubectl("delete", "namespace", "--wait=false", *(situation.namespace for situation in SITUATIONS))


def in_its_place(kit: Kit, situation: Situation) -> Kit:
    return dataclasses.replace(kit, namespace=situation.namespace)


def warnings(kit: Kit) -> list[dict[str, Any]]:
    return [
        event
        for event in kit.select("events")
        if event["involvedObject"]["kind"] == "InferenceDeployment" and event["type"] == "Warning"
    ]


@every_situation
def test_it_is_told_with_what_to_do_and_everybody_makes_the_right_sum_of_it(
    arranged: Kit, situation: Situation, kstatus_program: Path
) -> None:
    kit = in_its_place(arranged, situation)
    told = kit.wait_for("told", *situation.condition, situation.reason, deadline=180)
    for word in situation.words:
        assert word in told["message"]
    kit.wait_for("told", "Available", situation.state[0], deadline=60)
    kit.wait_for("told", "Ready", situation.state[1], deadline=60)
    found = kit.get("infd", "told")
    conditions = {condition["type"]: condition["status"] for condition in found["status"]["conditions"]}
    assert tuple(conditions[kind] for kind in SUMS) == situation.state
    assert kstatus(kstatus_program, [found]) == [situation.kstatus]
    assert argo_health(found) == situation.argo


def test_each_has_one_event_that_a_restarted_operator_does_not_repeat(arranged: Kit, operator: OperatorProcess) -> None:
    def told() -> dict[str, list[tuple[str, str, int]]]:
        return {
            situation.name: [
                (event["reason"], event["metadata"]["uid"], event["count"])
                for event in warnings(in_its_place(arranged, situation))
            ]
            for situation in SITUATIONS
        }

    before = told()
    assert {name: [reason for reason, *_ in events] for name, events in before.items()} == {
        situation.name: [situation.reason] for situation in SITUATIONS
    }
    operator.stop(patience=30)
    operator.start()
    # Each object is looked at anew: after the start, and at a resync.
    looks = "plimsoll_operator_reconcile_duration_seconds_count"
    eventually(lambda: operator.metric(looks) >= 3 * len(SITUATIONS), 90, operator.log_path.read_text)
    assert told() == before
