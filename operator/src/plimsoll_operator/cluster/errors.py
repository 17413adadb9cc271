"""What the apiserver answers when it does not do what was asked, as one type per thing to do about it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

_UNDECLARED = "not declared in schema"
_BUSY = {429, 502, 503, 504}


class KubeError(Exception):
    """A request failed. `reason` is one word for logs and metrics; the message is the apiserver's own."""

    @property
    def reason(self) -> str:
        return type(self).__name__.removesuffix("Error")


class UnavailableError(KubeError):
    """No answer, or one that says to come back later."""


class UnauthorizedError(KubeError):
    """The credentials were refused: expired, revoked, or of another cluster."""


class ForbiddenError(KubeError):
    """RBAC or admission refuses this for the operator's identity."""


class NamespaceTerminatingError(ForbiddenError):
    """Nothing can be created any more: the namespace is being deleted, and every object in it."""


class NotFoundError(KubeError):
    """The object, or its whole kind, is not there."""


class ConflictError(KubeError):
    """A fence held: the object is not the one that was read, or it exists already."""


class InvalidError(KubeError):
    """The apiserver's validation refuses the object; `fields` are the paths it names."""

    def __init__(self, message: str, fields: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.fields = fields


class SchemaTooOldError(KubeError):
    """The installed CRD does not know a field that this operator writes. Lasts until the CRD is upgraded."""


class RefusedError(KubeError):
    """Any other answer that is not success."""


def error_of(status: int, body: bytes, what: str) -> KubeError:
    """The error that an answer other than 2xx stands for; `what` says which request it answers."""
    answer = _parse(body)
    said = f"{what}: {answer.get('message') or f'HTTP {status}'}"
    causes = _causes(answer)
    if status == 500 and _UNDECLARED in said:
        return SchemaTooOldError(f"{said}. The installed CRD is older than this operator: upgrade the CRD")
    if status == 422:
        return _invalid(said, tuple(str(cause["field"]) for cause in causes if cause.get("field")))
    if status == 403 and any(cause.get("reason") == "NamespaceTerminating" for cause in causes):
        return NamespaceTerminatingError(said)
    if status in _BUSY or status >= 500:
        return UnavailableError(said)
    by_status: Mapping[int, type[KubeError]] = {
        400: RefusedError,
        401: UnauthorizedError,
        403: ForbiddenError,
        404: NotFoundError,
        409: ConflictError,
        # The page of a long list is no longer kept: the list has to be started again.
        410: UnavailableError,
    }
    return by_status.get(status, RefusedError)(said)


def _invalid(said: str, fields: tuple[str, ...]) -> KubeError:
    # An apply that names the uid of another object than the one there: a 409 for some kinds, this for others.
    return ConflictError(said) if "metadata.uid" in fields else InvalidError(said, fields)


def _parse(body: bytes) -> Mapping[str, Any]:
    """The `Status` object in an answer. Proxies and load balancers answer with anything: then there is none."""
    try:
        answer = json.loads(body)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _causes(answer: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    details = answer.get("details") or {}
    return list(details.get("causes") or ())
