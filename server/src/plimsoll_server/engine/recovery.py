"""Running a batch so that no single shortage of memory loses more than the one sequence that cannot fit."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from plimsoll_server.engine.memory import is_out_of_memory
from plimsoll_server.types import BatchReport, Failure, Outcome, Tokens

log = logging.getLogger(__name__)

Forward = Callable[[Sequence[Tokens]], Sequence[Outcome]]


def run_with_recovery(forward: Forward, batch: Sequence[Tokens], free: Callable[[], None]) -> BatchReport:
    """Runs `batch`; when memory runs out, frees it and runs the halves, down to single sequences."""
    outcomes = _attempt(forward, batch)
    if outcomes is not None:
        return BatchReport(tuple(outcomes))
    free()
    if len(batch) == 1:
        return BatchReport((Failure.OUT_OF_MEMORY,), out_of_memory=True)
    middle = len(batch) // 2
    halves = [run_with_recovery(forward, half, free) for half in (batch[:middle], batch[middle:])]
    return BatchReport(halves[0].outcomes + halves[1].outcomes, out_of_memory=True)


def _attempt(forward: Forward, batch: Sequence[Tokens]) -> Sequence[Outcome] | None:
    """The outcomes, or None when memory ran out.

    The exception ends with this function: its traceback holds the frames, and they hold the tensors to be freed.
    """
    try:
        return forward(batch)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        # Its text and not itself: a handler that keeps records would keep the frames.
        log.warning("out of memory in a batch of %d: %.200s", len(batch), str(error))
        return None
