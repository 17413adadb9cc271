"""What servers did that were offered more than they carry, as a person reads it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from origin import origin

_Run = Mapping[str, Any]

_ROWS: Mapping[str, Callable[[_Run], str]] = {
    "requests": lambda run: f"{run['requests']:,}",
    "answered (200)": lambda run: _count(run, "200"),
    "refused for now (429)": lambda run: _count(run, "429"),
    "do not fit (503)": lambda run: _count(run, "503"),
    "any other end": lambda run: f"{run['requests'] - sum(run['by_status'].get(s, 0) for s in ('200', '429', '503'))}",
    "wrong answers": lambda run: str(run["wrong"]),
    "answered after, s (p50 / p95 / p99)": lambda run: _spread(run["answered_after_seconds"]),
    "batches that ran out of memory": lambda run: str(run["batches_out_of_memory"]),
    "memory limit, MiB": lambda run: f"{run['limit_mib']:.0f}",
    "highest, MiB": lambda run: f"{run['highest_mib']:.0f}",
    "at rest after each round, MiB": lambda run: _series(run["used_after_round_mib"]),
    "of that free in the allocator, MiB": lambda run: _series(run["unused_after_round_mib"]),
    "line at the end, of what was measured": lambda run: f"{run['factor_at_the_end']:.0%}",
}


def overload_lines(path: Path) -> Iterator[str]:
    """The figures in `path`; nothing where none were taken yet."""
    if not path.exists():
        return
    runs = json.loads(path.read_text())
    for name, run in runs.items():
        yield (
            f"{name[0].upper()}{name[1:]}: {origin(run)} {run['safe_tokens']:,} tokens are safe at once, "
            f"{run['bytes_per_token']:,} bytes each; {run['seconds']:.0f} s, load average {run['load_average']:.0f}.\n"
        )
    yield "| | " + " | ".join(runs) + " |"
    yield "|---|" + "---:|" * len(runs)
    for title, value in _ROWS.items():
        yield f"| {title} | " + " | ".join(value(run) for run in runs.values()) + " |"
    yield ""


def _count(run: _Run, status: str) -> str:
    return f"{run['by_status'].get(status, 0):,}"


def _spread(values: Mapping[str, float] | None) -> str:
    return " / ".join(f"{value:.1f}" for value in values.values()) if values else ""


def _series(values: list[float]) -> str:
    return " ".join(f"{value:.0f}" for value in values)
