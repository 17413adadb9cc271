"""Volumes as a pod declares them, and where its containers mount them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from plimsoll_sandbox.node.spec.variables import FieldRef, ResourceRef, parse_field_or_resource

_DEFAULT_MODE = 0o644
_DEFAULT_TOKEN_SECONDS = 3600


@dataclass(frozen=True)
class Item:
    """One key of a ConfigMap or Secret under a path of its own."""

    key: str
    path: str
    mode: int | None = None


@dataclass(frozen=True)
class KeysSource:
    """The keys of a ConfigMap or Secret as files: all of them, or those in `items`."""

    kind: str
    name: str
    items: tuple[Item, ...] = ()
    optional: bool = False


@dataclass(frozen=True)
class TokenSource:
    """A token of the pod's ServiceAccount."""

    path: str
    seconds: int = _DEFAULT_TOKEN_SECONDS
    audience: str = ""


@dataclass(frozen=True)
class DownwardItem:
    path: str
    source: FieldRef | ResourceRef
    mode: int | None = None


@dataclass(frozen=True)
class DownwardSource:
    items: tuple[DownwardItem, ...]


FilesSource = KeysSource | TokenSource | DownwardSource


@dataclass(frozen=True)
class Files:
    """A volume of files made from the API's objects, kept up to date: configMap, secret, downwardAPI or projected."""

    sources: tuple[FilesSource, ...]
    mode: int = _DEFAULT_MODE


@dataclass(frozen=True)
class EmptyDir:
    pass


@dataclass(frozen=True)
class HostPath:
    path: str


@dataclass(frozen=True)
class Claim:
    name: str


@dataclass(frozen=True)
class ImageVolume:
    reference: str


@dataclass(frozen=True)
class UnsupportedVolume:
    kind: str


VolumeSource = Files | EmptyDir | HostPath | Claim | ImageVolume | UnsupportedVolume


@dataclass(frozen=True)
class Volume:
    name: str
    source: VolumeSource


@dataclass(frozen=True)
class Mount:
    volume: str
    path: str
    sub_path: str = ""
    sub_path_expression: str = ""


def parse_mount(value: Mapping[str, Any]) -> Mount:
    return Mount(value["name"], value["mountPath"], value.get("subPath", ""), value.get("subPathExpr", ""))


def parse_volume(value: Mapping[str, Any]) -> Volume:
    kind = next((field for field in value if field != "name"), "emptyDir")
    return Volume(value["name"], _parse_source(kind, value.get(kind) or {}))


def _parse_source(kind: str, value: Mapping[str, Any]) -> VolumeSource:
    match kind:
        case "emptyDir":
            return EmptyDir()
        case "hostPath":
            return HostPath(value["path"])
        case "persistentVolumeClaim":
            return Claim(value["claimName"])
        case "image":
            return ImageVolume(value.get("reference", ""))
        case "configMap" | "secret" | "downwardAPI":
            return Files((_parse_files(kind, value),), value.get("defaultMode", _DEFAULT_MODE))
        case "projected":
            sources = [_parse_files(*next(iter(entry.items()))) for entry in value.get("sources", ())]
            return Files(tuple(sources), value.get("defaultMode", _DEFAULT_MODE))
    return UnsupportedVolume(kind)


def _parse_files(kind: str, value: Mapping[str, Any]) -> FilesSource:
    match kind:
        case "configMap":
            return KeysSource("ConfigMap", value["name"], _items(value.get("items", ())), value.get("optional", False))
        case "secret":
            # A secret volume says `secretName`, a projected secret says `name`.
            name = value.get("secretName") or value["name"]
            return KeysSource("Secret", name, _items(value.get("items", ())), value.get("optional", False))
        case "serviceAccountToken":
            seconds = value.get("expirationSeconds", _DEFAULT_TOKEN_SECONDS)
            return TokenSource(value["path"], seconds, value.get("audience", ""))
    items = [
        DownwardItem(item["path"], parse_field_or_resource(item), item.get("mode")) for item in value.get("items", ())
    ]
    return DownwardSource(tuple(items))


def _items(values: Sequence[Mapping[str, Any]]) -> tuple[Item, ...]:
    return tuple(Item(value["key"], value["path"], value.get("mode")) for value in values)
