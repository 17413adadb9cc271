"""Is what we applied still ours? The apiserver notes in `managedFields` which manager wrote each field last.

Whoever changes a field takes it from us. So the note tells an edit from a default of the apiserver's, which is in no
list here: both stand beside what we state in a list or map that the API takes as a whole, and only one is an edit.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from plimsoll_operator.names import FIELD_MANAGER
from plimsoll_operator.observed import Manifest

# What says which object it is belongs to no manager.
_IDENTITY = {"apiVersion", "kind"}
_IDENTITY_OF_METADATA = {"name", "namespace", "uid"}


def is_ours(wanted: Manifest, live: Manifest) -> bool:
    """Whether every field that `wanted` states is ours in `live`: none is where somebody cut `managedFields` off."""
    fields = _applied_fields(live)
    metadata = {key: value for key, value in wanted["metadata"].items() if key not in _IDENTITY_OF_METADATA}
    stated = {key: value for key, value in wanted.items() if key not in _IDENTITY | {"metadata"}}
    if metadata:
        stated["metadata"] = metadata
    return fields is not None and _owns(fields, stated)


def _applied_fields(live: Manifest) -> Mapping[str, Any] | None:
    for entry in live["metadata"].get("managedFields", ()):
        if (entry["manager"], entry["operation"]) == (FIELD_MANAGER, "Apply") and not entry.get("subresource"):
            fields: Mapping[str, Any] = entry["fieldsV1"]
            return fields
    return None


def _owns(fields: Mapping[str, Any], stated: Any) -> bool:
    """Whether `fields` name all of `stated`. A field that has none below it is owned as a whole."""
    if not fields:
        return True
    if isinstance(stated, Mapping):
        return all(f"f:{key}" in fields and _owns(fields[f"f:{key}"], value) for key, value in stated.items())
    if isinstance(stated, Sequence) and not isinstance(stated, str):
        return all(_owns_entry(fields, item) for item in stated)
    return True


def _owns_entry(fields: Mapping[str, Any], item: Any) -> bool:
    """Whether `fields` name this entry of a list: by its value, or by keys, some of which may be the API's defaults."""
    for name, inner in fields.items():
        sort, _, text = name.partition(":")
        if sort == "v" and json.loads(text) == item:
            return True
        if sort == "k" and all(item.get(key, value) == value for key, value in json.loads(text).items()):
            return _owns(inner, item)
    return False
