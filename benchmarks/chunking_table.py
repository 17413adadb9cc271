"""Long texts in one pass and in chunks, as a person reads it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from origin import origin


def chunking_lines(path: Path) -> Iterator[str]:
    """The figures in `path`; nothing where none were taken yet."""
    if not path.exists():
        return
    run = json.loads(path.read_text())
    first, last = run["load_average"]
    yield f"{origin(run)} Load average {first:.0f} at the start, {last:.0f} at the end.\n"
    yield "| question | text, tokens | read in | texts | right | attack above none | processor time, s | of one pass |"
    yield "|---|---:|---|---:|---:|---:|---:|---:|"
    for row in run["rows"]:
        yield _row(row)
    yield ""


def _row(row: Mapping[str, Any]) -> str:
    separated = row["separated"]
    cells = (
        f"{row['use']} ({row['aggregation']})",
        f"{row['tokens']:,}",
        row["way"],
        str(row["texts"]),
        f"{row['accuracy']:.0%}",
        "" if separated is None else f"{separated:.0%}",
        f"{row['cpu_seconds']:.2f}",
        f"{row['cpu_share_of_one_pass']:.0%}",
    )
    return f"| {' | '.join(cells)} |"
