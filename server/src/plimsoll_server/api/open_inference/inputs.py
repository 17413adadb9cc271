"""What a request's tensors ask to be read: `text`, or `input_ids` with or without an `attention_mask`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from plimsoll_server.api.inputs import MAX_INPUTS, MAX_TOKEN_ID, Inputs
from plimsoll_server.api.open_inference.tensors import Tensor
from plimsoll_server.scheduler.errors import InvalidInputError

_LONGEST_NAMES = 64
_WANTED = (
    "inputs are either text (BYTES, one or [n] or [n, 1]), or input_ids (INT64, [m] or [n, m]) and, where rows are "
    "padded, attention_mask of the same shape"
)


def inputs_of(tensors: Sequence[Tensor]) -> Inputs:
    """One entry per text or row, in order. Raises InvalidInputError."""
    named = {tensor.name: tensor for tensor in tensors}
    if len(named) < len(tensors):
        raise InvalidInputError("two inputs have the same name")
    if set(named) == {"text"}:
        found: Inputs = _texts(named["text"])
    elif "input_ids" in named and set(named) <= {"input_ids", "attention_mask"}:
        found = _rows(named["input_ids"], named.get("attention_mask"))
    else:
        raise InvalidInputError(f"{_WANTED}; found {', '.join(sorted(named))[:_LONGEST_NAMES]}")
    if not 0 < len(found) <= MAX_INPUTS:
        raise InvalidInputError(f"1 to {MAX_INPUTS} inputs go into one request, found {len(found)}")
    return found


def _texts(tensor: Tensor) -> list[str]:
    if tensor.datatype != "BYTES" or tensor.shape[1:] not in ((), (1,)):
        raise InvalidInputError(_WANTED)
    return cast(list[str], list(tensor.elements))


def _rows(ids: Tensor, mask: Tensor | None) -> list[list[int]]:
    if "BYTES" in (ids.datatype, mask and mask.datatype) or (mask and mask.shape != ids.shape):
        raise InvalidInputError(_WANTED)
    width = ids.shape[-1]
    kept = mask.elements if mask else [1] * len(ids.elements)
    rows = cast(
        list[list[int]],
        [
            [number for number, keep in zip(ids.elements[at : at + width], kept[at : at + width], strict=True) if keep]
            for at in range(0, len(ids.elements), max(1, width))
        ],
    )
    if not all(rows):
        raise InvalidInputError("input_ids: a row holds no token")
    if not all(0 <= min(row) <= max(row) <= MAX_TOKEN_ID for row in rows):
        raise InvalidInputError(f"input_ids: token ids run from 0 to {MAX_TOKEN_ID} at most")
    return rows
