"""Evidence as it is kept in `status`: strings only, and the same floats back to the last bit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from datetime import datetime
from math import isfinite
from typing import Any

from plimsoll_operator.rollout.evidence.accumulated import Evidence
from plimsoll_operator.rollout.evidence.counts import Counts, SeriesKey, Stratum
from plimsoll_operator.rollout.evidence.mixture import RATIOS
from plimsoll_operator.rollout.evidence.series import Series
from plimsoll_operator.rollout.evidence.waiting import Waiting

_PLAIN = tuple(field.name for field in fields(Series) if field.name != "log_ratios")
_COUNTS = tuple(field.name for field in fields(Counts))


def to_status(evidence: Evidence) -> dict[str, Any]:
    """`{canary, since, until, series: [{signal, part, tier, state}], waiting: [the same, and length]}`.

    `state` is numbers with blanks between them; `tier` is left out where the series is of all of them, and `length`
    where nothing told it.
    """
    return {
        "canary": evidence.canary,
        "since": evidence.since.isoformat(),
        "until": evidence.until.isoformat(),
        "series": [
            {**_named(key), "state": _numbers(*series.log_ratios, *(getattr(series, name) for name in _PLAIN))}
            for key, series in sorted(evidence.series.items(), key=lambda entry: entry[0])
        ],
        "waiting": [
            {
                **_named(key._replace(tier=stratum.tier)),
                **({"length": stratum.length} if stratum.length else {}),
                "state": _numbers(*(getattr(counts, name) for name in _COUNTS)),
            }
            for key, kept in sorted(evidence.waiting.items(), key=lambda entry: entry[0])
            for stratum, counts in sorted(kept.items(), key=lambda entry: entry[0])
        ],
    }


def from_status(stored: Mapping[str, Any]) -> Evidence | None:
    """The evidence that was stored; None where it cannot be read (another release wrote it): analysis starts again."""
    try:
        series = {_key(entry): _read(entry["state"]) for entry in stored["series"]}
        since, until = (datetime.fromisoformat(stored[name]) for name in ("since", "until"))
        return Evidence(stored["canary"], since, until, series, _waiting(stored.get("waiting", ())))
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def _named(key: SeriesKey) -> dict[str, str]:
    return {"signal": key.signal, "part": key.part, **({"tier": key.tier} if key.tier else {})}


def _key(entry: Mapping[str, Any]) -> SeriesKey:
    return SeriesKey(entry["signal"], entry.get("part", ""), entry.get("tier", ""))


def _waiting(entries: Iterable[Mapping[str, Any]]) -> Waiting:
    waiting: dict[SeriesKey, dict[Stratum, Counts]] = {}
    for entry in entries:
        key = _key(entry)
        counts = Counts(*_values(entry["state"], len(_COUNTS)))
        stratum = Stratum(key.tier, entry.get("length", ""))
        waiting.setdefault(key._replace(tier=""), {})[stratum] = counts
    return waiting


def _numbers(*numbers: float) -> str:
    # repr gives the shortest decimal that reads back as the same float.
    return " ".join(repr(number) for number in numbers)


def _values(text: str, count: int) -> list[float]:
    numbers = text.split(" ")
    if len(numbers) != count:
        raise ValueError(f"expected {count} numbers, found {len(numbers)}")
    values = [float(number) for number in numbers]
    if not all(isfinite(value) for value in values):
        raise ValueError(f"expected finite numbers, found {text}")
    return values


def _read(text: str) -> Series:
    values = _values(text, len(RATIOS) + len(_PLAIN))
    plain = dict(zip(_PLAIN, values[len(RATIOS) :], strict=True))
    return Series(tuple(values[: len(RATIOS)]), **plain)
