"""Environment variables as a container declares them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class FieldRef:
    """A field of the pod, such as metadata.labels['app'] or status.podIP."""

    path: str


@dataclass(frozen=True)
class ResourceRef:
    """A container's limit or request, such as limits.memory, divided by `divisor` and rounded up."""

    resource: str
    divisor: str = "1"
    container: str | None = None


@dataclass(frozen=True)
class KeyRef:
    """A key of a ConfigMap or Secret of the pod's namespace."""

    kind: str
    name: str
    key: str
    optional: bool = False


Source = FieldRef | ResourceRef | KeyRef


@dataclass(frozen=True)
class Variable:
    name: str
    value: str = ""
    source: Source | None = None


@dataclass(frozen=True)
class VariablesFrom:
    """Every key of a ConfigMap or Secret, each with `prefix` in front."""

    kind: str
    name: str
    prefix: str = ""
    optional: bool = False


def parse_variable(value: Mapping[str, Any]) -> Variable:
    source = value.get("valueFrom")
    return Variable(value["name"], value.get("value", ""), None if source is None else _parse_source(source))


def parse_variables_from(value: Mapping[str, Any]) -> VariablesFrom:
    kind, reference = (
        ("ConfigMap", value["configMapRef"]) if "configMapRef" in value else ("Secret", value["secretRef"])
    )
    return VariablesFrom(kind, reference["name"], value.get("prefix", ""), reference.get("optional", False))


def parse_field_or_resource(value: Mapping[str, Any]) -> FieldRef | ResourceRef:
    """`fieldRef` or `resourceFieldRef`, in an environment variable or a downward API file."""
    if "fieldRef" in value:
        return FieldRef(value["fieldRef"]["fieldPath"])
    reference = value["resourceFieldRef"]
    divisor = reference.get("divisor", "1")
    # The API answers "0" where no divisor was given.
    return ResourceRef(reference["resource"], "1" if divisor == "0" else divisor, reference.get("containerName"))


def _parse_source(value: Mapping[str, Any]) -> Source:
    for kind, field in (("ConfigMap", "configMapKeyRef"), ("Secret", "secretKeyRef")):
        if field in value:
            reference = value[field]
            return KeyRef(kind, reference["name"], reference["key"], reference.get("optional", False))
    return parse_field_or_resource(value)
