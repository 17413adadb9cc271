"""A pod's volumes as folders of this machine, and what of them has to be kept up to date."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from plimsoll_sandbox.node.expansion import expand
from plimsoll_sandbox.node.facts import Facts
from plimsoll_sandbox.node.image_store import ImageStore
from plimsoll_sandbox.node.mounts import Mounts
from plimsoll_sandbox.node.objects import PodObjects
from plimsoll_sandbox.node.published import Content, PublishedFolder
from plimsoll_sandbox.node.spec.containers import Container
from plimsoll_sandbox.node.spec.variables import FieldRef, ResourceRef
from plimsoll_sandbox.node.spec.volumes import (
    Claim,
    DownwardSource,
    EmptyDir,
    Files,
    FilesSource,
    HostPath,
    ImageVolume,
    KeysSource,
    TokenSource,
    UnsupportedVolume,
    Volume,
    VolumeSource,
)


class VolumeError(Exception):
    """A volume cannot be mounted yet; the message is what the pod's Event says."""


class Volumes:
    """`set_up` until it succeeds, then `refresh` now and then."""

    def __init__(self, folder: Path, volumes: Iterable[Volume], objects: PodObjects, images: ImageStore) -> None:
        self._folder = folder
        self._volumes = tuple(volumes)
        self._objects = objects
        self._images = images
        self._image_volumes = {
            volume.name: volume.source for volume in self._volumes if isinstance(volume.source, ImageVolume)
        }
        self._places: dict[str, Path] = {}
        self._published: dict[str, PublishedFolder] = {}

    async def set_up(self, facts: Facts) -> None:
        """Make every volume. Raises VolumeError, ApiError and what aiohttp raises; may be called again then."""
        for volume in self._volumes:
            if not isinstance(volume.source, ImageVolume):
                self._places[volume.name] = await self._set_up(volume.name, volume.source, facts)

    async def refresh(self, facts: Facts) -> None:
        """Bring files up to date with the objects they come from. Raises as `set_up` does."""
        for volume in self._volumes:
            if isinstance(volume.source, Files):
                await self._publish(volume.name, volume.source, facts)

    def mounts_of(self, container: Container, environment: Mapping[str, str], extra: Mapping[str, Path]) -> Mounts:
        """Where the container's mount paths lead. `environment` is for sub-path expressions.

        Raises ImageMissingError for an image volume whose image the machine does not have.
        """
        places = {}
        for mount in container.mounts:
            place = self._place(mount.volume)
            below = expand(mount.sub_path_expression, environment) or mount.sub_path
            places[mount.path] = _below(place, below) if below else place
        return Mounts(places | dict(extra))

    def _place(self, name: str) -> Path:
        image = self._image_volumes.get(name)
        return self._places[name] if image is None else self._images.folder(image.reference)

    async def _set_up(self, name: str, source: VolumeSource, facts: Facts) -> Path:
        match source:
            case EmptyDir():
                return _made(self._folder / name)
            case HostPath(path):
                return Path(path)
            case Claim(claim):
                return _made(Path(await self._objects.claimed_path(claim)))
            case Files() as files:
                return await self._publish(name, files, facts)
        kind = source.kind if isinstance(source, UnsupportedVolume) else "image"
        raise VolumeError(f'volume "{name}": a sandbox has no volumes of the kind {kind}')

    async def _publish(self, name: str, files: Files, facts: Facts) -> Path:
        content: dict[str, Content] = {}
        for source in files.sources:
            content |= await self._content(name, source, files.mode, facts)
        folder = self._folder / name
        self._published.setdefault(name, PublishedFolder(folder)).publish(content)
        return folder

    async def _content(self, volume: str, source: FilesSource, mode: int, facts: Facts) -> dict[str, Content]:
        match source:
            case KeysSource():
                return await self._keys(volume, source, mode)
            case TokenSource():
                token = await self._objects.token(source)
                return {source.path: Content(token.encode(), 0o600)}
            case DownwardSource(items):
                return {item.path: Content(_downward(item.source, facts), item.mode or mode) for item in items}

    async def _keys(self, volume: str, source: KeysSource, mode: int) -> dict[str, Content]:
        key = (source.kind, source.name)
        found = (await self._objects.fetch([key]))[key]
        if found is None:
            if source.optional:
                return {}
            raise VolumeError(f'volume "{volume}": {source.kind.lower()} "{source.name}" not found')
        if not source.items:
            return {name: Content(data, mode) for name, data in found.items()}
        missing = [item.key for item in source.items if item.key not in found]
        if missing and not source.optional:
            raise VolumeError(
                f'volume "{volume}": {source.kind.lower()} "{source.name}" has no key {", ".join(missing)}'
            )
        return {item.path: Content(found[item.key], item.mode or mode) for item in source.items if item.key in found}


def _downward(source: FieldRef | ResourceRef, facts: Facts) -> bytes:
    if isinstance(source, FieldRef):
        return facts.field(source).encode()
    return facts.resource(source, facts.named_container(source)).encode()


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _below(volume: Path, sub_path: str) -> Path:
    """A path within a volume; made a folder when it is not there, as the kubelet does."""
    place = volume / sub_path.lstrip("/")
    return place if place.exists() else _made(place)
