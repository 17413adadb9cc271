"""How soon pods follow a load, as figures. `PLIMSOLL_SCALING_TAKES=5 .venv/bin/pytest` on this file takes them."""

from __future__ import annotations

import json
import os
import statistics
from collections.abc import Sequence
from typing import Any

import pytest

from cluster.scaling.following import MOST, RAMP, Following, follow
from cluster.scaling.scene import Place
from scale.figures import ROOT, machine, today, versions

TAKES = int(os.environ.get("PLIMSOLL_SCALING_TAKES", "0"))
COMMAND = f"PLIMSOLL_SCALING_TAKES={TAKES} pytest tests/cluster/scaling/test_response.py"
PATH = ROOT / "benchmarks" / "scaling.json"

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.thorough,
    pytest.mark.timeout(3600),
    pytest.mark.skipif(not TAKES, reason="say how often in PLIMSOLL_SCALING_TAKES"),
]


def test_pods_follow_within_two_looks_each_time(place: Place) -> None:
    takes, loads = [], []
    for number in range(TAKES):
        takes.append(follow(place, f"following-{number}"))
        loads.append(round(os.getloadavg()[0], 1))
    origin = {"command": COMMAND, "date": today(), "machine": machine(), "versions": versions()}
    rises = [_figures(takes, pods) for pods in (*RAMP, MOST)]
    PATH.write_text(json.dumps({**origin, "load_average": loads, "rises": rises}, indent=2) + "\n")
    assert max(rise.looks for take in takes for rise in take.rises.values()) <= 2


def _figures(takes: Sequence[Following], pods: int) -> dict[str, Any]:
    rises = [take.rises[pods] for take in takes]
    return {
        "pods": pods,
        "asked_seconds": _spread([(rise.asked - rise.crossed).total_seconds() for rise in rises]),
        "ready_seconds": _spread([(rise.ready - rise.crossed).total_seconds() for rise in rises]),
        "looks": _spread([float(rise.looks) for rise in rises]),
    }


def _spread(values: Sequence[float]) -> dict[str, float]:
    rounded = [round(value, 1) for value in values]
    return {"least": min(rounded), "median": statistics.median(rounded), "most": max(rounded), "count": len(rounded)}
