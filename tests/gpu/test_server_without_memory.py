"""At the load line of a GPU no memory runs out; where a neighbour takes it, the server lives on and recovers."""

from __future__ import annotations

import pytest

from serving.gpu_load_line import at_the_line, with_a_neighbour

_FITTING = {429, 503}
"""What a text may be answered that finds no memory or no place."""


@pytest.mark.parametrize("percent", [10, 50])
def test_at_the_line_every_long_text_is_answered_and_no_memory_runs_out(percent: int) -> None:
    found = at_the_line(rounds=2, percent=percent)
    assert found.at_once >= 1
    assert (found.refused, found.out_of_memory) == ({}, 0)


def test_with_no_memory_left_texts_are_refused_and_with_memory_they_are_answered_again() -> None:
    found = with_a_neighbour(requests=8)
    assert set(found["beside"].refused) <= _FITTING
    assert found["beside"].out_of_memory >= 1
    assert (found["after"].answered, found["after"].refused) == (8, {})
