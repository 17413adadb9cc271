"""A canary that nothing was measured of, by the time that is up: promoted only where it has stood all along."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from builders import Cluster
from measured import lose_prometheus, trial


def _end(cluster: Cluster, restarts: int, reason: str, code: int) -> None:
    """The canary's container has ended so many times by now, the last time after two minutes; it serves again."""
    canary = cluster.observed.owner.status["rollout"]["canary"]
    last: dict[str, Any] = {"last_exit_reason": reason, "last_exit_code": code, "last_exit_at": cluster.now}
    cluster.pods = [
        replace(pod, restarts=restarts, last_run=timedelta(minutes=2), **last) if pod.revision == canary else pod
        for pod in cluster.pods
    ]
    cluster.store(cluster.observed.children)


def _time_is_up(ends: int, on_inconclusive: str, reason: str = "Error", code: int = 139) -> dict[str, Any]:
    cluster = trial(canary={"onNoData": "Promote", "onInconclusive": on_inconclusive, "maxDuration": "12m"})
    for restarts in range(1, ends + 1):
        lose_prometheus(cluster)
        _end(cluster, restarts, reason, code)
    for _ in range(80):
        lose_prometheus(cluster)
        if cluster.observed.owner.status["rollout"]["phase"] != "Analysing":
            break
    if on_inconclusive == "Pause" and ends:
        lose_prometheus(cluster)
    return dict(cluster.observed.owner.status["rollout"])


def test_a_canary_that_nobody_measured_and_that_stood_is_promoted() -> None:
    assert _time_is_up(0, "Pause")["phase"] == "Promoting"


@pytest.mark.parametrize(
    ("ends", "reason", "code", "told"),
    [(1, "OOMKilled", 137, "once"), (2, "OOMKilled", 137, "2 times"), (2, "Error", 139, "2 times")],
)
def test_one_that_was_killed_or_crashed_is_not(ends: int, reason: str, code: int, told: str) -> None:
    rollout = _time_is_up(ends, "Pause", reason, code)
    assert rollout["phase"] == "Inconclusive"
    assert f"containers of it were killed or ended {told}" in rollout["message"]


@pytest.mark.parametrize(("asked", "phase"), [("Rollback", "RollingBack"), ("Promote", "Promoting")])
def test_the_word_on_what_is_inconclusive_decides_of_it(asked: str, phase: str) -> None:
    assert _time_is_up(2, asked)["phase"] == phase
