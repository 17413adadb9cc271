"""What the server and a worker process say to each other, over a socket pair that nobody else can open."""

from __future__ import annotations

import asyncio
import math
import pickle
import struct
from dataclasses import dataclass
from typing import Any, Literal

from plimsoll_server.engine.process_memory import DeviceMemory
from plimsoll_server.types import LoadLine, ModelInfo

_LENGTH = struct.Struct(">I")


@dataclass(frozen=True, slots=True)
class Call:
    """A method of the worker's engine to be awaited. Answered by an Answer or a Refusal of the same number."""

    number: int
    method: str
    arguments: dict[str, Any]
    patience: float = math.inf
    """Of a batch that is to be run: seconds after which the first of those who wait for it gives up."""


@dataclass(frozen=True, slots=True)
class Abandoned:
    """Nobody waits any more for the batch of the call `number`."""

    number: int


@dataclass(frozen=True, slots=True)
class Built:
    """The model is loaded."""

    info: ModelInfo
    seconds: dict[str, float]
    """That each phase took."""


@dataclass(frozen=True, slots=True)
class Answer:
    number: int
    value: Any
    line: LoadLine
    """As it is now: a batch may have moved it."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Of the call `number`, or of the order itself where that is None."""

    number: int | None
    kind: Literal["start", "fault"]
    """start: a StartError, told in words for its reader. fault: anything else."""
    message: str


@dataclass(frozen=True, slots=True)
class Pulse:
    """What the worker's engine says of itself, twice a second."""

    line: LoadLine
    memory: DeviceMemory
    busy_seconds: float
    still_seconds: float
    suspect_seconds: float


Message = Built | Answer | Refusal | Pulse


def encode(message: object) -> bytes:
    body = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
    return _LENGTH.pack(len(body)) + body


async def receive(reader: asyncio.StreamReader) -> Any:
    """The next message, or None when the other end is gone."""
    try:
        (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
        return pickle.loads(await reader.readexactly(length))  # noqa: S301
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
