"""The Deployment of one revision, and the pods that it makes."""

from __future__ import annotations

from typing import Any

from plimsoll_operator.desired.metadata import child_metadata
from plimsoll_operator.names import revision_labels, revision_selector
from plimsoll_operator.observed import Owner, Revision


def deployment(owner: Owner, revision: Revision) -> dict[str, Any]:
    """Deployment that runs `revision` as it was frozen.

    `replicas` is left out on purpose: it belongs to the autoscaler, or to the operator through `scale`. Applying it
    once and dropping it later would reset it to one.
    """
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": child_metadata(owner, revision.name, revision_labels(owner.name, revision.hash)),
        "spec": {
            "selector": {"matchLabels": revision_selector(owner.name, revision.hash)},
            "revisionHistoryLimit": 0,
            # A revision's template never changes; should somebody edit it, the repair must not need a second GPU.
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}},
            "template": _pods(owner, revision),
        },
    }


def sample_pod(owner: Owner, revision: Revision) -> dict[str, Any]:
    """A pod as the Deployment of `revision` makes them, to ask the apiserver whether it would take one."""
    pods = _pods(owner, revision)
    metadata = {**pods["metadata"], "generateName": f"{revision.name}-", "namespace": owner.namespace}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": pods["spec"]}


def _pods(owner: Owner, revision: Revision) -> dict[str, Any]:
    template = revision.template
    # No more than the pods are selected by: whatever is added to a frozen template restarts them.
    labels = template["metadata"]["labels"] | revision_selector(owner.name, revision.hash)
    return {"metadata": {**template["metadata"], "labels": labels}, "spec": template["spec"]}
