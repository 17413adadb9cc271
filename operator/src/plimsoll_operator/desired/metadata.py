"""Metadata that every child shares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from plimsoll_operator.names import child_labels, owner_reference
from plimsoll_operator.observed import Owner


def child_metadata(owner: Owner, name: str, labels: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Metadata of a child of `owner`: deleted with it, and found again by its labels."""
    return {
        "name": name,
        "namespace": owner.namespace,
        "labels": dict(labels if labels is not None else child_labels(owner.name)),
        "ownerReferences": [owner_reference({"name": owner.name, "uid": owner.uid})],
    }
