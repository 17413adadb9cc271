"""From the command to `chunking.json`."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from chunking.model import LONGEST_LEARNT
from chunking.trial import measured
from origin import stamp


def run(texts: Mapping[int, int], output: Path, command: str, tell: Callable[[str], None]) -> None:
    """`texts`: how many, by their length in tokens."""
    before = os.getloadavg()[0]
    rows = []
    for row in measured(texts, tell):
        tell(f"  {row}")
        rows.append(row)
    document = {
        **stamp(command),
        "load_average": [round(before, 1), round(os.getloadavg()[0], 1)],
        "longest_learnt": LONGEST_LEARNT,
        "rows": rows,
    }
    output.write_text(json.dumps(document, indent=1) + "\n")
