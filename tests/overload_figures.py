"""What overloaded servers did, as it is kept in benchmarks/overload.json."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from origin import ROOT, stamp
from overload import Reply, by_status

PATH = ROOT / "benchmarks" / "overload.json"
_MEBIBYTE = 1 << 20


@dataclass(frozen=True)
class Idle:
    """The server's memory after a round, in bytes."""

    used: int
    unused: int


@dataclass
class Outcome:
    """What a run brought. Memory in bytes."""

    limit: int
    safe_tokens: int
    bytes_per_token: int
    replies: list[Reply] = field(default_factory=list)
    idle: list[Idle] = field(default_factory=list)
    """After each round."""
    seconds: float = 0.0
    highest: int = 0
    out_of_memory: int = 0
    """Batches."""
    factor: float = 1.0
    """Of the load line, at the end."""


def write_figures(name: str, outcome: Outcome, path: Path = PATH) -> None:
    """Beside those of other runs, which may be of another day: each says where it is from."""
    runs = json.loads(path.read_text()) if path.exists() else {}
    runs[name] = {
        **stamp(".venv/bin/pytest -m thorough tests/contract/test_overload.py"),
        "load_average": round(os.getloadavg()[0], 1),
        **_figures(outcome),
    }
    path.write_text(json.dumps(runs, indent=1) + "\n")


def _figures(outcome: Outcome) -> dict[str, Any]:
    return {
        "limit_mib": _mib(outcome.limit),
        "bytes_per_token": outcome.bytes_per_token,
        "safe_tokens": outcome.safe_tokens,
        "requests": len(outcome.replies),
        "by_status": {str(status): count for status, count in by_status(outcome.replies).items()},
        "wrong": sum(reply.wrong for reply in outcome.replies),
        "seconds": round(outcome.seconds, 1),
        "answered_after_seconds": _percentiles([reply.seconds for reply in outcome.replies if reply.status == 200]),
        "refused_after_seconds": _percentiles([reply.seconds for reply in outcome.replies if reply.status == 429]),
        "batches_out_of_memory": outcome.out_of_memory,
        "factor_at_the_end": outcome.factor,
        "highest_mib": _mib(outcome.highest),
        "used_after_round_mib": [_mib(idle.used) for idle in outcome.idle],
        "unused_after_round_mib": [_mib(idle.unused) for idle in outcome.idle],
    }


def _mib(size: int) -> float:
    return round(size / _MEBIBYTE, 1)


def _percentiles(values: Sequence[float]) -> dict[str, float] | None:
    """By the nearest rank."""
    if not values:
        return None
    ranked = sorted(values)
    return {f"p{rank}": round(ranked[math.ceil(rank / 100 * len(ranked)) - 1], 3) for rank in (50, 95, 99)}
