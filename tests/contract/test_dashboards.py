"""The dashboards are what Grafana's own types say, and each panel shows something in a unit, and says what."""

from __future__ import annotations

import copy
import json
import re
from itertools import combinations
from typing import Any

import pytest

from grafana_types import objections
from helm_chart import CHART, CHART_MODES, Chart
from in_words import IN_WORDS
from plimsoll_operator.rollout.evidence import JUDGED

BOARDS = {path.stem: json.loads(path.read_text("utf-8")) for path in sorted((CHART / "dashboards").glob("*.json"))}
ROOT = CHART.parents[1]
COLUMNS = 24

each_board = pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS.keys())
each_panel = pytest.mark.parametrize(
    "panel",
    [
        pytest.param(panel, id=f"{name} - {panel['title']}")
        for name, board in BOARDS.items()
        for panel in board["panels"]
        if panel["type"] != "row"
    ],
)


def test_there_is_one_of_the_fleet_one_of_its_servers_and_one_of_a_rollout() -> None:
    assert set(BOARDS) == {"fleet", "servers", "rollout"}


@each_board
def test_grafanas_types_know_all_of_it(board: dict[str, Any]) -> None:
    assert objections(board) == []


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        pytest.param("unit", 3, "is 3, expected", id="a value of another type"),
        pytest.param("units", "short", "units is unknown", id="a field that there is not"),
    ],
)
def test_what_grafana_does_not_know_would_be_found(field: str, value: Any, told: str) -> None:
    board = copy.deepcopy(BOARDS["fleet"])
    board["panels"][1]["fieldConfig"]["defaults"][field] = value
    assert told in " ".join(objections(board))


@each_board
def test_panels_have_numbers_of_their_own_and_do_not_overlap(board: dict[str, Any]) -> None:
    numbers = [panel["id"] for panel in board["panels"]]
    assert len(set(numbers)) == len(numbers)
    places = [panel["gridPos"] for panel in board["panels"]]
    assert all(place["x"] + place["w"] <= COLUMNS for place in places)
    assert not [pair for pair in combinations(places, 2) if _overlap(*pair)]


def _overlap(one: dict[str, int], other: dict[str, int]) -> bool:
    def meets(start: str, size: str) -> bool:
        return one[start] < other[start] + other[size] and other[start] < one[start] + one[size]

    return meets("x", "w") and meets("y", "h")


@each_board
def test_the_data_source_is_chosen_by_whoever_looks(board: dict[str, Any]) -> None:
    variables = {variable["name"]: variable for variable in board["templating"]["list"]}
    assert (variables["datasource"]["type"], variables["datasource"]["query"]) == ("datasource", "prometheus")
    assert "current" not in variables["datasource"]


@each_panel
def test_a_panel_asks_something_shows_its_unit_and_says_what_it_is(panel: dict[str, Any]) -> None:
    assert panel["targets"]
    assert all(target["expr"] for target in panel["targets"])
    assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])
    assert {part["datasource"]["uid"] for part in (panel, *panel["targets"])} == {"${datasource}"}
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert panel["description"].endswith(".")


def test_each_signal_has_a_panel_with_its_threshold() -> None:
    queries = " ".join(target["expr"] for panel in BOARDS["rollout"]["panels"] for target in panel.get("targets", ()))
    for metric in ("plimsoll_operator_rollout_evidence", "plimsoll_operator_rollout_threshold"):
        assert set(re.findall(rf'{metric}{{[^}}]*signal="(\w+)"', queries)) == set(JUDGED)


@pytest.mark.parametrize("page", ["README.md", "docs/operator.md"])
def test_a_page_that_says_how_many_there_are_is_right(page: str) -> None:
    assert f" {IN_WORDS[len(BOARDS)]} Grafana dashboards" in (ROOT / page).read_text(encoding="utf-8")


def test_the_dashboards_reach_grafana_as_they_are(chart: Chart) -> None:
    objects = chart.render(CHART_MODES["full"])
    for name, board in BOARDS.items():
        found = objects.one("ConfigMap", f"plimsoll-dashboard-{name}")
        assert found["metadata"]["namespace"] == "monitoring"
        assert found["metadata"]["labels"]["grafana_dashboard"] == "mine"
        assert {file: json.loads(text) for file, text in found["data"].items()} == {f"plimsoll-{name}.json": board}


def test_neither_dashboards_nor_alerts_are_made_unless_asked_for(chart: Chart) -> None:
    objects = chart.render()
    assert objects.of("PrometheusRule") == []
    assert [found for found in objects.of("ConfigMap") if "dashboard" in found["metadata"]["name"]] == []
