"""What a pack tells of itself in the trace of each request that has a part in it."""

from __future__ import annotations

import math

from plimsoll_server.scheduler.on_devices import Running


def trace_pack(running: Running, forward_seconds: float, started: float, ended: float) -> None:
    """Times as `time.monotonic` gives them: the pack was formed and handed to the engine at once. `forward_seconds`: 0
    where the engine did not tell.

    What is left of it before the forward pass is its wait for the device, or for a border between two layers.
    """
    pack = running.pack
    for work in pack.works:
        if work.trace is not None:
            work.trace.record("queue", work.since, started, tier=pack.tier.name)
            work.trace.record(
                "pack", started, ended, sequences=len(pack.works), tokens=pack.tokens, between_layers=running.guest
            )
            work.trace.record("forward", max(started, ended - (forward_seconds or math.inf)), ended)
