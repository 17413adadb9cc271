"""Kubernetes quantities (`23034Mi`, `500m`, `1e3`) as exact numbers."""

from __future__ import annotations

import math
import re
from decimal import Decimal

_SUFFIXES = {
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    "": Decimal(1),
    "k": Decimal(10) ** 3,
    "M": Decimal(10) ** 6,
    "G": Decimal(10) ** 9,
    "T": Decimal(10) ** 12,
    "P": Decimal(10) ** 15,
    "E": Decimal(10) ** 18,
    "Ki": Decimal(2) ** 10,
    "Mi": Decimal(2) ** 20,
    "Gi": Decimal(2) ** 30,
    "Ti": Decimal(2) ** 40,
    "Pi": Decimal(2) ** 50,
    "Ei": Decimal(2) ** 60,
}
_QUANTITY = re.compile(r"([+-]?\d+(?:\.\d*)?|[+-]?\.\d+)(?:([eE][+-]?\d+)|([KMGTPE]i|[numkMGTPE]))?")


def parse_quantity(text: str | int) -> Decimal:
    """The number that a Kubernetes quantity stands for. Raises ValueError on anything else."""
    match = _QUANTITY.fullmatch(str(text).strip())
    if match is None:
        raise ValueError(f"expected a quantity such as 500m, 4 or 23034Mi, found {text!r}")
    number, exponent, suffix = match.groups()
    return Decimal(number + (exponent or "")) * _SUFFIXES[suffix or ""]


def parse_bytes(text: str | int) -> int:
    """A quantity of memory in whole bytes, rounded up as Kubernetes does. Raises ValueError when it is not positive."""
    value = math.ceil(parse_quantity(text))
    if value <= 0:
        raise ValueError(f"expected more than zero bytes, found {text!r}")
    return value
