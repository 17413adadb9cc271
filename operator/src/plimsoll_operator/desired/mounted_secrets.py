"""Secrets of the object's namespace that its pods read as files, so that a renewed one needs no restart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from plimsoll_operator.spec import Spec

FOLDER = "/etc/plimsoll"
API_KEYS, REDIS_URL = "keys", "url"


@dataclass(frozen=True)
class MountedSecret:
    """`secret` is its name, `volume` what the pod calls it, `keys` all that is handed out of it."""

    volume: str
    secret: str
    keys: tuple[str, ...]

    @property
    def path(self) -> str:
        return f"{FOLDER}/{self.volume}"

    def as_volume(self) -> dict[str, Any]:
        """The keys that are needed and no other: naming a Secret here must not hand out all that it holds.

        Optional, since a pod whose volume is missing hangs without a word; the server says which file it wants, and
        ends.
        """
        items = [{"key": key, "path": key} for key in self.keys]
        # Read by the group, since the kubelet gives the files to fsGroup.
        source = {"secretName": self.secret, "items": items, "optional": True, "defaultMode": 0o440}
        return {"name": self.volume, "secret": source}

    def as_mount(self) -> dict[str, Any]:
        return {"name": self.volume, "mountPath": self.path, "readOnly": True}


def certificate(spec: Spec) -> MountedSecret | None:
    return _named("tls", spec.server.tls_secret, "tls.crt", "tls.key")


def api_keys(spec: Spec) -> MountedSecret | None:
    return _named("api-keys", spec.server.auth.api_key_secret, API_KEYS)


def redis(spec: Spec) -> MountedSecret | None:
    return _named("redis", spec.server.cache.redis_secret, REDIS_URL)


def mounted_secrets(spec: Spec) -> list[MountedSecret]:
    return [found for found in (certificate(spec), api_keys(spec), redis(spec)) if found is not None]


def _named(volume: str, secret: str, *keys: str) -> MountedSecret | None:
    return MountedSecret(volume, secret, keys) if secret else None
