"""`spec.model.uri`: the three places a model comes from, and where a pod of the server finds it."""

from __future__ import annotations

import re
from dataclasses import dataclass

MODEL_MOUNT_PATH = "/models"


@dataclass(frozen=True)
class HubModel:
    """A model repository at a pinned revision; the server downloads it."""

    repository: str
    revision: str

    @property
    def location(self) -> str:
        return f"hf://{self.repository}:{self.revision}"


@dataclass(frozen=True)
class ClaimModel:
    """A folder in a PersistentVolumeClaim of the object's namespace, mounted read-only."""

    claim: str
    path: str

    @property
    def location(self) -> str:
        return f"{MODEL_MOUNT_PATH}/{self.path}".rstrip("/")


@dataclass(frozen=True)
class ImageModel:
    """An OCI image or artifact at a pinned digest, mounted as an image volume."""

    reference: str

    @property
    def location(self) -> str:
        return MODEL_MOUNT_PATH


ModelSource = HubModel | ClaimModel | ImageModel

_HUB = re.compile(r"hf://([\w.-]+/[\w.-]+):([0-9a-f]{40})")
_CLAIM = re.compile(r"pvc://([a-z0-9][a-z0-9.-]*)(?:/(.*))?")
_IMAGE = re.compile(r"oci://(\S+@sha256:[0-9a-f]{64})")


def parse_model_source(uri: str) -> ModelSource:
    """Read a model URI. Raises ValueError that lists the forms to choose from."""
    if match := _HUB.fullmatch(uri):
        return HubModel(*match.groups())
    if match := _IMAGE.fullmatch(uri):
        return ImageModel(match.group(1))
    if (match := _CLAIM.fullmatch(uri)) and ".." not in (match.group(2) or "").split("/"):
        return ClaimModel(match.group(1), (match.group(2) or "").strip("/"))
    raise ValueError(
        "expected hf://org/repository:<40-hex revision>, pvc://claim/path or oci://image@sha256:<digest>; "
        f"found {uri!r}"
    )
