"""docs/conditions.md against the code: every reason is explained, none is made up, each one's sums are as written."""

from __future__ import annotations

import pytest

from builders import make_observed, make_pods, make_workload
from conditions_page import OTHERS, SUMS, TABLE, as_the_table_says
from plimsoll_operator.observed import ObjectKey
from reason_scenarios import SCENARIOS, condition, looked_at, status_of
from reasons_in_code import reasons_in_code


@pytest.mark.parametrize("reason", sorted(SCENARIOS.keys() | TABLE.keys()))
def test_the_sums_of_each_reason_are_as_the_table_says(reason: str) -> None:
    status = status_of(reason)
    assert condition(status, "Ready")["reason"] == reason
    assert as_the_table_says(reason, tuple(condition(status, kind)["status"] for kind in SUMS))
    assert condition(status, "Ready")["message"]


def test_every_reason_of_the_code_is_explained_and_none_is_made_up() -> None:
    assert reasons_in_code() == TABLE.keys() | OTHERS | {"AsAsked"}


def test_no_pod_answers_behind_a_service_that_belongs_to_somebody_else() -> None:
    taken = (ObjectKey("v1", "Service", "domains"),)
    observed = make_observed(foreign=taken, workloads={"abc": make_workload("abc", 1, *make_pods("abc", 1))})
    available = condition(looked_at(observed), "Available")
    assert (available["status"], available["reason"]) == ("False", "NameTaken")
