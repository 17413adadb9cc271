"""Short texts while long ones stream, as a person reads it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from origin import origin


def preemption_lines(path: Path) -> Iterator[str]:
    """The figures in `path`; nothing where none were taken yet."""
    if not path.exists():
        return
    run = json.loads(path.read_text())
    yield f"{origin(run)}\n"
    layer = run["longest_layer"]
    yield (
        f"A model of {run['layers']} layers and width {run['width']}. Alone, a text of {run['long_tokens']:,} tokens "
        f"takes {run['long_alone']:.2f} s, {layer:.2f} s its longest layer, and one of {run['short_tokens']} tokens "
        f"{run['short_alone']:.2f} s. Two callers send long ones without a pause, and a short one comes every "
        f"{run['every']:g} s. That layer and its own time are what a short text is promised to take at most.\n"
    )
    promised = layer + run["short_alone"]
    yield f"| short texts run | of them | p50, s | p95 | p99 | worst | within {promised:.2f} s | long texts a minute |"
    yield "|---|---:|---:|---:|---:|---:|---:|---:|"
    for way, found in run["ways"].items():
        times = " | ".join(f"{found[name]:.2f}" for name in ("p50", "p95", "p99", "worst"))
        yield f"| {way} | {found['shorts']} | {times} | {found['as_promised']:.0%} | {found['longs_per_minute']:.1f} |"
    yield ""
