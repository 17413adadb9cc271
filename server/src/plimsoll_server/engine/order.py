"""What an engine is built from: plain data, so that it can be handed to another process. Free of torch."""

from __future__ import annotations

from dataclasses import dataclass

from plimsoll_server.config import ModelConfig
from plimsoll_server.models.location import Located


@dataclass(frozen=True, slots=True)
class EngineOrder:
    model: ModelConfig
    located: Located
    """Where the model was found; fetched and checked already."""
    memory_percent: int
    """Of the memory limit, or of a GPU's memory, to plan batches with."""
    threads: int
    memory_limit: int | None = None
    """Bytes that the engine's process may take on a CPU; None where nothing sets a limit."""
    workers: int = 1
    """That the container's limit was shared out to: this is the part of each."""
    promised_bytes: int = 0
    """Of that limit: what the process will hold beside its batches once it has served for a while."""
    calibration_directory: str = ""
    """Where what was measured is kept for the next start; empty: nowhere."""
