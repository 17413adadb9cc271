"""What else an object may hold by the apiserver's own OpenAPI documents: fields that nobody set yet, with values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from api_client import Api
from plimsoll_operator.cluster.kinds import Kind

TEXTS = ("edited", "10.0.0.0/8", "Exists", "Always", "Min", "127.0.0.7")
"""Of an address, of an enumeration or free: one of them is what most fields of text may hold."""
NUMBERS = (65535, 1)
DEPTH = 3
"""How many objects of objects a value is made of; schemas may refer to themselves."""

Definitions = Mapping[str, Any]


@dataclass(frozen=True)
class Part:
    """The schema of one part of an object; one that says nothing knows no fields."""

    schema: Mapping[str, Any]
    definitions: Definitions

    def of_field(self, name: str) -> Part:
        own = self._resolved
        return Part(own.get("properties", {}).get(name) or own.get("additionalProperties") or {}, self.definitions)

    def of_entries(self) -> Part:
        return Part(self._resolved.get("items", {}), self.definitions)

    @property
    def is_whole(self) -> bool:
        """Whether the API takes this map as a whole, so that two managers never share it."""
        return "atomic" in {part.get("x-kubernetes-map-type") for part in (self.schema, self._resolved)}

    def unset(self, value: Mapping[str, Any]) -> dict[str, list[Any]]:
        """Of each field that the schema knows and `value` does not hold: what it could hold, the likeliest first."""
        names = self._resolved.get("properties", {}).keys() - value.keys()
        return {name: list(self.of_field(name)._values(DEPTH)) for name in sorted(names)}

    @property
    def _resolved(self) -> Mapping[str, Any]:
        """The schema that a reference leads to; one with a default stands in an `allOf`."""
        schema = self.schema
        [schema] = schema.get("allOf", [schema])
        reference = schema.get("$ref")
        found: Mapping[str, Any] = self.definitions[reference.rpartition("/")[2]] if reference else schema
        return found

    def _values(self, depth: int) -> Iterator[Any]:
        schema = self._resolved
        match schema.get("type"):
            case "string":
                yield from schema.get("enum", TEXTS)
            case "integer" | "number":
                yield from NUMBERS
            case "boolean":
                yield from (True, False)
            case "array" if depth:
                yield from ([value] for value in self.of_entries()._values(depth - 1))
            case "object" if depth:
                yield from self._objects(depth - 1)
            case None if "oneOf" in schema:
                yield from (*NUMBERS, "50%")

    def _objects(self, depth: int) -> Iterator[dict[str, Any]]:
        """With what is required; where nothing is, with one field each, for an empty one often means nothing."""
        schema = self._resolved
        if "additionalProperties" in schema:
            yield {"by-hand": "added"}
        required = schema.get("required", [])
        choices = {name: list(self.of_field(name)._values(depth)) for name in required}
        for number in range(max(map(len, choices.values()), default=0)):
            yield {name: values[min(number, len(values) - 1)] for name, values in choices.items() if values}
        for name in () if required else schema.get("properties", {}):
            for value in self.of_field(name)._values(depth):
                yield {name: value}


def part_of(api: Api, kind: Kind) -> Part:
    """The schema of `kind` as this apiserver serves it. Raises LookupError when it serves none."""
    group, _, version = kind.api_version.rpartition("/")
    definitions = _definitions(api, f"/openapi/v3/{'apis' if group else 'api'}/{kind.api_version}")
    for schema in definitions.values():
        for named in schema.get("x-kubernetes-group-version-kind", ()):
            if (named["group"], named["version"], named["kind"]) == (group, version, kind.kind):
                return Part(schema, definitions)
    raise LookupError(f"the apiserver has no schema of {kind}")


@cache
def _definitions(api: Api, path: str) -> Definitions:
    found: Definitions = api.ask("GET", path)["components"]["schemas"]
    return found
