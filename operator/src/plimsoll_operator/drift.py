"""Does a live object still hold what we want of it? The answer decides whether it is applied: at rest nothing is.

Three signs of drift: the hash of what was applied last differs (we changed our mind, or dropped a field), a field that
we state has another value now, or one is no longer ours: somebody edited it, or added to a list or map that the API
takes as a whole. Fields that we do not state, and that stand beside ours, are never looked at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from plimsoll_operator.names import ANNOTATION_APPLIED, content_hash
from plimsoll_operator.observed import Manifest
from plimsoll_operator.ownership import is_ours
from plimsoll_operator.quantity import parse_quantity

# Lists that the API merges by key: others may add entries beside ours.
_MERGE_KEYS = {
    "containers": "name",
    "env": "name",
    "volumes": "name",
    "volumeMounts": "mountPath",
    "ports": "name",
    "imagePullSecrets": "name",
    "ownerReferences": "uid",
    "topologySpreadConstraints": "topologyKey",
}
# Maps that the API replaces as a whole. One label more in a Service's selector and it finds no pod, in a
# NetworkPolicy's and it guards none.
_ATOMIC_MAPS = {"selector", "labelSelector", "nodeSelector", "podSelector"}
_QUANTITY_FIELDS = {"limits", "requests", "averageValue"}


def stamped(manifest: Manifest) -> Manifest:
    """The manifest with the hash of its own content as an annotation."""
    metadata = manifest["metadata"]
    annotations = {**metadata.get("annotations", {}), ANNOTATION_APPLIED: content_hash(manifest)}
    return {**manifest, "metadata": {**metadata, "annotations": annotations}}


def has_drifted(wanted: Manifest, live: Manifest | None) -> bool:
    """Whether the stamped manifest `wanted` must be applied over `live`."""
    return live is None or not holds(wanted, live) or not is_ours(wanted, live)


def holds(wanted: Manifest, live: Manifest) -> bool:
    """Whether `live` has every value that `wanted`, or a part of one, states."""
    return _holds(wanted, live, field="")


def _holds(wanted: Any, live: Any, field: str) -> bool:
    """Whether `live` holds everything that `wanted` states; `field` is the name under which both stand."""
    if wanted == live:
        return True
    if field in _ATOMIC_MAPS:
        return False
    if isinstance(wanted, Mapping):
        return isinstance(live, Mapping) and _holds_mapping(wanted, live, field)
    if isinstance(wanted, Sequence) and not isinstance(wanted, str):
        return isinstance(live, Sequence) and _holds_list(wanted, live, field)
    if field in _QUANTITY_FIELDS and isinstance(wanted, str) and isinstance(live, str | int):
        return parse_quantity(wanted) == parse_quantity(live)
    return False


def _holds_mapping(wanted: Mapping[str, Any], live: Mapping[str, Any], field: str) -> bool:
    # Names of resources are arbitrary, so quantities are told by the map that holds them.
    inherited = field if field in _QUANTITY_FIELDS else None
    # The API leaves an empty text out, such as a toleration's value.
    return all(_holds(value, live.get(key, ""), inherited or key) for key, value in wanted.items())


def _holds_list(wanted: Sequence[Any], live: Sequence[Any], field: str) -> bool:
    key = _MERGE_KEYS.get(field)
    if key is None or not all(isinstance(item, Mapping) and key in item for item in wanted):
        return len(wanted) == len(live) and all(_holds(a, b, "") for a, b in zip(wanted, live, strict=True))
    by_key = {item[key]: item for item in live if isinstance(item, Mapping) and key in item}
    return all(item[key] in by_key and _holds(item, by_key[item[key]], "") for item in wanted)
