"""The ControllerRevision that keeps one revision: the user's input and the pod template rendered for it."""

from __future__ import annotations

from typing import Any

from plimsoll_operator.desired.metadata import child_metadata
from plimsoll_operator.names import (
    ANNOTATION_REJECTED_BECAUSE,
    ANNOTATION_REQUESTS,
    LABEL_PROMOTED,
    LABEL_REJECTED,
    LABEL_STABLE,
    canonical_json,
    revision_labels,
)
from plimsoll_operator.observed import Owner, Revision


def controller_revision(owner: Owner, revision: Revision) -> dict[str, Any]:
    """History entry of `revision`.

    What was decided of it is told by labels here: an object that is restored without its status keeps them.
    """
    # Written down even when false: a label that is merely left out could be added by hand and stay.
    labels = {
        **revision_labels(owner.name, revision.hash),
        LABEL_STABLE: _text(revision.stable),
        LABEL_PROMOTED: _text(revision.promoted or revision.stable),
        LABEL_REJECTED: _text(revision.rejected is not None),
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": child_metadata(owner, revision.name, labels) | _annotations(revision),
        "revision": revision.number,
        "data": {"input": revision.input, "template": revision.template, **_restarts(revision), **revision.unknown},
    }


def _annotations(revision: Revision) -> dict[str, Any]:
    rejected, ledger = revision.rejected, revision.ledger
    annotations = {}
    if rejected:
        annotations[ANNOTATION_REJECTED_BECAUSE] = f"{rejected.reason}: {rejected.message}"
    if ledger.count:
        written = {"count": ledger.count, "latest": list(ledger.entries), "pause": ledger.pause}
        annotations[ANNOTATION_REQUESTS] = canonical_json(written)
    return {"annotations": annotations} if annotations else {}


def _text(decided: bool) -> str:
    return "true" if decided else "false"


def _restarts(revision: Revision) -> dict[str, Any]:
    """Left out for a revision that no restart led to: the data of those that are there cannot be changed."""
    restarts = revision.restarts
    return {"restarts": {"count": restarts.count, "ids": list(restarts.ids)}} if restarts.count else {}
