"""A text as the model reads it, and still tied to the characters it came from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from plimsoll_server.types import Tokens


class Border(IntEnum):
    """What lies between a token and the one before it."""

    INSIDE_CHARACTER = 0
    CHARACTER = 1
    WORD = 2


@dataclass(frozen=True, slots=True)
class Frame:
    """The special tokens that stand around every sequence, such as [CLS] and [SEP]."""

    prefix: tuple[int, ...] = ()
    suffix: tuple[int, ...] = ()

    @property
    def length(self) -> int:
        return len(self.prefix) + len(self.suffix)


@dataclass(frozen=True, slots=True)
class Document:
    """It is held until the answer is there, so what is read from a text is in arrays of a few bytes for each token."""

    content: Sequence[int]
    """Token ids without the frame."""
    frame: Frame
    starts: Sequence[int] = ()
    """For each token of the content, its first character in the original text; empty where nobody will ask."""
    ends: Sequence[int] = ()
    """And the one after its last."""
    borders: bytes = b""
    """For each token of the content, the Border before it; empty when the document is too short to be cut, or has no
    text. Any place is then as good as another."""

    @property
    def tokens(self) -> int:
        return len(self.content) + self.frame.length

    def piece(self, start: int, end: int) -> Tokens:
        """The sequence to run for the content from `start` to `end`."""
        return [*self.frame.prefix, *self.content[start:end], *self.frame.suffix]
