"""The server on a GPU, as a person reads it."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from origin import origin

Figures = Mapping[str, Any]

NAME = "server-gpu"


def gpu_lines(path: Path) -> Iterator[str]:
    """The figures in `path`; nothing where none were taken yet."""
    if not path.exists():
        return
    run = json.loads(path.read_text())
    yield f"{origin(run)} GPU: {run['machine']['gpu']}, {run['machine']['gpu_memory_gib']} GiB.\n"
    yield "| promised on an H200-class GPU | wanted | found | |"
    yield "|---|---:|---:|---|"
    for promise, wanted, found, met in _verdicts(run):
        yield f"| {promise} | {wanted} | {found} | {'' if met else '**missed**'} |"
    yield ""
    yield "| tokens | in a pack | attention | ms | TFLOP/s | part of the card's products | eager, ms | × eager |"
    yield "|---:|---:|---|---:|---:|---:|---:|---:|"
    for pair in run["curve"]:
        yield _row(pair["best"], pair["eager"])
    yield ""


def _verdicts(run: Figures) -> Iterator[tuple[str, str, str, bool]]:
    alone, eight = run["alone"]["seconds"], run["eight"]["share"]
    rate = statistics.median(found["per_second"] for found in run["short_texts"])
    line, beside, after = run["at_the_line"], run["neighbour"]["beside"], run["neighbour"]["after"]
    yield "32K tokens alone", "≤ 120 ms", _milliseconds(alone), alone is not None and alone <= 0.12
    share = "out of memory" if eight is None else f"{eight:.1%}"
    yield "part of the matmul rate, 8K, pack of 8", "≥ 35 %", share, eight is not None and eight >= 0.35
    yield "512 tokens over HTTP, per second", "≥ 1,500", f"{rate:,.0f}", rate >= 1_500
    for tokens, least in ((1_024, 1.75), (8_192, 5.0)):
        ahead = _ahead(next(pair for pair in run["curve"] if pair["best"]["tokens"] == tokens))
        yield f"flash × eager, {tokens:,} tokens", f"≥ {least}×", f"{ahead:.2f}×", ahead >= least
    lost = line["out_of_memory"] + sum(line["refused"].values())
    yield f"shortages and refusals at the load line ({line['at_once']} × 32K at once)", "0", str(lost), lost == 0
    found = f"{beside['answered']} answered, refused {beside['refused']}; then {after['answered']}, {after['refused']}"
    yield "recovery once a neighbour gave memory back", "all answered", found, not after["refused"]


def _row(best: Figures, eager: Figures) -> str:
    share = "" if best["share"] is None else f"{best['share']:.1%}"
    return (
        f"| {best['tokens']:,} | {best['sequences']} | {best['attention']} | {_milliseconds(best['seconds'])} "
        f"| {best['tflops'] or ''} | {share} | {_milliseconds(eager['seconds'])} | {_ahead_or_nothing(best, eager)} |"
    )


def _ahead(pair: Figures) -> float:
    """How much longer eager takes; without end where it has no memory, 0 where the other has none."""
    best, eager = pair["best"]["seconds"], pair["eager"]["seconds"]
    if best is None:
        return 0.0
    return float("inf") if eager is None else float(eager / best)


def _ahead_or_nothing(best: Figures, eager: Figures) -> str:
    return "" if None in (best["seconds"], eager["seconds"]) else f"{eager['seconds'] / best['seconds']:.2f}"


def _milliseconds(seconds: float | None) -> str:
    return "out of memory" if seconds is None else f"{1e3 * seconds:.2f} ms"
