"""Embeddings on their way out."""

from __future__ import annotations

import base64
import math
import sys
from array import array
from collections.abc import Sequence

Vector = Sequence[float]


def normalised(vector: Vector) -> list[float]:
    """The vector at length 1. One without any length stays as it is."""
    length = math.sqrt(math.fsum(value * value for value in vector))
    return [value / length for value in vector] if length else list(vector)


def float32_bytes(values: Vector) -> bytes:
    """Little-endian, as every protocol wants them."""
    numbers = array("f", values)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tobytes()


def base64_of(vector: Vector) -> str:
    return base64.b64encode(float32_bytes(vector)).decode()
