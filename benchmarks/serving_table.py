"""The server beside its alternatives, as a person reads it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from origin import origin
from serving_targets import verdicts

Figures = Mapping[str, Any]

_CLOCKS = {
    "wall": "",
    "processor": " One thread each, by processor time: the machine had other work.",
}


def serving_lines(path: Path, chart: str = "../benchmarks/server.png") -> Iterator[str]:
    """The figures in `path` below their `chart`; nothing where none were taken yet."""
    if not path.exists():
        return
    document = json.loads(path.read_text())
    yield f"![The server beside its alternatives]({chart})\n"
    yield from _promises(document)
    for part, (title, lines) in PARTS.items():
        if part in document:
            run = document[part]
            yield f"#### {title}\n"
            yield f"{origin(run)}{_CLOCKS[run['clock']]} Load average at the end: {run['load_average']}.\n"
            yield from lines(run["figures"])


def _promises(document: Figures) -> Iterator[str]:
    yield "| promised | wanted | found | |"
    yield "|---|---:|---:|---|"
    for verdict in verdicts(document):
        yield f"| {verdict.promise} | {verdict.wanted} | {verdict.found} | {'' if verdict.met else '**missed**'} |"
    yield ""


def _rates(rates: list[Figures]) -> Iterator[str]:
    yield "| tokens | layers | GFLOP/s | the linear layers alone | part of it (least, most) | × plain transformers |"
    yield "|---:|---:|---:|---:|---:|---:|"
    for rate in rates:
        yield (
            f"| {rate['tokens']:,} | {rate['layers']} | {rate['plimsoll']} | {rate['linear_layers']} "
            f"| {_ratio(rate['share'])} | {_ratio(rate['ahead'])} |"
        )
    yield ""


def _peaks(peaks: list[Figures]) -> Iterator[str]:
    yield "| tokens | layers | by | activations, MiB | × the weights of all 22 layers | whole process, MiB |"
    yield "|---:|---:|---|---:|---:|---:|"
    for peak in peaks:
        yield (
            f"| {peak['tokens']:,} | {peak['layers']} | {peak['name']} | {peak['activations'] >> 20} "
            f"| {peak['activations'] / peak['weights']:.2f} | {peak['process'] >> 20} |"
        )
    yield ""


def _services(cells: list[Figures]) -> Iterator[str]:
    yield "| layers | tokens | at once | service | texts/s | p50, s | p95, s | p99, s | peak, MiB | Plimsoll is |"
    yield "|---:|---:|---:|---|---:|---:|---:|---:|---:|---:|"
    for cell in cells:
        for served in cell["services"]:
            refused = sum(served["refused"].values())
            name = f"{served['service']} ({refused} refused)" if refused else served["service"]
            yield (
                f"| {cell['layers']} | {cell['lengths']} | {cell['at_once']} | {name} "
                f"| {served['texts_per_second']:.2f} | {served['p50']:.3f} | {served['p95']:.3f} | {served['p99']:.3f} "
                f"| {served['peak'] >> 20} | {_ratio(served['ahead'])}× |"
            )
        for name, why in cell.get("left_out", {}).items():
            yield f"| {cell['layers']} | {cell['lengths']} | {cell['at_once']} | {name}: {why} | | | | | | |"
    yield ""


def _around(found: list[Figures]) -> Iterator[str]:
    yield "| | |"
    yield "|---|---:|"
    for figures in found:
        yield f"| a request to a trivial model, p50 | {1e3 * figures['request_p50']:.2f} ms |"
        yield f"| its forward pass alone | {1e3 * figures['forward']:.2f} ms |"
        added = figures["added"]
        spread = f"{1e3 * added['least']:.2f} to {1e3 * added['most']:.2f}"
        yield f"| added, in {figures['rounds']} pairs (least to most) | {1e3 * added['median']:.2f} ms ({spread}) |"
        yield f"| processor time of the server for such a request | {1e3 * figures['cpu_per_request']:.2f} ms |"
        yield f"| answers from the cache, the server on one core | {figures['hits_per_second']:,.0f}/s |"
        yield f"| processor time of the server for such an answer | {1e6 * figures['cpu_per_hit']:.0f} µs |"
    yield ""


PARTS = {
    "rates": ("The encoder", _rates),
    "services": ("Over HTTP", _services),
    "breadth": ("Over HTTP, in more ways", _services),
    "crowds": ("Over HTTP, many long texts at once", _services),
    "peaks": ("Memory of one long text", _peaks),
    "around": ("Around the model", _around),
}


def _ratio(ratio: Mapping[str, float]) -> str:
    return f"{ratio['median']:.2f} ({ratio['least']:.2f} to {ratio['most']:.2f})"
