"""Grafana's own types of a dashboard, as Grafana publishes them: what they do not know, and what is of another type.

The library reads leniently: it drops a field that it does not know, and keeps a value whatever its type is. So what it
writes is compared with what it read, and each value with the type that it declares. Transformations it leaves as read.
"""

from __future__ import annotations

import json
import typing
from collections.abc import Iterator
from enum import Enum
from types import NoneType
from typing import Any

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard, DataTransformerConfig


def objections(dashboard: dict[str, Any]) -> list[str]:
    """Where a dashboard is not what Grafana's types say, as paths."""
    register_default_plugins()
    known = Dashboard.from_json(dashboard)
    return [*_dropped(dashboard, json.loads(json.dumps(known, cls=JSONEncoder)), ""), *_mistyped(known, "")]


def _dropped(read: Any, written: Any, path: str) -> Iterator[str]:
    if isinstance(read, dict) and isinstance(written, dict):
        for key, value in read.items():
            if key in written:
                yield from _dropped(value, written[key], f"{path}.{key}")
            else:
                yield f"{path}.{key} is unknown"
    elif isinstance(read, list) and isinstance(written, list) and len(read) == len(written):
        for number, (one, other) in enumerate(zip(read, written, strict=True)):
            yield from _dropped(one, other, f"{path}[{number}]")
    elif read != written:
        yield f"{path} is {read!r}, understood as {written!r}"


def _mistyped(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, list):
        for number, part in enumerate(value):
            yield from _mistyped(part, f"{path}[{number}]")
    elif type(value).__module__.startswith("grafana_foundation_sdk.models"):
        for name, declared in typing.get_type_hints(type(value)).items():
            held = getattr(value, name)
            if not _fits(held, declared):
                yield f"{path}.{name} is {held!r}, expected {declared}"
            yield from _mistyped(held, f"{path}.{name}")


def _fits(value: Any, declared: Any) -> bool:
    """Whether a value is of a type. Enumerations are kept as the text that was read."""
    parts = typing.get_args(declared)
    match typing.get_origin(declared):
        case typing.Union:
            return any(_fits(value, part) for part in parts)
        case typing.Literal:
            return value in parts
        case origin if origin is list:
            return isinstance(value, list) and all(_fits(part, parts[0]) for part in value)
        case origin if origin is dict:
            return isinstance(value, dict) and all(_fits(part, parts[1]) for part in value.values())
    if isinstance(declared, type) and issubclass(declared, Enum):
        return value in {member.value for member in declared}
    if declared in {int, float}:
        return isinstance(value, (int, declared)) and not isinstance(value, bool)
    if declared is DataTransformerConfig:
        return isinstance(value, dict) and {"id", "options"} <= value.keys()
    return value is None if declared is NoneType else isinstance(value, declared)
