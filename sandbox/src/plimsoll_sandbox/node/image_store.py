"""Images "pulled" from the image map, which may be edited while the sandbox runs."""

from __future__ import annotations

from pathlib import Path

from plimsoll_sandbox.errors import SandboxError
from plimsoll_sandbox.images import Image, ImageMap


class ImageMissingError(Exception):
    """The image map has nothing for an image; the message is what the container's status says (ErrImagePull)."""


class ImageStore:
    """Reads the map again whenever the file has changed."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._stamp: tuple[int, int] | None = None
        self._map = ImageMap({})

    def program(self, name: str) -> Image:
        """What a container of this image runs. Raises ImageMissingError."""
        image = self._find(name)
        if not image.command and image.path is not None:
            raise ImageMissingError(f'image "{name}" is only a folder to mount: {self._path} gives no command for it')
        return image

    def folder(self, reference: str) -> Path:
        """What an image volume of this reference mounts. Raises ImageMissingError."""
        image = self._find(reference)
        if image.path is None:
            raise ImageMissingError(f'image "{reference}" cannot be mounted: {self._path} gives no path for it')
        return image.path

    def _find(self, name: str) -> Image:
        try:
            image = self._current().find(name)
        except SandboxError as error:
            raise ImageMissingError(f'failed to pull image "{name}": {error}') from error
        if image is None:
            source = (
                "the sandbox was started without an image map" if self._path is None else f"it is not in {self._path}"
            )
            raise ImageMissingError(f'failed to pull image "{name}": {source}')
        return image

    def _current(self) -> ImageMap:
        if self._path is not None:
            try:
                found = self._path.stat()
            except OSError as error:
                raise SandboxError(f"the image map {self._path} is gone: {error}") from error
            stamp = (found.st_mtime_ns, found.st_size)
            if stamp != self._stamp:
                self._map = ImageMap.load(self._path)
                self._stamp = stamp
        return self._map
