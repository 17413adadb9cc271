"""docs/conditions.md as data."""

from __future__ import annotations

import re
from pathlib import Path

_PAGE = (Path(__file__).resolve().parents[1] / "docs" / "conditions.md").read_text(encoding="utf-8")


def _section(title: str) -> str:
    return _PAGE.partition(f"## {title}\n")[2].partition("\n## ")[0]


def _rows(text: str) -> list[list[str]]:
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


SUMS = ("Available", "Ready", "Reconciling", "Stalled")
TABLE = {row[0].strip("`"): tuple(row[1:5]) for row in _rows(_section("What each reason of `Ready` means"))}
"""The status of each of `SUMS` by the reason of `Ready`; `any` stands for either."""

OTHERS = {
    reason
    for row in _rows(_section("Reasons of the other conditions"))
    for reason in re.findall(r"`([A-Z][A-Za-z]+)`", row[1])
}
"""Reasons of the other conditions that the page explains."""


def as_the_table_says(reason: str, sums: tuple[str, ...]) -> bool:
    """Whether these are the sums of that reason of `Ready`."""
    return all(said in (found, "any") for said, found in zip(TABLE[reason], sums, strict=True))
