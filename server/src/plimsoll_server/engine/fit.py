"""From what batches took to what a token takes. Pure arithmetic, in bytes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from plimsoll_server.types import Trial

_AGREEMENT = 0.1
"""Two steps up that differ by less than this share tell the same; a third would too."""


def fitted(trials: Sequence[Trial], telling: int) -> tuple[int, int]:
    """Bytes per token, at least 1, and bytes per batch: the line that no trial lies above.

    Its slope is the steepest last step of the shapes. What a batch takes whatever its size is in both ends of a step.
    Where no two batches took `telling` bytes, the largest one says what there is to say.
    """
    largest = max(trials, key=lambda trial: (trial.tokens, trial.growth))
    steps = [step for shape in _shapes(trials, telling) for step in _steps(shape)[-1:]]
    per_token = max(1, round(max(steps, default=largest.growth / largest.tokens)))
    return per_token, max(0, *(trial.growth - per_token * trial.tokens for trial in trials))


def steps_agree(trials: Sequence[Trial], telling: int) -> bool:
    """Whether larger batches would tell nothing new. A shape that is not among the newest has come to its longest."""
    newest = max(trial.tokens for trial in trials)
    steps = [_steps(shape) for shape in _shapes(trials, telling) if shape and shape[-1].tokens == newest]
    return bool(steps) and all(
        len(shape) >= 2 and abs(shape[-1] - shape[-2]) <= _AGREEMENT * shape[-1] for shape in steps
    )


def _shapes(trials: Sequence[Trial], telling: int) -> list[list[Trial]]:
    """Those that tell: of one sequence, and of several."""
    told = [trial for trial in trials if trial.growth >= telling]
    return [[trial for trial in told if (trial.sequences == 1) is alone] for alone in (True, False)]


def _steps(trials: Sequence[Trial]) -> list[float]:
    """Bytes for each further token."""
    return [(more.growth - less.growth) / (more.tokens - less.tokens) for less, more in pairwise(trials)]
