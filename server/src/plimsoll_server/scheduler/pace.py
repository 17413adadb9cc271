"""How large a pack is worth making."""

from __future__ import annotations

_WORTHWHILE_SECONDS = 1.0
"""Of a pack. A larger one is hardly faster per token, and everybody in it waits for its end."""
_SMALLEST_TOKENS = 1024
"""Below this a larger pack is faster per token on any device."""
_NEWEST = 0.2
"""Weight of the newest batch."""


class Pace:
    """Tokens per second of one device, learnt from the batches that had it to themselves."""

    def __init__(self) -> None:
        self._rate = 0.0

    def ran(self, tokens: int, seconds: float) -> None:
        rate = tokens / max(seconds, 1e-6)
        self._rate = rate if not self._rate else (1 - _NEWEST) * self._rate + _NEWEST * rate

    @property
    def worthwhile_tokens(self) -> float:
        """Of one pack; without limit before anything has run."""
        return max(_SMALLEST_TOKENS, self._rate * _WORTHWHILE_SECONDS) if self._rate else float("inf")
