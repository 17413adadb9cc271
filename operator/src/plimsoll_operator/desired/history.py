"""The ControllerRevision that keeps one revision: the user's input and the pod template rendered for it."""

from __future__ import annotations

from typing import Any

from plimsoll_operator.desired.metadata import child_metadata
from plimsoll_operator.names import LABEL_STABLE, revision_labels
from plimsoll_operator.observed import Owner, Revision


def controller_revision(owner: Owner, revision: Revision) -> dict[str, Any]:
    """History entry of `revision`. Which one is stable is a label here: an object restored without status keeps it."""
    # Written down even when false: a label that is merely left out could be added by hand and stay.
    labels = {**revision_labels(owner.name, revision.hash), LABEL_STABLE: "true" if revision.stable else "false"}
    return {
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": child_metadata(owner, revision.name, labels),
        "revision": revision.number,
        "data": {"input": revision.input, "template": revision.template, **_restarts(revision), **revision.unknown},
    }


def _restarts(revision: Revision) -> dict[str, Any]:
    """Left out for a revision that no restart led to: the data of those that are there cannot be changed."""
    restarts = revision.restarts
    return {"restarts": {"count": restarts.count, "ids": list(restarts.ids)}} if restarts.count else {}
