"""Running a batch so that no single shortage of memory loses more than the one sequence that cannot fit."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from plimsoll_server.engine.memory import is_out_of_memory
from plimsoll_server.types import BatchReport, Failure, Outcome, Tokens

log = logging.getLogger(__name__)

Forward = Callable[[Sequence[Tokens]], Sequence[Outcome]]
MakeRoom = Callable[[Sequence[Tokens]], None]
"""Called with what found no memory, once nothing of it is held any more."""


def run_with_recovery(forward: Forward, batch: Sequence[Tokens], make_room: MakeRoom) -> BatchReport:
    """Runs `batch`; when memory runs out, makes room and runs the halves, down to single sequences.

    A single one is tried once more with that room before it is given up.
    """
    outcomes = _attempt(forward, batch)
    if outcomes is not None:
        return BatchReport(tuple(outcomes))
    make_room(batch)
    if len(batch) > 1:
        middle = len(batch) // 2
        halves = [run_with_recovery(forward, half, make_room) for half in (batch[:middle], batch[middle:])]
        return BatchReport(halves[0].outcomes + halves[1].outcomes, out_of_memory=True)
    outcomes = _attempt(forward, batch)
    if outcomes is None:
        make_room(batch)
        outcomes = [Failure.OUT_OF_MEMORY]
    return BatchReport(tuple(outcomes), out_of_memory=True)


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
