"""What somebody could do by hand to the fields that one field manager owns, read from the object's `managedFields`.

Where the API takes a field as a whole, nobody may add to it either: each field that the apiserver's schema knows there
and that is not set yet is an edit too.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from api_client import Object
from schema_fields import Part

WORDS = ("edited", "7", "127.0.0.7", "UDP", "Min", "Pods", "Percent", "NodePort", "Always", "File", "PreferNoSchedule")
"""Other values for a text: one of them is what the field may hold as well, whatever the field."""


@dataclass(frozen=True)
class Edit:
    """One act on one field: JSON patches of which the first counts that the apiserver takes and that changes something.

    `path` names the field for people, `pointer` for a JSON patch.
    """

    path: str
    act: str
    patches: tuple[list[Object], ...]

    def __str__(self) -> str:
        return f"{self.path} {self.act}"


def edits_of(live: Object, manager: str, schema: Part) -> list[Edit]:
    """Every act on every field of `live` that `manager` owns: changed, added to where it is whole, and removed."""
    [owned] = [
        entry["fieldsV1"]
        for entry in live["metadata"]["managedFields"]
        if entry["manager"] == manager and "subresource" not in entry
    ]
    return list(_of_part(owned, live, schema, "", ""))


def _of_part(owned: Object, value: Any, schema: Part, pointer: str, path: str) -> Iterator[Edit]:
    """Edits of what stands at `pointer`, of which `owned` tells which fields are ours; without any it is whole.

    Except for an empty map that is not: to that anybody may add.
    """
    if not owned and (value != {} or schema.is_whole):
        yield from _of_whole(value, schema, pointer, path)
    if pointer and (not owned or "." in owned or path == "metadata.labels"):
        yield Edit(path, "removed", ([{"op": "remove", "path": pointer}],))
    for name, inner in owned.items():
        sort, _, key = name.partition(":")
        if sort == "f":
            below = f"{path}.{key}".lstrip(".")
            yield from _of_part(inner, value[key], schema.of_field(key), f"{pointer}/{_escaped(key)}", below)
        elif sort in ("k", "v"):
            index = _index(value, sort, json.loads(key))
            entry = schema.of_entries()
            yield from _of_part(
                _without_keys(inner, key), value[index], entry, f"{pointer}/{index}", f"{path}[{index}]"
            )


def _without_keys(owned: Object, key: str) -> Object:
    """Without the fields by which the API knows a list's entry: with another name it is another entry, and theirs."""
    keys = json.loads(key)
    return {name: inner for name, inner in owned.items() if not (isinstance(keys, dict) and name[2:] in keys)}


def _of_whole(value: Any, schema: Part, pointer: str, path: str) -> Iterator[Edit]:
    """Edits of a field that the API takes as a whole: also of everything in it, for nobody else may write there."""
    match value:
        case dict():
            yield Edit(path, "added to", tuple(_put(pointer, larger) for larger in _larger_maps(value)))
            for name, others in schema.unset(value).items():
                yield Edit(f"{path}.{name}", "added", tuple(_put(pointer, {**value, name: other}) for other in others))
            for name, inner in value.items():
                yield from _of_whole(inner, schema.of_field(name), f"{pointer}/{_escaped(name)}", f"{path}.{name}")
        case list():
            if value:
                yield Edit(path, "added to", tuple(_put(pointer, [*value, other]) for other in _others(value[-1])))
            for index, inner in enumerate(value):
                yield from _of_whole(inner, schema.of_entries(), f"{pointer}/{index}", f"{path}[{index}]")
        case _:
            yield Edit(path, "changed", tuple(_put(pointer, other) for other in _others(value)))


def _put(pointer: str, value: Any) -> list[Object]:
    return [{"op": "replace", "path": pointer, "value": value}]


def _escaped(step: str) -> str:
    return step.replace("~", "~0").replace("/", "~1")


def _index(items: list[Any], sort: str, key: Any) -> int:
    """Where in a list the entry is that `managedFields` names by its keys or by its value."""
    for index, item in enumerate(items):
        if item == key if sort == "v" else all(item.get(name) == value for name, value in key.items()):
            return index
    raise LookupError(f"no entry {key} in {items}")


def _others(value: Any) -> Iterator[Any]:
    """Values like this one, with one thing in it changed."""
    match value:
        case bool():
            yield not value
        case int():
            yield from (value + 1, value - 1, value * 2)
        case str():
            yield from (f"{value}x", *(word for word in WORDS if word != value))
        case dict() | list():
            for name in value if isinstance(value, dict) else range(len(value)):
                for other in _others(value[name]):
                    changed = copy.deepcopy(value)
                    changed[name] = other
                    yield changed


def _larger_maps(value: Object) -> Iterator[Object]:
    """The map with one entry more, or with one more label where it is a selector."""
    yield {**value, "by-hand": "added"}
    if "matchLabels" in value:
        yield {**value, "matchLabels": {**value["matchLabels"], "by-hand": "added"}}
