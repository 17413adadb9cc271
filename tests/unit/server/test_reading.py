"""How the inputs of a request were read, told in headers of bounded length."""

from __future__ import annotations

import pytest
from starlette.requests import Request

from plimsoll_server.api.inputs import MAX_INPUTS
from plimsoll_server.api.reading import reading_headers
from plimsoll_server.scheduler.answers import Answer
from plimsoll_server.scheduler.tiers import Tier

TIERS = [Tier(f"{number}{'-of-a-long-name' * 4}"[:63], 16 << number, 1, 1) for number in range(8)]
"""As many as there may be, and with names as long as they may be."""


def headers_of(answers: list[Answer]) -> list[str]:
    told = reading_headers(Request({"type": "http"}), answers)
    assert list(told) == ["X-Plimsoll-Tier", "X-Plimsoll-Tokens", "X-Plimsoll-Chunks", "X-Plimsoll-Truncated-Tokens"]
    return list(told.values())


def test_each_input_has_its_own_values() -> None:
    short, long = Tier("short", 16, 4, 4), Tier("long", 64, 1, 1)
    answers = [Answer(short, 9, 1, 0), Answer(long, 100, 3, 0), Answer(long, 64, 1, 36)]
    assert headers_of(answers) == ["short,long,long", "9,100,64", "1,3,1", "0,0,36"]


def test_of_many_inputs_it_is_told_what_they_come_to() -> None:
    short, long = Tier("short", 16, 4, 4), Tier("long", 64, 1, 1)
    answers = [Answer(short, 9, 1, 0)] * 100 + [Answer(long, 64, 2, 36)] * 10
    assert headers_of(answers) == ["short*100,long*10", "total=1540", "total=120", "total=360"]


@pytest.mark.parametrize("inputs", [1, 8, 9, 32, MAX_INPUTS])
@pytest.mark.parametrize("tiers", [1, 8])
def test_they_take_a_kilobyte_at_most(inputs: int, tiers: int) -> None:
    answers = [Answer(TIERS[place % tiers], 1 << 20, 1024, 1 << 20) for place in range(inputs)]
    told = reading_headers(Request({"type": "http"}), answers)
    assert sum(len(f"{name}: {value}\r\n") for name, value in told.items()) <= 1000
