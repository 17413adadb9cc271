"""How long a worker may be at one layer before it is taken to hang, by what layers have taken so far."""

from __future__ import annotations

from collections.abc import Sequence

from plimsoll_server.types import Tokens

_LEAST_SECONDS = 20.0
"""However small the batch: a machine may be short of processors, or compile a kernel at its first use. A third of what
callers wait by default, so that there is time to run the batch elsewhere."""
_UNKNOWN_SECONDS = 120.0
"""Before any batch has run."""
_MOST_SECONDS = 900.0
_MARGIN = 10
"""Times what it should take: layers differ, and so does what else the machine does."""
_KEPT = 0.9
"""Of what was learnt from earlier batches, with each that comes."""
_SQUARE_TOKENS = 1024
"""From this length on attention, which goes by the square, is taken to be most of a layer. It is some thousand tokens
for the usual shapes; a lower number errs on the patient side for texts longer than any that was seen."""


def weight(batch: Sequence[Tokens]) -> float:
    """What a layer of `batch` has to do, in an arbitrary unit."""
    return float(sum(len(tokens) * (_SQUARE_TOKENS + len(tokens)) for tokens in batch))


class Tempo:
    """Of all workers of a fleet: they have the same model and the same kind of device."""

    def __init__(self) -> None:
        self._seconds = self._weight = 0.0

    def ran(self, batch: Sequence[Tokens], longest_step: float) -> None:
        """Its longest layer took so many seconds. Sums, so that large batches say more than small ones."""
        self._seconds = _KEPT * self._seconds + longest_step
        self._weight = _KEPT * self._weight + weight(batch)

    def patience(self, heaviest: float) -> float:
        """Seconds without a sign of life that a worker is granted whose heaviest batch weighs so much."""
        if not self._weight:
            return _UNKNOWN_SECONDS
        expected = heaviest * self._seconds / self._weight
        return min(_MOST_SECONDS, max(_LEAST_SECONDS, _MARGIN * expected))
