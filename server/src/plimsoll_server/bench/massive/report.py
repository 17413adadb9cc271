"""The findings as a page: where they were taken, a table, and how time grows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from plimsoll_server.bench.massive.contenders import Contender
from plimsoll_server.bench.massive.growth import Growth
from plimsoll_server.bench.massive.measure import Row

_HEAD = """\
| model | batch | tokens | ms, mean | ms, least | tokens/s | peak MiB | runs |
|---|---:|---:|---:|---:|---:|---:|---:|
"""
_GROWTH_HEAD = """\
| model | batch | time grows as | between the two longest | off n log n | off n² |
|---|---:|---:|---:|---:|---:|
"""


def page(
    title: str, told: Mapping[str, Any], contenders: Sequence[Contender], rows: Sequence[Row], grown: Sequence[Growth]
) -> str:
    """Markdown. `told`: what `surroundings.origin` says, with device, dtype and threads."""
    machine, versions = told["machine"], told["versions"]
    lines = [
        f"# {title}",
        "",
        f"`{told['command']}`, {told['date']}, {told['device']} in {told['dtype']}, {told['threads']} threads; "
        f"{machine['cores']} cores of {machine['cpu']}, {machine['memory_gib']} GiB, {machine['system']}; "
        + ", ".join(f"{name} {version}" for name, version in versions.items())
        + ".",
        "",
        *(f"- {contender.name}: {shape(contender)}." for contender in contenders),
        "- Weights are random. Peak: the weights, and what a pass takes beside them at its highest.",
        "",
        _HEAD + "\n".join(map(_line, rows)),
    ]
    if grown:
        lines += [
            "",
            "Time is compared with c · n · log n and with c · n² by least squares on its logarithms; off: root of the",
            "mean square of what is left, about the share by which the law misses a time.",
            "",
            _GROWTH_HEAD + "\n".join(map(_growth_line, grown)),
        ]
    return "\n".join(lines) + "\n"


def shape(contender: Contender) -> str:
    config = contender.config
    return (
        f"{contender.parameters:,} parameters, {config.num_hidden_layers} layers, width {config.hidden_size:,}, inner "
        f"width {config.intermediate_size:,}, vocabulary {config.vocab_size:,}"
    )


def _line(row: Row) -> str:
    start = f"| {row.model} | {row.batch_size} | {row.seq_len:,} "
    if row.mean_time_ms is None or row.min_time_ms is None:
        return f"{start}| {row.status}: {row.detail} | | | | |"
    peak = "" if row.peak_memory_mb is None else f"{row.peak_memory_mb:,.0f}"
    rate = row.throughput_tokens_per_sec or 0.0
    return f"{start}| {row.mean_time_ms:,.1f} | {row.min_time_ms:,.1f} | {rate:,.0f} | {peak} | {row.runs} |"


def _growth_line(grown: Growth) -> str:
    off = " | ".join(f"{fit.off:.1%}" for fit in grown.fits.values())
    start = f"| {grown.model} | {grown.batch_size} | n^{grown.exponent:.2f} | n^{grown.last_exponent:.2f} "
    return f"{start}| {off} |"
