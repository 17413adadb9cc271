"""Alerts and dashboards: Prometheus reads every query, and each metric, label and value in it is emitted."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from emitted_metrics import operator_metrics, server_metrics
from free_ports import free_port
from plimsoll_operator.census import STATES
from plimsoll_operator.rollout.evidence import JUDGED
from plimsoll_operator.rollout.situation import Phase
from plimsoll_operator.rollout_metrics import OUTCOMES as ROLLOUT_OUTCOMES
from plimsoll_sandbox.toolchain import Tools
from plimsoll_server.telemetry import OUTCOMES, SOURCES
from prometheus_process import PrometheusProcess
from promql import InvalidQueryError, Selected, parsed, selected
from promtool import rules_of
from reasons_in_code import reasons_in_code

CHART = Path(__file__).resolve().parents[2] / "charts" / "plimsoll"
RULES = CHART / "files" / "alerts.yaml"
DASHBOARDS = sorted((CHART / "dashboards").glob("*.json"))
OF_THE_SCRAPE = {"instance"}

VALUES = {
    "outcome": {*OUTCOMES, *ROLLOUT_OUTCOMES.values()},
    "state": set(STATES),
    "phase": set(get_args(Phase)),
    "reason": {"", *reasons_in_code()},
    "signal": set(JUDGED),
    "kind": {"used", "limit", "total"},
    "source": set(SOURCES),
}
"""What a label may be, of those whose values queries spell out."""


def expressions(node: Any) -> Iterator[str]:
    """Every query below a part of a dashboard, those of its variables included."""
    if isinstance(node, dict):
        for key, value in node.items():
            variable = key == "query" and re.fullmatch(r"label_values\((.+), \w+\)", str(value))
            if key == "expr":
                yield value
            elif variable:
                yield variable.group(1)
            else:
                yield from expressions(value)
    elif isinstance(node, list):
        for part in node:
            yield from expressions(part)


QUERIES = [
    *(pytest.param(rule["expr"], id=rule["alert"]) for rule in rules_of(RULES)),
    *(
        pytest.param(query, id=f"{path.stem} {number}")
        for path in DASHBOARDS
        for number, query in enumerate(expressions(json.loads(path.read_text("utf-8"))))
    ),
]


@pytest.fixture(scope="module")
def prometheus(tools: Tools, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrometheusProcess]:
    """A real one that scrapes nothing and has the chart's alerts."""
    folder = tmp_path_factory.mktemp("prometheus")
    config = {"global": {"evaluation_interval": "1s"}, "rule_files": [str(RULES)]}
    (folder / "prometheus.yaml").write_text(yaml.safe_dump(config))
    process = PrometheusProcess(tools.prometheus, folder, free_port())
    process.start()
    yield process
    process.stop()


@pytest.fixture(scope="module")
def emitted() -> dict[str, set[str]]:
    return server_metrics() | operator_metrics()


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_asks_for_what_is_emitted(
    prometheus: PrometheusProcess, emitted: dict[str, set[str]], query: str
) -> None:
    asked = list(selected(parsed(prometheus.url, query)))
    assert asked
    for found in asked:
        assert found.metric in emitted
        assert found.labels <= emitted[found.metric] | OF_THE_SCRAPE
        assert not unknown_values(found)


def unknown_values(found: Selected) -> set[str]:
    """Values of a matcher that nothing emits; a dashboard's variable is any."""
    named = {label: set(value.split("|")) for label, value in found.values.items() if label in VALUES}
    return {value for label, values in named.items() for value in values - VALUES[label]}


@pytest.mark.parametrize(
    ("query", "wrong"),
    [
        pytest.param("sum(plimsoll_request_total)", "metric", id="a misspelt metric"),
        pytest.param('sum(plimsoll_oom_total{tiers="long"})', "label", id="a misspelt label"),
        pytest.param("sum by (pod) (rate(plimsoll_oom_total[5m]))", "label", id="a label of another's metric"),
        pytest.param('plimsoll_requests_total{outcome="failed"}', "value", id="a value that is not emitted"),
    ],
)
def test_what_is_not_emitted_would_be_found(
    prometheus: PrometheusProcess, emitted: dict[str, set[str]], query: str, wrong: str
) -> None:
    [found] = selected(parsed(prometheus.url, query))
    told = {
        "metric": found.metric not in emitted,
        "label": not found.labels <= emitted.get(found.metric, found.labels) | OF_THE_SCRAPE,
        "value": bool(unknown_values(found)),
    }
    assert [part for part, is_wrong in told.items() if is_wrong] == [wrong]


def test_a_query_that_prometheus_cannot_read_would_be_found(prometheus: PrometheusProcess) -> None:
    with pytest.raises(InvalidQueryError, match="unclosed left parenthesis"):
        parsed(prometheus.url, "sum(plimsoll_oom_total")


def test_every_metric_of_ours_is_on_a_dashboard(prometheus: PrometheusProcess, emitted: dict[str, set[str]]) -> None:
    queries = [query for path in DASHBOARDS for query in expressions(json.loads(path.read_text("utf-8")))]
    shown = {found.metric for query in queries for found in selected(parsed(prometheus.url, query))}
    ours = {name.removesuffix("_sum").removesuffix("_count") for name in emitted if name.startswith("plimsoll_")}
    assert {name for name in ours if name not in shown and f"{name}_bucket" not in shown} == set()
