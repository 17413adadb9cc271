"""The condition that keeps a kill in sight after the pod serves again."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from builders import NOW, make_observed, make_pod, make_workload
from plimsoll_operator.observed import Observed, Pack, Pod
from plimsoll_operator.out_of_memory import IN_SIGHT, out_of_memory

PACK = Pack("long", 8192, 2)


def observed(*pods: Pod) -> Observed:
    return replace(make_observed(), workloads={"abc": make_workload("abc", len(pods), *pods)})


def killed(minutes_ago: float, **fields: Any) -> Pod:
    moment = NOW - timedelta(minutes=minutes_ago)
    return make_pod("abc", **{"last_exit_reason": "OOMKilled", "last_exit_at": moment, "ready": True} | fields)


@pytest.mark.parametrize(
    ("pods", "status"),
    [
        pytest.param((), "False", id="no pod"),
        pytest.param((killed(5),), "True", id="killed, and serving again"),
        pytest.param((killed(5, last_exit_reason="Error"),), "False", id="crashed"),
        pytest.param((killed(IN_SIGHT.total_seconds() / 60),), "False", id="an hour ago"),
        pytest.param((killed(5), make_pod("abc", name="well", ready=True)), "True", id="one of two"),
    ],
)
def test_a_kill_is_in_sight_for_an_hour(pods: tuple[Pod, ...], status: str) -> None:
    assert out_of_memory(observed(*pods), NOW).status == status


def test_it_names_the_last_pod_and_what_ran_in_it() -> None:
    told = out_of_memory(observed(killed(5, name="a"), killed(1, name="b", last_pack=PACK)), NOW)
    assert told.reason == "OOMKilled"
    assert "pod b of revision abc was killed for memory at 2026-05-04T02:59:00Z" in told.message
    assert "while tier long ran 8192 tokens in a batch of 2: lower spec.server.memoryUtilizationPercent" in told.message
