"""What gives the pods an address and an identity: the Service and the ServiceAccount."""

from __future__ import annotations

from typing import Any

from plimsoll_operator.desired.metadata import child_metadata
from plimsoll_operator.names import LABEL_NAME, SERVICE_PORT
from plimsoll_operator.observed import Owner


def service(owner: Owner) -> dict[str, Any]:
    """The one Service for traffic. It selects the pods of every live revision; readiness decides who answers."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": child_metadata(owner, owner.name),
        "spec": {
            "type": "ClusterIP",
            "selector": {LABEL_NAME: owner.name},
            "ports": [{"name": "http", "port": SERVICE_PORT, "protocol": "TCP", "targetPort": "http"}],
        },
    }


def service_account(owner: Owner) -> dict[str, Any]:
    """An identity without a token: the server never talks to the Kubernetes API."""
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": child_metadata(owner, owner.name),
        "automountServiceAccountToken": False,
    }
