"""What pods take of a ResourceQuota, and whether one that exceeds it fits once they have ended."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from decimal import Decimal

from plimsoll_operator.observed import Manifest
from plimsoll_operator.quantity import parse_quantity

Usage = Mapping[str, Decimal]
"""Amounts by the names that a quota gives them, such as `requests.memory`."""

# Written by the apiserver's quota plugin, and nothing else in the answer says it.
_EXCEEDED = re.compile(r"exceeded quota: [^ ]+, requested: ([^ ]+), used: ([^ ]+), limited: ([^ ]+)")

_BARE = ("cpu", "memory", "ephemeral-storage")
"""Resources whose requests a quota may also name without `requests.`."""


def usage_of(pod_spec: Manifest, pods: int) -> Usage:
    """What `pods` pods of this spec take together."""
    taken: dict[str, Decimal] = defaultdict(Decimal, {"pods": Decimal(1), "count/pods": Decimal(1)})
    for container in pod_spec["containers"]:
        resources = container.get("resources", {})
        limits = resources.get("limits", {})
        for name, amount in limits.items():
            taken[f"limits.{name}"] += parse_quantity(amount)
        # What is limited and not requested is requested up to its limit.
        for name, amount in {**limits, **resources.get("requests", {})}.items():
            taken[f"requests.{name}"] += parse_quantity(amount)
    taken |= {name: taken[f"requests.{name}"] for name in _BARE if f"requests.{name}" in taken}
    return {name: amount * pods for name, amount in taken.items()}


def fits_once_freed(refusal: str, freed: Usage) -> bool:
    """Whether `refusal` is only that of a quota that has room as soon as `freed` is given back."""
    found = _EXCEEDED.search(refusal)
    if found is None:
        return False
    requested, used, limited = map(_amounts, found.groups())
    return all(
        requested[name] + used.get(name, Decimal()) - freed.get(name, Decimal()) <= limit
        for name, limit in limited.items()
        if name in requested
    )


def _amounts(text: str) -> dict[str, Decimal]:
    pairs = (pair.rpartition("=") for pair in text.split(","))
    return {name: parse_quantity(amount) for name, _, amount in pairs}
