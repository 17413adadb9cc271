"""How long to wait before trying again, as the kubelet does."""

from __future__ import annotations

_LONGEST_SECONDS = 300.0
_FORGOTTEN_SECONDS = 600.0


class Backoff:
    """`first` before the first retry, then `base` doubling to five minutes; ten quiet minutes and all is forgotten."""

    def __init__(self, base_seconds: float, first_seconds: float = 0.0) -> None:
        self._base = base_seconds
        self._first = first_seconds
        self._next = first_seconds

    def after(self, quiet_seconds: float) -> float:
        """The wait before the next try, when things had gone well for so long since the last one."""
        delay = self._first if quiet_seconds >= _FORGOTTEN_SECONDS else self._next
        self._next = min(max(delay * 2, self._base), _LONGEST_SECONDS)
        return delay
