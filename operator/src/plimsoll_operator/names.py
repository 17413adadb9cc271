"""Names that others build on: the API group, labels, ports and the names of children. Frozen within v1alpha1."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

GROUP = "plimsoll.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
KIND = "InferenceDeployment"
PLURAL = "inferencedeployments"

FIELD_MANAGER = "plimsoll-operator"

LABEL_NAME = f"{GROUP}/name"
LABEL_REVISION = f"{GROUP}/revision"
LABEL_STABLE = f"{GROUP}/stable"
LABEL_PROMOTED = f"{GROUP}/promoted"
LABEL_REJECTED = f"{GROUP}/rejected"
LABEL_MANAGED_BY = "app.kubernetes.io/managed-by"

ANNOTATION_APPLIED = f"{GROUP}/applied-hash"
ANNOTATION_REQUEST = f"{GROUP}/rollout-request"
ANNOTATION_REQUESTS = f"{GROUP}/requests-answered"
ANNOTATION_REJECTED_BECAUSE = f"{GROUP}/rejected-because"

HTTP_PORT = 8080
HTTPS_PORT = 8443
METRICS_PORT = 9090
SERVICE_PORT = 80
HTTPS_SERVICE_PORT = 443
SERVER_CONTAINER = "server"
SATURATION_METRIC = "plimsoll_saturation_ratio"

REVISION_HASH_LENGTH = 10


def canonical_json(value: Any) -> str:
    """The one text of a JSON value: equal values give equal texts."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def content_hash(value: Any) -> str:
    """Hexadecimal SHA-256 of a JSON value, cut to the length of a revision's name."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()[:REVISION_HASH_LENGTH]


def revision_object_name(name: str, revision: str) -> str:
    """Name of the Deployment and of the ControllerRevision of one revision."""
    return f"{name}-{revision}"


def is_revision_object_name(name: str, text: str) -> bool:
    """Whether some revision of `name` could be called so: others may call theirs NAME-something as well."""
    return re.fullmatch(rf"{re.escape(name)}-[0-9a-f]{{{REVISION_HASH_LENGTH}}}", text) is not None


def child_labels(name: str) -> dict[str, str]:
    """Labels of every child of the InferenceDeployment `name`."""
    return {
        "app.kubernetes.io/name": "plimsoll-server",
        "app.kubernetes.io/instance": name,
        LABEL_MANAGED_BY: FIELD_MANAGER,
        LABEL_NAME: name,
    }


def revision_labels(name: str, revision: str) -> dict[str, str]:
    """Labels of what belongs to one revision; its Deployment selects by the last two."""
    return child_labels(name) | {LABEL_REVISION: revision}


def revision_selector(name: str, revision: str) -> dict[str, str]:
    return {LABEL_NAME: name, LABEL_REVISION: revision}


def owner_reference(owner: Mapping[str, str]) -> dict[str, Any]:
    """Owner reference to an InferenceDeployment given its `name` and `uid`; deletion follows it."""
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "name": owner["name"],
        "uid": owner["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }
