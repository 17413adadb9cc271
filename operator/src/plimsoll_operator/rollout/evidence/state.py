"""Evidence as it is kept in `status`: strings only, and the same floats back to the last bit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from math import isfinite
from typing import Any

from plimsoll_operator.rollout.evidence.accumulated import Evidence
from plimsoll_operator.rollout.evidence.counts import SeriesKey
from plimsoll_operator.rollout.evidence.mixture import RATIOS
from plimsoll_operator.rollout.evidence.series import Series

_PLAIN = tuple(field.name for field in fields(Series) if field.name != "log_ratios")


def to_status(evidence: Evidence) -> dict[str, Any]:
    """`{canary, since, until, series: [{signal, part, state}]}`; `state` is numbers with blanks between them."""
    return {
        "canary": evidence.canary,
        "since": evidence.since.isoformat(),
        "until": evidence.until.isoformat(),
        "series": [
            {"signal": key.signal, "part": key.part, "state": _written(evidence.series[key])}
            for key in sorted(evidence.series)
        ],
    }


def from_status(stored: Mapping[str, Any]) -> Evidence | None:
    """The evidence that was stored; None where it cannot be read (another release wrote it): analysis starts again."""
    try:
        series = {
            SeriesKey(entry["signal"], entry.get("part", "")): _read(entry["state"]) for entry in stored["series"]
        }
        since, until = (datetime.fromisoformat(stored[name]) for name in ("since", "until"))
        return Evidence(stored["canary"], since, until, series)
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def _written(series: Series) -> str:
    # repr gives the shortest decimal that reads back as the same float.
    numbers = (*series.log_ratios, *(getattr(series, name) for name in _PLAIN))
    return " ".join(repr(number) for number in numbers)


def _read(text: str) -> Series:
    numbers = text.split(" ")
    if len(numbers) != len(RATIOS) + len(_PLAIN):
        raise ValueError(f"expected {len(RATIOS) + len(_PLAIN)} numbers, found {len(numbers)}")
    values = [float(number) for number in numbers]
    if not all(isfinite(value) for value in values):
        raise ValueError(f"expected finite numbers, found {text}")
    plain = dict(zip(_PLAIN, values[len(RATIOS) :], strict=True))
    return Series(tuple(values[: len(RATIOS)]), **plain)
