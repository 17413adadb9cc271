"""The memory that tokenising a text takes, and whether it is there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from plimsoll_server.scheduler.errors import TooLongError
from plimsoll_server.scheduler.memory_claims import MemoryClaims

BYTES_PER_TEXT_BYTE = 560
"""Memory of an encoding, and of the document that is read from it, per byte of normalised text; ordinary English takes
130, and spaces of which each becomes a token of three bytes 465. The library ends the process when it gets none, so it
must be there. The document stays until its answer is there, and takes 13 for each token."""

_NORMALISED_AT_ONCE = 4096
"""Characters: eleven times as many bytes, which is the most that Unicode's forms make of one, are little."""
_MOST_GROWTH = 11


class TextMemory:
    """Of one tokenizer."""

    def __init__(self, claims: MemoryClaims, normalizer: Any) -> None:
        """`normalizer`: the tokenizer's, or None."""
        self._claims = claims
        self._normalizer = normalizer
        self.idle_room: int | None = None
        """Bytes that an idle server leaves which remembers all it may, None where nothing limits it."""

    def idle_with(self, room: int) -> int:
        """An idle server leaves so many bytes: texts that need more are hardly ever answered, so they are refused as
        too long and not for now. Returns how many bytes of text that are at most."""
        self.idle_room = room
        return room // BYTES_PER_TEXT_BYTE

    def plenty(self, size: int) -> bool:
        """Whether a short text of `size` bytes can be read at once, whatever the normaliser makes of it."""
        return self._claims.plenty(size * _MOST_GROWTH * BYTES_PER_TEXT_BYTE)

    @contextmanager
    def held(self, text: str) -> Iterator[None]:
        """While `text` is tokenised. Raises TooLongError or OverloadedError."""
        if not self._claims.limited:
            yield
            return
        size = self._needed(text)
        if self.idle_room is not None and size > self.idle_room:
            raise TooLongError(
                f"the text has {size // BYTES_PER_TEXT_BYTE} bytes in the form that the model reads, at most "
                f"{self.idle_room // BYTES_PER_TEXT_BYTE} fit this server's memory; split it"
            )
        with self._claims.held(size, "tokenise the text"):
            yield

    def _needed(self, text: str) -> int:
        """Bytes. What the normaliser makes of the text may be eleven times as long, and is found out piece by piece,
        since that takes memory too."""
        size = len(text.encode())
        if self._normalizer is not None:
            pieces = (text[at : at + _NORMALISED_AT_ONCE] for at in range(0, len(text), _NORMALISED_AT_ONCE))
            size = max(size, sum(len(self._normalizer.normalize_str(piece).encode()) for piece in pieces))
        return size * BYTES_PER_TEXT_BYTE
