"""The image map: which program of this machine stands for which container image.

```yaml
images:
  plimsoll/server:dev:
    command: [/path/.venv/bin/plimsoll-server]   # the image's entrypoint
    args: [serve]                                # its default arguments
    env: {PLIMSOLL_BIND_ADDRESS: "$(POD_IP)"}    # its environment; $(POD_IP), $(POD_NAME), $(POD_NAMESPACE) are known
    workingDir: /path
  registry.example/models/domains@sha256:0123:
    path: /path/models/domains                   # what an image volume mounts
```
Nothing of it is rewritten: its paths are this machine's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from plimsoll_sandbox.errors import SandboxError

_FIELDS = {"command", "args", "env", "workingDir", "path"}


@dataclass(frozen=True)
class Image:
    """What stands for one image: a program, a folder to mount, or both."""

    name: str
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    working_folder: Path | None = None
    path: Path | None = None


@dataclass(frozen=True)
class ImageMap:
    """All images this machine has."""

    images: Mapping[str, Image]

    def find(self, name: str) -> Image | None:
        """By exact name; no tag means `latest`, as everywhere."""
        return self.images.get(_canonical(name))

    @classmethod
    def load(cls, path: Path | None) -> ImageMap:
        """Raises SandboxError naming the file and the entry. No file: no images."""
        if path is None:
            return cls({})
        try:
            document = yaml.safe_load(path.read_text())
        except (OSError, yaml.YAMLError) as error:
            raise SandboxError(f"the image map cannot be read from {path}: {error}") from error
        table = document.get("images") if isinstance(document, Mapping) else None
        if not isinstance(table, Mapping):
            raise SandboxError(f"{path}: expected a map `images:` of image names, found {document!r}")
        images = [_parse(str(name), entry, path) for name, entry in table.items()]
        return cls({_canonical(image.name): image for image in images})


def _canonical(name: str) -> str:
    last = name.rpartition("/")[2]
    return name if ":" in last or "@" in last else f"{name}:latest"


def _parse(name: str, entry: Any, path: Path) -> Image:
    if not isinstance(entry, Mapping) or not (entry.get("command") or entry.get("path")):
        raise SandboxError(f"{path}: images.{name}: expected `command: [...]` or `path: ...`, found {entry!r}")
    unknown = set(entry) - _FIELDS
    if unknown:
        raise SandboxError(
            f"{path}: images.{name}: unknown {', '.join(sorted(unknown))}; known are {', '.join(sorted(_FIELDS))}"
        )
    for part in ("command", "args"):
        if not isinstance(entry.get(part, []), list):
            raise SandboxError(f"{path}: images.{name}.{part}: expected a list of words, found {entry[part]!r}")
    if not isinstance(entry.get("env", {}), Mapping):
        raise SandboxError(f"{path}: images.{name}.env: expected a map of names to values, found {entry['env']!r}")
    return Image(
        name=name,
        command=tuple(map(str, entry.get("command", []))),
        args=tuple(map(str, entry.get("args", []))),
        env={str(key): str(value) for key, value in entry.get("env", {}).items()},
        working_folder=_path(entry.get("workingDir")),
        path=_path(entry.get("path")),
    )


def _path(value: Any) -> Path | None:
    return None if value is None else Path(str(value))
