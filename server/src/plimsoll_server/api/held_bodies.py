"""How much is held of bodies that are still being sent: large ones that stand still leave the small ones their room."""

from __future__ import annotations

_SMALL_BYTES = 65_536


class Held:
    """Bytes, by whether the body that they are of has grown beyond what most requests have."""

    def __init__(self, *, small: int, large: int) -> None:
        """`small`, `large`: bytes that there is room for."""
        self._room = {True: small, False: large}
        self._held = {True: 0, False: 0}

    def take(self, before: int, part: int) -> bool:
        """Counts `part` more bytes of a body of which `before` are held. False where there is no room: held all the
        same, until they are given back."""
        now = before + part
        self._held[_is_small(before)] -= before
        self._held[_is_small(now)] += now
        return self._held[_is_small(now)] <= self._room[_is_small(now)]

    def give_back(self, size: int) -> None:
        """All of a body."""
        self._held[_is_small(size)] -= size


def _is_small(size: int) -> bool:
    return size <= _SMALL_BYTES
