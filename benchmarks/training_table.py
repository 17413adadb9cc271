"""The plain and the optimised training loop side by side, as a person reads it."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from origin import origin

KINDS = ("matrix products", "attention", "all else")


def training_lines(path: Path) -> Iterator[str]:
    """The figures in `path`; nothing where none were taken yet."""
    if not path.exists():
        return
    run = json.loads(path.read_text())
    yield f"{origin(run)}\n"
    yield (
        "| examples | loop | steps | processor time of a step, s | of the plain loop's | loss, first and last epoch "
        "| matrix products / attention / all else |"
    )
    yield "|---|---|---:|---:|---:|---:|---:|"
    for name, side in run["sides"].items():
        yield _row(name, "plain", side, "100 %")
        yield _row("", "optimised", side, f"{100 * side['time_ratio']:.0f} %")
    yield ""
    for name, side in run["sides"].items():
        padding = 1 - side["tokens"] / side["padded_tokens"]
        yield (
            f"Examples {name}: {side['examples']} of {side['tokens']:,} tokens, {padding:.0%} of what the plain loop "
            f"reads is padding; the losses of an epoch differ by {side['largest_loss_gap']:.1e} at most."
        )
    yield ""


def _row(name: str, loop: str, side: Mapping[str, Any], share: str) -> str:
    figures = side[loop]
    losses = figures["epoch_losses"]
    cells = (
        name,
        loop,
        str(side["steps"]),
        f"{statistics.median(figures['cpu_seconds']):.2f}",
        share,
        f"{losses[0]:.4f}, {losses[-1]:.4f}",
        " / ".join(f"{100 * figures['shares'][kind]:.0f} %" for kind in KINDS),
    )
    return f"| {' | '.join(cells)} |"
