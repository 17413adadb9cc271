"""The apiserver over one kept connection: for tests that ask more often than kubectl could."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from plimsoll_operator.cluster.kinds import Kind

Object = dict[str, Any]

MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
APPLY = "application/apply-patch+yaml"
TIMEOUT_SECONDS = 30


class RefusedError(AssertionError):
    """The apiserver answered with an error; `status` is HTTP's."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status


@dataclass(frozen=True)
class Api:
    """One namespace of one cluster. Threads may share it."""

    client: httpx.Client
    namespace: str

    def of(self, namespace: str) -> Api:
        """The same connection, another namespace."""
        return Api(self.client, namespace)

    def get(self, kind: Kind, name: str, subresource: str = "") -> Object:
        return self.ask("GET", kind.path(self.namespace, name, subresource))

    def find(self, kind: Kind, name: str) -> Object | None:
        try:
            return self.get(kind, name)
        except RefusedError as error:
            if error.status == 404:
                return None
            raise

    def select(self, kind: Kind, labels: str = "") -> list[Object]:
        answer = self.ask("GET", kind.path(self.namespace), {"labelSelector": labels} if labels else {})
        return [{"apiVersion": kind.api_version, "kind": kind.kind} | item for item in answer["items"]]

    def create(self, kind: Kind, body: Object) -> Object:
        return self.ask("POST", kind.path(self.namespace), body=body)

    def apply(self, kind: Kind, body: Object, manager: str = "user") -> Object:
        """Server-side apply: a field that `manager` applied before and leaves out now is removed."""
        query = {"fieldManager": manager, "force": "true"}
        return self.ask("PATCH", kind.path(self.namespace, body["metadata"]["name"]), query, body, APPLY)

    def merge(self, kind: Kind, name: str, patch: Object, subresource: str = "") -> Object:
        return self.ask("PATCH", kind.path(self.namespace, name, subresource), {}, patch, MERGE)

    def patch(self, kind: Kind, name: str, operations: list[Object]) -> Object:
        return self.ask("PATCH", kind.path(self.namespace, name), {}, operations, JSON_PATCH)

    def delete(self, kind: Kind, name: str, policy: str = "Background") -> Object:
        options = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": policy}
        return self.ask("DELETE", kind.path(self.namespace, name), body=options)

    def ask(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str = "application/json",
    ) -> Object:
        """Any request. Raises RefusedError."""
        content = None if body is None else json.dumps(body)
        headers = {} if body is None else {"Content-Type": content_type}
        answer = self.client.request(method, path, params=dict(query or {}), content=content, headers=headers)
        if answer.is_error:
            raise RefusedError(answer.status_code, answer.text)
        found: Object = answer.json()
        return found


@contextmanager
def connected(kubeconfig: Path, namespace: str) -> Iterator[Api]:
    """The kubeconfig's cluster, as its user."""
    content = yaml.safe_load(kubeconfig.read_text())
    cluster, user = content["clusters"][0]["cluster"], content["users"][0]["user"]
    tls = ssl.create_default_context(cafile=cluster["certificate-authority"])
    headers = {"Authorization": f"Bearer {user['token']}"}
    with httpx.Client(
        base_url=cluster["server"], headers=headers, verify=tls, timeout=TIMEOUT_SECONDS, trust_env=False
    ) as client:
        yield Api(client, namespace)
