"""Queries as a real Prometheus reads them: which series they select, and by which labels they tell them apart."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

TIMEOUT_SECONDS = 30

_VARIABLES = {"$__rate_interval": "5m", "$__interval": "1m", "$__range": "1h"}


@dataclass(frozen=True)
class Selected:
    """A metric that a query names, with the labels that it asks of it: by matchers, and by aggregations above it."""

    metric: str
    labels: frozenset[str]
    values: Mapping[str, str]  # of the matchers, by label; regular expressions as they are


class InvalidQueryError(AssertionError):
    """Prometheus cannot read it."""


def parsed(prometheus: str, query: str) -> dict[str, Any]:
    """The tree that the Prometheus at that address makes of a query, Grafana's variables filled in."""
    encoded = urllib.parse.urlencode({"query": filled_in(query)})
    try:
        with urllib.request.urlopen(f"{prometheus}/api/v1/parse_query?{encoded}", timeout=TIMEOUT_SECONDS) as answer:
            tree: dict[str, Any] = json.load(answer)["data"]
    except urllib.error.HTTPError as error:
        raise InvalidQueryError(f"{query}: {error.read().decode()}") from error
    return tree


def filled_in(query: str, **variables: str) -> str:
    """With Grafana's own variables, and a dashboard's; those that are not given are `x`."""
    for name, value in _VARIABLES.items():
        query = query.replace(name, value)
    return re.sub(r"\$(\w+)", lambda found: variables.get(found[1], "x"), query)


def selected(node: Any, above: frozenset[str] = frozenset()) -> Iterator[Selected]:
    """Everything that a tree selects. Labels that an aggregation keeps must be labels of each series below it."""
    if isinstance(node, list):
        for part in node:
            yield from selected(part, above)
    elif isinstance(node, dict):
        if node.get("type") in {"vectorSelector", "matrixSelector"}:
            matchers = {matcher["name"]: matcher["value"] for matcher in node["matchers"]}
            metric = matchers.pop("__name__")
            yield Selected(metric, above | matchers.keys(), matchers)
        elif node.get("type") == "aggregation":
            assert not node["without"], "name the labels that are kept, so that they can be checked"
            yield from selected(node["expr"], frozenset(node["grouping"]))
            yield from selected(node["param"], above)
        elif node.get("type") == "binaryExpr" and node["matching"] and node["matching"]["include"]:
            # group_left brings labels of one side to the other: those of the result belong to either.
            yield from selected([node["lhs"], node["rhs"]], frozenset(node["matching"]["labels"]))
        else:
            yield from selected([part for part in node.values() if isinstance(part, (dict, list))], above)
