"""ControllerRevisions into the history: what was rendered, what was decided of it, and what was asked for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel, NonNegativeInt, ValidationError

from plimsoll_operator.names import (
    ANNOTATION_REJECTED_BECAUSE,
    ANNOTATION_REQUESTS,
    LABEL_PROMOTED,
    LABEL_REJECTED,
    LABEL_STABLE,
)
from plimsoll_operator.observed import Manifest, Rejection, Revision
from plimsoll_operator.requests import InvalidRequestError, Ledger, Restarts, parse_request

REVISION_DATA = ("input", "template", "restarts")
"""What this operator keeps of a revision."""

_BECAUSE = re.compile(r"(?P<reason>[A-Za-z]{1,63}): (?P<message>.*)", re.DOTALL)


class UnreadableObjectError(ValueError):
    """One of our own children is damaged; the message says which one and what to do."""


def parse_revision(manifest: Manifest, told: Manifest = MappingProxyType({})) -> Revision:
    """Read a ControllerRevision. Raises UnreadableObjectError.

    `told` is what status says of it: that counts where a label is gone or says nothing that we write.
    """
    metadata = manifest["metadata"]
    labels = metadata.get("labels", {})
    data = manifest.get("data")
    if not isinstance(data, Mapping) or not {"input", "template"} <= data.keys():
        raise UnreadableObjectError(
            f"ControllerRevision {metadata['name']}: expected data with `input` and `template`, "
            f"found {_outline(data)}; restore it, or delete it to have it made again"
        )
    return Revision(
        # By its name, which cannot be edited as the label can.
        hash=metadata["name"].rpartition("-")[2],
        name=metadata["name"],
        number=manifest["revision"],
        stable=labels.get(LABEL_STABLE) == "true",
        created_at=metadata["creationTimestamp"],
        input=data["input"],
        template=data["template"],
        restarts=_restarts(data.get("restarts", {})),
        promoted=_decided(labels, LABEL_PROMOTED, told.get("promoted")) or labels.get(LABEL_STABLE) == "true",
        rejected=_rejection(metadata, told.get("rejected")),
        ledger=_ledger(metadata.get("annotations", {}).get(ANNOTATION_REQUESTS)),
        unknown={name: value for name, value in data.items() if name not in REVISION_DATA},
    )


def _decided(labels: Manifest, label: str, told: Any) -> bool:
    """Older releases write no such label, and what somebody makes of ours by hand is no decision."""
    text = labels.get(label)
    return text == "true" if text in ("true", "false") else bool(told)


def _rejection(metadata: Manifest, told: Manifest | None) -> Rejection | None:
    if not _decided(metadata.get("labels", {}), LABEL_REJECTED, told):
        return None
    because = metadata.get("annotations", {}).get(ANNOTATION_REJECTED_BECAUSE)
    found = _BECAUSE.fullmatch(because or "")
    if found:
        return Rejection(found["reason"], found["message"])
    if told:
        return Rejection(told["reason"], told["message"])
    return Rejection("Rejected", "why is written down nowhere any more")


def _restarts(data: Manifest) -> Restarts:
    return Restarts(data.get("count", 0), tuple(data.get("ids", ())))


class _Written(BaseModel):
    count: NonNegativeInt
    latest: tuple[str, ...]
    pause: str


def _ledger(text: str | None) -> Ledger:
    """The requests that were answered. What somebody makes of the note by hand is none: another revision has it too."""
    if text is None:
        return Ledger()
    try:
        written = _Written.model_validate_json(text)
        if written.pause:
            parse_request(written.pause)
    except (ValidationError, InvalidRequestError):
        return Ledger()
    return Ledger(written.count, written.latest, written.pause)


def _outline(data: Any) -> str:
    """What a damaged object holds, without its content."""
    return f"the fields {sorted(data)}" if isinstance(data, Mapping) else f"data of type {type(data).__name__}"
