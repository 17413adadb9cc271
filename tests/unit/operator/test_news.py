"""Only what is new wakes the operator: a watch begun anew, or an autoscaler that measures, tells nothing."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from live_objects import make_child
from plimsoll_operator.cluster.kinds import AUTOSCALER, POD, Kind
from plimsoll_operator.news import News


def make_autoscaler(**status: Any) -> dict[str, Any]:
    scaler = make_child(AUTOSCALER, "domains", spec={"maxReplicas": 8})
    scaler["metadata"] |= {"resourceVersion": "1", "managedFields": [{"time": "2026-05-04T03:00:00Z"}]}
    ordinary = {"desiredReplicas": 2, "currentMetrics": [{"pods": {"current": {"averageValue": "512m"}}}]}
    return scaler | {"status": ordinary | status}


def make_pod(version: str) -> dict[str, Any]:
    pod = make_child(POD, "domains-x")
    pod["metadata"]["resourceVersion"] = version
    return pod


def told(kind: Kind, *events: tuple[str | None, dict[str, Any]]) -> list[bool]:
    news = News(kind)
    return [news.tells({"type": type_, "object": copy.deepcopy(found)}) for type_, found in events]


def test_a_watch_that_begins_anew_tells_nothing_of_what_stayed_as_it_was() -> None:
    assert told(POD, ("ADDED", make_pod("1")), (None, make_pod("1")), (None, make_pod("2"))) == [True, False, True]


def test_what_is_gone_is_news_and_so_is_the_one_after_it() -> None:
    events = [("ADDED", make_pod("1")), ("DELETED", make_pod("1")), ("ADDED", make_pod("1"))]
    assert told(POD, *events) == [True, True, True]


def test_one_object_is_not_taken_for_another() -> None:
    other = make_pod("1")
    other["metadata"]["uid"] = "another"
    assert told(POD, ("ADDED", make_pod("1")), ("ADDED", other)) == [True, True]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param({"currentMetrics": [{"pods": {"current": {"averageValue": "530m"}}}]}, False, id="a measurement"),
        pytest.param({"desiredReplicas": 3}, True, id="another wish"),
        pytest.param({"conditions": [{"type": "ScalingActive", "status": "False"}]}, True, id="a condition"),
    ],
)
def test_an_autoscaler_that_only_measures_is_no_news(change: dict[str, Any], expected: bool) -> None:
    after = make_autoscaler(**change)
    after["metadata"] |= {"resourceVersion": "2", "managedFields": [{"time": "2026-05-04T03:00:15Z"}]}
    assert told(AUTOSCALER, ("ADDED", make_autoscaler()), ("MODIFIED", after)) == [True, expected]


def test_an_autoscaler_edited_by_hand_is_news() -> None:
    edited = make_autoscaler() | {"spec": {"maxReplicas": 9}}
    relabelled = make_autoscaler()
    relabelled["metadata"]["labels"] = {}
    first = ("ADDED", make_autoscaler())
    assert told(AUTOSCALER, first, ("MODIFIED", edited), ("MODIFIED", relabelled)) == [True, True, True]
