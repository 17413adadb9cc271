"""How much memory a batch takes, as the kernel saw it: the highest mark of the process while the batch ran."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from plimsoll_server.engine.memory import is_out_of_memory

_TELLING_BYTES = 20 << 20
"""A batch that takes so much tells: what the process kept from before and uses again is little beside it."""
_MOST_SEQUENCES = 32
_SELF = Path("/proc/self")
_RESET_HIGHEST_MARK = "5"
"""What /proc/self/clear_refs takes to have VmHWM begin anew, see proc(5)."""


def bytes_per_token(forward: Callable[[int], object], tokens: int, room: int) -> int | None:
    """What each token of a batch takes, at least 1: by batches of one sequence, two, four, until one tells enough.

    `forward` runs a batch of so many sequences of `tokens` each. The next batch is not tried where it might take more
    than `room` bytes, and one that runs out of memory ends the trial. None where nothing was measured: the first batch
    did not fit, or the kernel does not tell.
    """
    measured = None
    sequences, growth = 1, 0
    while sequences <= _MOST_SEQUENCES and growth < _TELLING_BYTES and 2 * growth <= room:
        try:
            growth = _growth(partial(forward, sequences))
        except OSError:
            return None
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            return measured
        measured = max(1, growth // (sequences * tokens))
        sequences *= 2
    return measured


def _growth(work: Callable[[], object]) -> int:
    """Bytes by which the process was larger, at its highest, while `work` ran. Raises OSError."""
    (_SELF / "clear_refs").write_text(_RESET_HIGHEST_MARK)
    before = _highest_mark()
    work()
    return max(0, _highest_mark() - before)


def _highest_mark() -> int:
    lines = (_SELF / "status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))
