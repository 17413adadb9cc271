"""InferenceDeployments read from a file, and everything in them that no cluster is needed to find wrong."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from plimsoll_operator.cli.errors import WrongInputError
from plimsoll_operator.cluster.compatibility import needed_fields
from plimsoll_operator.names import API_VERSION, KIND
from plimsoll_operator.observed import Manifest
from plimsoll_operator.spec import InvalidSpecError, parse_spec


def read_text(path: str) -> str:
    """A file's text, or standard input for `-`. Raises WrongInputError."""
    try:
        return sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise WrongInputError(f"{path}: {error}") from error


def read_manifests(path: str) -> list[Manifest]:
    """Every InferenceDeployment of the file; other objects in it are passed over. Raises WrongInputError."""
    try:
        documents = list(yaml.safe_load_all(read_text(path)))
    except yaml.YAMLError as error:
        raise WrongInputError(f"{path}: expected YAML: {error}") from error
    found = [item for document in documents if document is not None for item in _items(path, document)]
    ours = [_checked(path, manifest) for manifest in found if manifest.get("kind") == KIND]
    if not ours:
        raise WrongInputError(f"{path}: expected at least one {KIND}, found none among {len(found)} objects")
    return ours


def _items(path: str, document: Any) -> list[dict[str, Any]]:
    """The objects of a document: itself, or those of the list that it is."""
    if not isinstance(document, dict):
        raise WrongInputError(f"{path}: expected Kubernetes objects, found {type(document).__name__}")
    if document.get("kind") != "List":
        return [document]
    return [item for item in document.get("items") or () if isinstance(item, dict)]


def _checked(path: str, manifest: dict[str, Any]) -> Manifest:
    metadata, spec = manifest.get("metadata"), manifest.get("spec")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    where = f"{path}: {KIND} {name or 'without a name'}"
    if not name or not isinstance(spec, dict):
        raise WrongInputError(f"{where}: expected metadata.name and spec")
    if manifest.get("apiVersion") != API_VERSION:
        raise WrongInputError(f"{where}: expected apiVersion {API_VERSION}, found {manifest.get('apiVersion')!r}")
    unknown = list(undeclared(spec, "spec", frozenset(needed_fields())))
    if unknown:
        raise WrongInputError(f"{where}: no such field: {', '.join(unknown)}; docs/api.md has them all")
    try:
        parse_spec(spec)
    except InvalidSpecError as error:
        raise WrongInputError(f"{where}: {error}") from error
    return manifest


def undeclared(value: Any, path: str, declared: Collection[str]) -> Iterator[str]:
    """Fields that the API does not have, which Kubernetes would refuse or drop."""
    if isinstance(value, Mapping) and f"{path}{{}}" not in declared:
        for key, inner in value.items():
            field = f"{path}.{key}"
            if field in declared:
                yield from undeclared(inner, field, declared)
            else:
                yield field
    elif isinstance(value, list):
        for item in value:
            yield from undeclared(item, f"{path}[]", declared)
