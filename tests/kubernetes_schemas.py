"""Strict JSON schemas of Kubernetes' kinds, made from an apiserver's own OpenAPI documents, for kubeconform.

kubeconform would fetch them from the internet. These are those of the very version that the tests run, and strict: a
field that Kubernetes does not know is an error.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

Schema = dict[str, Any]

LOCATION = "{{.Group}}/{{.ResourceAPIVersion}}/{{.ResourceKind}}.json"
"""Where kubeconform looks for a kind, below the folder of the schemas. It calls the core group by its version."""

_REFERENCE = "#/components/schemas/"


def write_schemas(documents: list[Mapping[str, Any]], folder: Path) -> None:
    """Write one schema per kind of the OpenAPI v3 `documents`, one of which describes one group and version."""
    for document in documents:
        definitions = document["components"]["schemas"]
        for name, schema in definitions.items():
            for kind in schema.get("x-kubernetes-group-version-kind", []):
                group = kind["group"] or kind["version"]
                path = folder / group / kind["version"] / f"{kind['kind'].lower()}.json"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(json.dumps(_standalone(name, definitions)), encoding="utf-8")


def _standalone(name: str, definitions: Mapping[str, Schema]) -> Schema:
    """The schema `name` with all that it refers to, directly or not; kinds such as the CRD refer to themselves."""
    needed = {name}
    waiting = [name]
    while waiting:
        found = set(_references(definitions[waiting.pop()])) - needed
        needed |= found
        waiting += found
    return {
        "$ref": f"{_REFERENCE}{name}",
        "components": {"schemas": {needed_name: _strict(definitions[needed_name]) for needed_name in sorted(needed)}},
    }


def _references(schema: Any) -> Iterator[str]:
    for key, value in _items(schema):
        # A property may be called "$ref" as well, as in the schema of the CRD.
        if key == "$ref" and isinstance(value, str):
            yield value.removeprefix(_REFERENCE)
        else:
            yield from _references(value)


def _items(schema: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(schema, dict):
        yield from schema.items()
    elif isinstance(schema, list):
        yield from enumerate(schema)


def _strict(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_strict(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    strict = {key: _strict(value) for key, value in schema.items() if key != "default"}
    # `properties` and `default` may be properties' names too; a schema that has properties says that it is an object.
    if isinstance(schema.get("properties"), dict) and schema.get("type") == "object":
        strict["properties"] = {name: _strict(of_it) for name, of_it in schema["properties"].items()}
        strict.setdefault("additionalProperties", False)
    return strict
