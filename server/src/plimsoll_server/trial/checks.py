"""One question with its answer, as a report lists it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Check:
    name: str
    passed: bool
    expected: str
    found: str
    why: str = ""
    """Of what failed: what the measurements beside it say."""
