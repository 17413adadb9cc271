"""Chunks cover the text, fit their size, overlap, and are cut between words."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from plimsoll_server.scheduler.chunks import cut, new_tokens
from plimsoll_server.scheduler.documents import Border

sizes = st.integers(1, 300)


@given(length=st.integers(1, 3000), size=sizes, share=st.floats(0, 1), word=st.integers(1, 12))
@example(length=1000, size=100, share=0.99, word=5)
@example(length=600, size=254, share=0.9, word=12)
def test_chunks_cover_everything_in_order_and_fit(length: int, size: int, share: float, word: int) -> None:
    borders = bytes(Border.WORD if index % word == 0 else Border.CHARACTER for index in range(length))
    spans = cut(length, size, int(size * share), borders)
    assert spans[0][0] == 0
    assert spans[-1][1] == length
    assert all(start < end and end - start <= size for start, end in spans)
    assert all(earlier[0] < later[0] <= earlier[1] for earlier, later in pairwise(spans))
    assert sum(new_tokens(spans)) == length
    assert min(new_tokens(spans)) > 0


@given(length=st.integers(500, 3000), word=st.integers(1, 5))
def test_no_chunk_begins_or_ends_inside_a_word(length: int, word: int) -> None:
    borders = bytes(Border.WORD if index % word == 0 else Border.CHARACTER for index in range(length))
    for start, end in cut(length, 128, 16, borders):
        assert borders[start] == Border.WORD
        assert end == length or borders[end] == Border.WORD


def test_a_word_longer_than_a_chunk_is_cut_between_characters() -> None:
    borders = bytes(Border.CHARACTER if index % 3 == 0 else Border.INSIDE_CHARACTER for index in range(600))
    for start, end in cut(600, 128, 16, borders):
        assert start % 3 == 0
        assert end % 3 == 0


@pytest.mark.parametrize(
    ("length", "size", "overlap", "spans"),
    [
        pytest.param(10, 10, 2, ((0, 10),), id="fits exactly"),
        pytest.param(18, 10, 2, ((0, 10), (8, 18)), id="two full ones"),
        pytest.param(19, 10, 2, ((0, 7), (5, 13), (11, 19)), id="one token more makes three equal ones"),
        pytest.param(20, 10, 0, ((0, 10), (10, 20)), id="no overlap"),
    ],
)
def test_chunks_without_words_are_of_equal_length(
    length: int, size: int, overlap: int, spans: tuple[tuple[int, int], ...]
) -> None:
    assert cut(length, size, overlap) == spans
