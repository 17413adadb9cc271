"""Few kernels against those that the libraries keep by default, as a person reads it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from origin import origin


def kernel_lines(path: Path) -> Iterator[str]:
    """The figures in `path`; nothing where none were taken yet."""
    if not path.exists():
        return
    run = json.loads(path.read_text())
    yield f"{origin(run)}\n"
    yield "| model | tokens | grown, MiB: by default | as served | a text, ms: by default | as served | ratio |"
    yield "|---|---:|---:|---:|---:|---:|---:|"
    for case in run["cases"]:
        default, served = case["ways"]["by default"], case["ways"]["as served"]
        low, high = case["tokens"]
        ratio, least, most = case["time_ratio"]
        yield (
            f"| {case['model']} | {low} to {high} | {default['mebibytes']:.0f} | {served['mebibytes']:.0f} | "
            f"{default['milliseconds']:.2f} | {served['milliseconds']:.2f} | {ratio:.2f} ({least:.2f} to {most:.2f}) |"
        )
    yield ""
