"""Quantities, and what the downward API makes of them."""

from __future__ import annotations

from decimal import Decimal

import pytest

from plimsoll_sandbox.node.facts import Facts
from plimsoll_sandbox.node.quantity import parse_quantity
from plimsoll_sandbox.node.spec.containers import Container
from plimsoll_sandbox.node.spec.pods import Pod
from plimsoll_sandbox.node.spec.variables import FieldRef, ResourceRef


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("500m", Decimal("0.5")),
        ("1.5Gi", 1.5 * 2**30),
        ("4Gi", 4 << 30),
        ("512Mi", 512 << 20),
        ("1k", 1000),
        ("1M", 10**6),
        ("2E", 2 * 10**18),
        ("1e3", 1000),
        ("100n", Decimal("1e-7")),
        (16, 16),
    ],
)
def test_quantities_are_read(text: str | int, value: float | Decimal) -> None:
    assert parse_quantity(text) == value


@pytest.mark.parametrize("text", ["", "Gi", "1Qi", "one", "1 Gi"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a quantity"):
        parse_quantity(text)


CONTAINER = Container("main", "image", limits={"memory": "1Gi", "cpu": "1500m"}, requests={"cpu": "250m"})
POD = Pod("uid", "pod", "team", "node", (CONTAINER,), labels={"b": 'say "hi"', "a": "1"})
FACTS = Facts(POD, "127.65.1.1", "127.65.0.1", {"cpu": "16", "memory": "64Gi"})


@pytest.mark.parametrize(
    ("reference", "value"),
    [
        (ResourceRef("limits.memory"), str(1 << 30)),
        (ResourceRef("limits.memory", "1Mi"), "1024"),
        (ResourceRef("limits.cpu"), "2"),
        (ResourceRef("limits.cpu", "1m"), "1500"),
        (ResourceRef("requests.cpu"), "1"),
        (ResourceRef("requests.memory"), "0"),
        (ResourceRef("limits.ephemeral-storage"), "0"),
    ],
    ids=lambda value: f"{value.resource}/{value.divisor}" if isinstance(value, ResourceRef) else None,
)
def test_resources_are_divided_and_rounded_up(reference: ResourceRef, value: str) -> None:
    assert FACTS.resource(reference, CONTAINER) == value


def test_without_a_limit_the_node_is_the_limit() -> None:
    assert FACTS.resource(ResourceRef("limits.memory", "1Gi"), Container("main", "image")) == "64"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("metadata.namespace", "team"),
        ("metadata.labels['a']", "1"),
        ("metadata.labels['absent']", ""),
        ("metadata.labels", 'a="1"\nb="say \\"hi\\""'),
        ("status.podIP", "127.65.1.1"),
        ("status.hostIP", "127.65.0.1"),
    ],
)
def test_fields_of_the_pod_are_told(path: str, value: str) -> None:
    assert FACTS.field(FieldRef(path)) == value
