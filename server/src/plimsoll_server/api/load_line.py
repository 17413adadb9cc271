"""The load line as /info tells it: what was planned, what was measured, and what may run now."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from plimsoll_server.api.state import Service
from plimsoll_server.scheduler.tiers import Tier, tiers_from
from plimsoll_server.types import Calibration, LoadLine


class TrialInfo(BaseModel):
    sequences: int
    tokens: int
    bytes: int
    """By which memory in use was larger, at its highest, than before."""


class MeasuredInfo(BaseModel):
    bytes_per_token: int
    bytes_per_batch: int
    room: int
    """Bytes that were left for batches once the model was loaded, less those promised."""
    promised: int
    """Bytes that are kept for the answers that the server will remember."""
    seconds: float
    trials: list[TrialInfo]


class TierLineInfo(BaseModel):
    """Sequences at once."""

    name: str
    requested: int
    planned: int
    """What the operator's arithmetic granted of it."""
    measured: int | None
    """What memory would carry of this tier alone."""
    safe: int
    """What may run now, on each device."""


class LoadLineInfo(BaseModel):
    measured: MeasuredInfo | None
    """None where no limit is set, or nobody tells how much memory is in use."""
    tokens: int | None
    """That may run together now, on each device."""
    factor: float
    """Of what was measured, what is trusted: below 1 after a shortage of memory."""
    tiers: list[TierLineInfo]


EXAMPLE: dict[str, Any] = {
    "measured": {
        "bytes_per_token": 37120,
        "bytes_per_batch": 9437184,
        "room": 1288490188,
        "promised": 67108864,
        "seconds": 4.1,
        "trials": [{"sequences": 1, "tokens": 1024, "bytes": 47316992}],
    },
    "tokens": 34456,
    "factor": 1.0,
    "tiers": [{"name": "short", "requested": 32, "planned": 32, "measured": 67, "safe": 32}],
}


def load_line(service: Service) -> dict[str, Any]:
    """As LoadLineInfo says."""
    line = LoadLine() if service.engine is None else service.engine.line()
    return {
        "measured": None if service.calibration is None else _measured(service.calibration),
        "tokens": line.tokens,
        "factor": round(line.factor, 3),
        "tiers": [_tier(tier, line, service.calibration) for tier in tiers_from(service.config.tiers)],
    }


def _measured(calibration: Calibration) -> dict[str, Any]:
    return {
        "bytes_per_token": calibration.bytes_per_token,
        "bytes_per_batch": calibration.bytes_per_batch,
        "room": calibration.room,
        "promised": calibration.promised,
        "seconds": round(calibration.seconds, 3),
        "trials": [
            {"sequences": trial.sequences, "tokens": trial.tokens, "bytes": trial.growth}
            for trial in calibration.trials
        ],
    }


def _tier(tier: Tier, line: LoadLine, calibration: Calibration | None) -> dict[str, Any]:
    return {
        "name": tier.name,
        "requested": tier.concurrency,
        "planned": tier.running_limit,
        "measured": None if calibration is None else (calibration.line.tokens or 0) // tier.max_tokens,
        "safe": line.sequences(tier.running_limit, tier.max_tokens),
    }
