"""Running a batch so that no single shortage of memory, and no single text that the model fails at, loses more than the
one sequence that is to blame."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from traceback import format_exception
from typing import Literal

from plimsoll_server.engine.memory import is_out_of_memory
from plimsoll_server.models.errors import LeakError
from plimsoll_server.types import BatchReport, Failure, Outcome, Tokens

log = logging.getLogger(__name__)

Forward = Callable[[Sequence[Tokens]], Sequence[Outcome]]
MakeRoom = Callable[[Sequence[Tokens]], None]
"""Called with what found no memory, once nothing of it is held any more."""

_FAULTS = (RuntimeError, ValueError, LookupError, ArithmeticError)
"""What the numbers of one text may bring about. Any other error is of the program, and no text's doing."""
_Lost = Literal[Failure.OUT_OF_MEMORY, Failure.MODEL_FAULT]
_LOST = (Failure.OUT_OF_MEMORY, Failure.MODEL_FAULT)


class ForwardError(RuntimeError):
    """The model failed, and nothing of the batch ran. The log says where."""


def run_with_recovery(forward: Forward, batch: Sequence[Tokens], make_room: MakeRoom) -> BatchReport:
    """Runs `batch`; when memory runs out, makes room and runs the halves, down to single sequences.

    A single one is tried once more with that room before it is given up. When the model fails otherwise, the halves
    run too, for it may fail at one sequence alone. Raises ForwardError when it failed and nothing of the batch ran.
    """
    recovery = _Recovery(forward, make_room, len(batch))
    outcomes = recovery.run(batch)
    if recovery.fault is not None and all(outcome in _LOST for outcome in outcomes):
        raise ForwardError(recovery.fault)
    return BatchReport(outcomes, out_of_memory=recovery.out_of_memory)


class _Recovery:
    """Of one batch."""

    def __init__(self, forward: Forward, make_room: MakeRoom, sequences: int) -> None:
        self._forward = forward
        self._make_room = make_room
        self._halvings = 2 * (sequences - 1).bit_length()
        """Left for faults: what two sequences of the batch can bring about. A model that fails at everything shall not
        be asked about each."""
        self.out_of_memory = False
        self.fault: str | None = None
        """The first exception of the model, in words: itself it would keep the frames, and they the tensors."""

    def run(self, batch: Sequence[Tokens]) -> tuple[Outcome, ...]:
        """One outcome per sequence."""
        outcomes = self._attempt(batch)
        if outcomes is Failure.OUT_OF_MEMORY:
            return self._run_with_room(batch)
        if outcomes is Failure.MODEL_FAULT:
            return self._run_without_the_fault(batch)
        return tuple(outcomes)

    def _run_with_room(self, batch: Sequence[Tokens]) -> tuple[Outcome, ...]:
        self.out_of_memory = True
        self._make_room(batch)
        if len(batch) > 1:
            return self._run_halves(batch)
        outcomes = self._attempt(batch)
        if outcomes is Failure.OUT_OF_MEMORY:
            self._make_room(batch)
        return (outcomes,) if isinstance(outcomes, Failure) else tuple(outcomes)

    def _run_without_the_fault(self, batch: Sequence[Tokens]) -> tuple[Outcome, ...]:
        if len(batch) == 1 or not self._halvings:
            return (Failure.MODEL_FAULT,) * len(batch)
        self._halvings -= 1
        return self._run_halves(batch)

    def _run_halves(self, batch: Sequence[Tokens]) -> tuple[Outcome, ...]:
        middle = len(batch) // 2
        return self.run(batch[:middle]) + self.run(batch[middle:])

    def _attempt(self, batch: Sequence[Tokens]) -> Sequence[Outcome] | _Lost:
        """The outcomes, or how all of it failed.

        The exception ends with this function: its traceback holds the frames, and they hold the tensors to be freed.
        """
        try:
            return self._forward(batch)
        except LeakError:
            raise  # No smaller batch would be trusted either.
        except (*_FAULTS, MemoryError) as error:
            # Their text and not themselves: a handler that keeps records would keep the frames.
            if is_out_of_memory(error):
                log.warning("out of memory in a batch of %d: %.200s", len(batch), str(error))
                return Failure.OUT_OF_MEMORY
            if self.fault is None:
                log.error("the model failed at a batch of %d:\n%s", len(batch), "".join(format_exception(error)))
                self.fault = f"{type(error).__name__}: {error}"
            return Failure.MODEL_FAULT
