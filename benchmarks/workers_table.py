"""What worker processes cost, as a person reads it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from origin import origin


def workers_lines(path: Path) -> Iterator[str]:
    """The figures in `path`; nothing where none were taken yet."""
    if not path.exists():
        return
    run = json.loads(path.read_text())
    first, last = run["load_average"]
    yield (
        f"{origin(run)} A model of {run['model']}, one thread for each worker; {run['seconds']:g} s apart and "
        f"{run['seconds']:g} s behind the server by turns, medians. Load average {first:.0f} at the start, {last:.0f} "
        "at the end.\n"
    )
    yield (
        "| workers | batch, texts × tokens | apart, batches/s | behind the server, batches/s | overhead, % (rounds) | "
        "more processor time, % | share of each worker, % |"
    )
    yield "|---:|---:|---:|---:|---:|---:|---:|"
    for row in run["rows"]:
        yield _row(row)
    yield ""


def _row(row: Mapping[str, Any]) -> str:
    percents = sorted(row["percents"])
    cells = (
        str(row["workers"]),
        f"{row['sequences']} × {row['tokens']}",
        f"{row['apart']:.1f}",
        f"{row['fleet']:.1f}",
        f"{row['percent']:.1f} ({percents[0]:.0f} to {percents[-1]:.0f})",
        f"{row['processor_percent']:.1f}",
        ", ".join(f"{100 * share:.0f}" for share in row["shares"]),
    )
    return f"| {' | '.join(cells)} |"
