"""Cutting a document into overlapping chunks of about the same length, at word borders where there are any."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from plimsoll_server.scheduler.documents import Border

Span = tuple[int, int]


def cut(length: int, size: int, overlap: int, borders: bytes = b"") -> tuple[Span, ...]:
    """Spans of `length` tokens, in order and overlapping by about `overlap`; none is longer than `size`.

    Equal chunks leave no short last one, whose answer would be a guess from a few words.
    """
    count = chunks_of(length, size, overlap, borders)
    overlap = min(overlap, size - 1)
    reach = _reach(size, overlap) if borders else 0
    spans = []
    start = 0
    for number in range(1, count):
        end = _border_before(overlap + (length - overlap) * number // count, reach, borders)
        spans.append((start, end))
        start = _border_before(end - overlap, reach, borders)
    return (*spans, (start, length))


def chunks_of(length: int, size: int, overlap: int, borders: bytes = b"") -> int:
    """How many spans `cut` gives."""
    overlap = min(overlap, size - 1)
    reach = _reach(size, overlap) if borders else 0
    return max(1, math.ceil((length - overlap) / _added(size, overlap, reach)))


def longest_of(count: int, size: int, overlap: int) -> int:
    """Tokens that `count` spans have room for, wherever they are cut."""
    overlap = min(overlap, size - 1)
    return overlap + count * _added(size, overlap, _reach(size, overlap))


def new_tokens(spans: Sequence[Span]) -> list[int]:
    """How many tokens each span adds to those before it."""
    return [end - before for before, end in pairwise([0, *(end for _, end in spans)])]


def _added(size: int, overlap: int, reach: int) -> int:
    """Tokens that a span adds. It may begin and end up to `reach` earlier than planned, and must still fit."""
    return size - 2 * reach - overlap


def _reach(size: int, overlap: int) -> int:
    """How far before a planned place a border is looked for: so little that each chunk begins behind the last one.

    Chunks of equal length come on by at least half of what they have beside the overlap; the beginning of each was
    moved twice, with the end before it and then by itself.
    """
    return max(0, min(32, size // 24, (size - overlap - 2) // 6))


def _border_before(place: int, reach: int, borders: bytes) -> int:
    """The best place to cut at most `reach` tokens before `place`: between words, else between characters."""
    candidates = range(place, max(0, place - reach), -1)
    for wanted in (Border.WORD, Border.CHARACTER):
        for candidate in candidates:
            if borders[candidate] == wanted:
                return candidate
    return place
