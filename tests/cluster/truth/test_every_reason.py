"""kstatus, as Flux runs it, on the status that the operator gives with each reason: Current, InProgress or Failed."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster.truth.judges import kstatus
from conditions_page import TABLE
from plimsoll_operator.names import API_VERSION, KIND
from reason_scenarios import SCENARIOS, status_of

pytestmark = pytest.mark.cluster

READY = ("True", "False", "False")
STALLED = ("False", "False", "True")


def expected(reason: str) -> str:
    """By Ready, Reconciling and Stalled, as the page has them."""
    sums = TABLE[reason][1:]
    return "Current" if sums == READY else "Failed" if sums == STALLED else "InProgress"


def test_kstatus_reads_each_reason_as_it_is_meant(kstatus_program: Path) -> None:
    statuses = {reason: status_of(reason) for reason in SCENARIOS}
    objects = [
        {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "metadata": {"name": "domains", "namespace": "guardrails", "generation": status["observedGeneration"]},
            "spec": {},
            "status": status,
        }
        for status in statuses.values()
    ]
    judged = dict(zip(statuses, kstatus(kstatus_program, objects), strict=True))
    assert judged == {reason: expected(reason) for reason in statuses}
