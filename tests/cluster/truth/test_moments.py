"""A create, a change, a hold, a failure and its repair, recorded moment by moment and judged by others' tools."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from argo_lua import argo_health
from cluster.truth.judges import kstatus
from cluster_kit import Kit
from light_server import light
from operator_process import OperatorProcess

pytestmark = pytest.mark.cluster

NAME = "judged"


@dataclass(frozen=True)
class Moment:
    """The object as it was, and what is to be made of it."""

    what: str
    found: dict[str, Any]
    kstatus: str
    argo: str


@pytest.fixture(scope="module")
def moments(kit: Kit, operator: OperatorProcess) -> list[Moment]:
    return list(record(kit, operator))


def record(kit: Kit, operator: OperatorProcess) -> Iterator[Moment]:
    """The operator is away whenever a moment is to be caught that it would end at once."""
    created = stopped(operator, lambda: made(kit))
    yield Moment("created", created, "InProgress", "Progressing")
    kit.wait_for(NAME, "Ready", "True")
    yield Moment("serving", kit.get("infd", NAME), "Current", "Healthy")

    changed = stopped(operator, lambda: patched(kit, server={"memoryUtilizationPercent": 80}))
    yield Moment("changed, not seen", changed, "InProgress", "Progressing")
    kit.wait_for(NAME, "Ready", "True")
    yield Moment("changed", kit.get("infd", NAME), "Current", "Healthy")

    patched(kit, rollout={"paused": True}, server={"memoryUtilizationPercent": 70})
    kit.wait_for(NAME, "Ready", "False", "Paused")
    yield Moment("held", kit.get("infd", NAME), "InProgress", "Suspended")

    patched(kit, rollout=None, server={"image": "test/no-such-image:1"})
    kit.wait_for(NAME, "Ready", "False", "ImagePullFailed")
    yield Moment("trying", kit.get("infd", NAME), "InProgress", "Progressing")

    patched(kit, gpu={"profile": "nvidia-x1"})
    kit.wait_for(NAME, "Stalled", "True")
    yield Moment("failed", kit.get("infd", NAME), "Failed", "Degraded")

    kit.apply(light(NAME))
    kit.wait_for(NAME, "Ready", "True")
    yield Moment("mended", kit.get("infd", NAME), "Current", "Healthy")


def stopped(operator: OperatorProcess, act: Any) -> dict[str, Any]:
    operator.stop(patience=30)
    try:
        found: dict[str, Any] = act()
        return found
    finally:
        operator.start()


def made(kit: Kit) -> dict[str, Any]:
    created: dict[str, Any] = json.loads(kit.kubectl("create", "-f", "-", "-o", "json", stdin=json.dumps(light(NAME))))
    return created


def patched(kit: Kit, **sections: Any) -> dict[str, Any]:
    return kit.patch("infd", NAME, {"spec": sections})


def test_kstatus_is_right_at_each_moment(moments: list[Moment], kstatus_program: Path) -> None:
    judged = kstatus(kstatus_program, [moment.found for moment in moments])
    assert dict(zip([moment.what for moment in moments], judged, strict=True)) == {
        moment.what: moment.kstatus for moment in moments
    }


def test_argo_cd_is_right_at_each_moment(moments: list[Moment]) -> None:
    assert {moment.what: argo_health(moment.found) for moment in moments} == {
        moment.what: moment.argo for moment in moments
    }


def test_kubectl_wait_ends_when_the_object_serves(kit: Kit, moments: list[Moment]) -> None:
    assert moments[-1].what == "mended"
    kit.kubectl("wait", f"infd/{NAME}", "--for=condition=Ready", "--timeout=10s")
    kit.kubectl("wait", f"infd/{NAME}", "--for=condition=Stalled=False", "--timeout=10s")
