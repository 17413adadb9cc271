"""ConfigMaps, Secrets, claims and tokens, fetched as the node that needs them."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from plimsoll_sandbox.kube import ApiError, Json, Kube
from plimsoll_sandbox.node.environment import ObjectKey
from plimsoll_sandbox.node.spec.pods import Pod
from plimsoll_sandbox.node.spec.volumes import TokenSource

# The authorizer learns of a pod's node a moment after the node itself: until then it refuses what the pod refers to.
_REFUSALS = 20
_REFUSAL_SECONDS = 0.1
# Of a token's life; the rest is for those who read the file late.
_USED_UP = 0.8
_PLURALS = {"ConfigMap": "configmaps", "Secret": "secrets"}


class UnboundClaimError(Exception):
    """A claim has no volume, or one that this machine cannot mount."""


@dataclass(frozen=True)
class Token:
    value: str
    refresh_at: float
    """On the monotonic clock."""


class PodObjects:
    """What one pod may fetch. Raises ApiError and what aiohttp raises."""

    def __init__(self, kube: Kube, pod: Pod) -> None:
        self._kube = kube
        self._pod = pod
        self._base = f"/api/v1/namespaces/{pod.namespace}"
        self._tokens: dict[TokenSource, Token] = {}

    async def fetch(self, keys: Iterable[ObjectKey]) -> dict[ObjectKey, Mapping[str, bytes] | None]:
        """The data of each, None for what does not exist."""
        return {key: await self._data(key) for key in keys}

    async def token(self, source: TokenSource) -> str:
        """A token of the pod's ServiceAccount, bound to the pod; a new one when the last is nearly used up."""
        known = self._tokens.get(source)
        if known is None or time.monotonic() >= known.refresh_at:
            known = await self._request_token(source)
            self._tokens[source] = known
        return known.value

    async def claimed_path(self, claim: str) -> str:
        """Where the volume bound to a claim lies on this machine. Raises UnboundClaimError."""
        found = await self._get(f"{self._base}/persistentvolumeclaims/{claim}")
        volume = found["spec"].get("volumeName")
        if not volume:
            raise UnboundClaimError(f'persistentvolumeclaim "{claim}" is not bound to a volume')
        source = (await self._get(f"/api/v1/persistentvolumes/{volume}"))["spec"]
        for kind in ("hostPath", "local"):
            if kind in source:
                path: str = source[kind]["path"]
                return path
        raise UnboundClaimError(
            f'persistentvolume "{volume}" is neither hostPath nor local: a sandbox mounts no others'
        )

    async def _data(self, key: ObjectKey) -> Mapping[str, bytes] | None:
        kind, name = key
        try:
            found = await self._get(f"{self._base}/{_PLURALS[kind]}/{name}")
        except ApiError as error:
            if error.status == 404:
                return None
            raise
        if kind == "Secret":
            return _decoded(found.get("data") or {})
        texts = {name: text.encode() for name, text in (found.get("data") or {}).items()}
        return texts | _decoded(found.get("binaryData") or {})

    async def _get(self, path: str) -> Json:
        for _ in range(_REFUSALS):
            try:
                return await self._kube.get(path)
            except ApiError as error:
                if error.status != 403:
                    raise
            await asyncio.sleep(_REFUSAL_SECONDS)
        return await self._kube.get(path)

    async def _request_token(self, source: TokenSource) -> Token:
        bound_to = {"apiVersion": "v1", "kind": "Pod", "name": self._pod.name, "uid": self._pod.uid}
        spec = {
            "expirationSeconds": source.seconds,
            "audiences": [source.audience] if source.audience else [],
            "boundObjectRef": bound_to,
        }
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        asked_at = time.monotonic()
        answer = await self._kube.create(f"{self._base}/serviceaccounts/{self._pod.service_account}/token", body)
        return Token(answer["status"]["token"], asked_at + source.seconds * _USED_UP)


def _decoded(data: Mapping[str, str]) -> dict[str, bytes]:
    return {name: base64.b64decode(value) for name, value in data.items()}
