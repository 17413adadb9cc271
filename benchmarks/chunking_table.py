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
    yield "| question | text, tokens | read in | texts | right | attack above none | cut | CPU, s | of one pass |"
    yield "|---|---:|---|---:|---:|---:|---:|---:|---:|"
    for row in run["rows"]:
        yield _row(row)
    yield ""


def _row(row: Mapping[str, Any]) -> str:
    cells = (
        f"{row['use']} ({row['aggregation']})",
        f"{row['tokens']:,}",
        row["way"],
        str(row["texts"]),
        f"F1 {row['f1']:.1%} of {row['entities']:,}" if "f1" in row else f"{row['right']} of {row['texts']}",
        f"{row['separated']:.0%}" if "separated" in row else "",
        f"{row['cut_right']} of {row['cut']}" if row.get("cut") else "",
        f"{row['cpu_seconds']:.2f}",
        f"{row['cpu_share_of_one_pass']:.0%}",
    )
    return f"| {' | '.join(cells)} |"
