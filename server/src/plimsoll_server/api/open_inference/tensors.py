"""Tensors of the Open Inference Protocol: as JSON, or as bytes behind it (the binary data extension)."""

from __future__ import annotations

import math
import struct
import sys
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from plimsoll_server.api.inputs import AT_FIRST_ERROR, MAX_INPUTS
from plimsoll_server.api.json_bounds import MAX_TOKENS
from plimsoll_server.api.vectors import float32_bytes
from plimsoll_server.scheduler.errors import InvalidInputError

INTEGERS = {"INT32": "i", "INT64": "q", "UINT32": "I", "UINT64": "Q"}
"""Data types of token ids, with the codes of Python's array."""

Name = Annotated[str, StringConstraints(min_length=1, max_length=64)]
Element = str | int
Parameters = dict[str, Any]


class InputTensor(BaseModel):
    model_config = ConfigDict(strict=True)

    name: Name
    shape: Annotated[
        list[Annotated[int, Field(ge=0, le=MAX_TOKENS)]], Field(min_length=1, max_length=2), AT_FIRST_ERROR
    ]
    datatype: Annotated[str, Field(examples=["BYTES"])]
    parameters: Annotated[Parameters | None, Field(description="binary_data_size: bytes behind the JSON.")] = None
    data: Annotated[
        list[Any] | None, Field(description="Row by row, nested or not; absent when it is behind the JSON.")
    ] = None


@dataclass(frozen=True, slots=True)
class Tensor:
    """What the tensor holds, row by row."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    elements: Sequence[Element]


@dataclass(frozen=True, slots=True)
class OutputTensor:
    name: str
    datatype: str
    shape: tuple[int, ...]
    elements: Sequence[str] | Sequence[float]

    def as_json(self) -> dict[str, Any]:
        return {"name": self.name, "datatype": self.datatype, "shape": self.shape, "data": self.elements}

    def as_bytes(self) -> tuple[dict[str, Any], bytes]:
        """What stands of it in the JSON, and what stands behind."""
        raw = b"".join(map(_with_length, self.elements)) if self.datatype == "BYTES" else float32_bytes(self.elements)  # type: ignore[arg-type]
        told = {"name": self.name, "datatype": self.datatype, "shape": self.shape}
        return {**told, "parameters": {"binary_data_size": len(raw)}}, raw


def read_tensors(inputs: Sequence[InputTensor], binary: bytes) -> list[Tensor]:
    """The tensors of a request; those without data take theirs from `binary`, in order. Raises InvalidInputError."""
    tensors = []
    start = 0
    for given in inputs:
        _check_room(given)
        size = (given.parameters or {}).get("binary_data_size")
        if size is None:
            elements: Sequence[Element] = _from_json(given)
        else:
            if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= len(binary) - start:
                raise _wrong(given, f"binary_data_size does not fit the {len(binary) - start} bytes that are there")
            elements = _from_bytes(given, binary[start : start + size])
            start += size
        if len(elements) != math.prod(given.shape):
            raise _wrong(given, f"shape {given.shape} holds {math.prod(given.shape)} elements, found {len(elements)}")
        tensors.append(Tensor(given.name, given.datatype, tuple(given.shape), elements))
    if start != len(binary):
        raise InvalidInputError(f"{len(binary) - start} bytes behind the JSON belong to no input's binary_data_size")
    return tensors


def _check_room(given: InputTensor) -> None:
    if math.prod(given.shape) > MAX_TOKENS:
        raise _wrong(given, f"shape {given.shape}: at most {MAX_TOKENS} elements go into one request; send several")


def _from_json(given: InputTensor) -> list[Element]:
    wanted = str if given.datatype == "BYTES" else int
    elements = _flat(given)
    if given.datatype != "BYTES" and given.datatype not in INTEGERS:
        raise _wrong(given, f"datatype BYTES or one of {', '.join(INTEGERS)} is read")
    if set(map(type, elements)) - {wanted}:
        place = next(place for place, element in enumerate(elements) if type(element) is not wanted)
        raise _wrong(given, f"element {place} of data is no {'string' if wanted is str else 'integer'}")
    return elements


def _flat(given: InputTensor) -> list[Any]:
    """Row by row. Nested as the shape says or not at all: rows of other lengths would be read as other rows."""
    data = given.data or []
    if not any(type(row) is list for row in data):
        return data
    width = given.shape[-1] if len(given.shape) == 2 else None
    if not all(type(row) is list and len(row) == width for row in data):
        raise _wrong(given, f"data is nested, and not in rows of the shape {given.shape}")
    return list(chain.from_iterable(data))


def _from_bytes(given: InputTensor, raw: bytes) -> Sequence[Element]:
    if given.datatype == "BYTES":
        return _texts(given, raw)
    if given.datatype not in INTEGERS:
        raise _wrong(given, f"datatype BYTES or one of {', '.join(INTEGERS)} is read")
    numbers = array(INTEGERS[given.datatype])
    if len(raw) // numbers.itemsize > MAX_TOKENS:
        raise _wrong(given, f"at most {MAX_TOKENS} elements go into one request; send several")
    if len(raw) % numbers.itemsize:
        raise _wrong(given, f"{len(raw)} bytes are no whole number of {given.datatype}")
    numbers.frombytes(raw)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


def _texts(given: InputTensor, raw: bytes) -> list[Element]:
    """Each with its length before it, in four bytes."""
    texts: list[Element] = []
    place = 0
    while place < len(raw):
        if len(texts) == MAX_INPUTS:
            raise _wrong(given, f"at most {MAX_INPUTS} elements of BYTES go into one request; send several")
        if place + 4 > len(raw):
            raise _wrong(given, "its bytes end within the length of an element")
        (length,) = struct.unpack_from("<I", raw, place)
        place += 4 + length
        if place > len(raw):
            raise _wrong(given, "its bytes end within an element")
        try:
            texts.append(raw[place - length : place].decode())
        except UnicodeDecodeError:
            raise _wrong(given, f"element {len(texts)} is not UTF-8") from None
    return texts


def _with_length(text: Any) -> bytes:
    encoded = str(text).encode()
    return struct.pack("<I", len(encoded)) + encoded


def _wrong(given: InputTensor, what: str) -> InvalidInputError:
    return InvalidInputError(f"input {given.name}: {what}")
