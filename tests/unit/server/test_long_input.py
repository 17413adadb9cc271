"""The policy for long input, length by length. The limits are those of R0: 8,192 shared, 16,384 alone, the tier, the
window."""

from __future__ import annotations

import re
from typing import Any

import pytest

from plimsoll_server.config import LongInputConfig
from plimsoll_server.scheduler.documents import Border, Document, Frame
from plimsoll_server.scheduler.errors import TooLongError
from plimsoll_server.scheduler.long_input import MAX_SEQUENCES, LongInput, Route
from plimsoll_server.scheduler.tiers import Tier

FRAME = Frame((1,), (2,))


def tier(name: str, max_tokens: int, concurrency: int = 1, running_limit: int | None = None) -> Tier:
    return Tier(name, max_tokens, concurrency, concurrency if running_limit is None else running_limit)


GUIDE = (tier("short", 512, 32), tier("medium", 4096, 4), tier("long", 32768, 1))
SHARED = (tier("short", 512, 32), tier("long", 32768, 2))


def route(
    tokens: int, tiers: tuple[Tier, ...] = GUIDE, window: int = 32768, truncate: bool = False, **policy: Any
) -> Route:
    rules = LongInput(LongInputConfig.model_validate(policy, by_name=True), tiers, window)
    return rules.route(Document(range(tokens - FRAME.length), FRAME), truncate=truncate)


AUTO = [
    pytest.param(20, GUIDE, 32768, "short", 1, id="a short text"),
    pytest.param(512, GUIDE, 32768, "short", 1, id="the whole of a tier, special tokens included"),
    pytest.param(513, GUIDE, 32768, "medium", 1, id="one token more is the next tier"),
    pytest.param(8192, GUIDE, 32768, "long", 1, id="8192 alone"),
    pytest.param(8193, GUIDE, 32768, "long", 1, id="beyond 8192 while the tier is not shared"),
    pytest.param(16384, GUIDE, 32768, "long", 1, id="16384 alone"),
    pytest.param(16385, GUIDE, 32768, "long", 3, id="beyond 16384 always"),
    pytest.param(8192, SHARED, 32768, "long", 1, id="8192 in a shared tier"),
    pytest.param(8193, SHARED, 32768, "long", 2, id="beyond 8192 in a shared tier"),
    pytest.param(40000, GUIDE, 32768, "long", 6, id="beyond the largest tier"),
    pytest.param(9000, GUIDE, 8192, "long", 2, id="beyond the model's window"),
]


@pytest.mark.parametrize(("tokens", "tiers", "window", "name", "pieces"), AUTO)
def test_auto_chunks_what_the_guide_says(
    tokens: int, tiers: tuple[Tier, ...], window: int, name: str, pieces: int
) -> None:
    found = route(tokens, tiers, window)
    assert (found.tier.name, len(found.pieces)) == (name, pieces)


def test_chunking_depends_on_the_configured_concurrency_and_not_on_the_load_line() -> None:
    limited = (tier("short", 512, 32), tier("long", 32768, 2, running_limit=1))
    assert len(route(9000, limited).pieces) == len(route(9000, SHARED).pieces) == 2


def test_a_tier_that_the_device_cannot_carry_is_chunked_into_one_that_it_can() -> None:
    tiers = (tier("short", 512, 4), tier("long", 4096, 1, running_limit=0))
    found = route(2000, tiers, overlap_tokens=1024)
    assert {piece.tier.name for piece in found.pieces} == {"short"}
    assert all(piece.span[1] - piece.span[0] + FRAME.length <= 512 for piece in found.pieces)
    assert found.tier.name == "long", "it is counted as what it is"


def test_a_chunk_that_had_to_shrink_keeps_the_proportion_of_its_overlap() -> None:
    rules = LongInput(LongInputConfig(), (tier("short", 512),), 32768)
    assert (rules.chunk_size, rules.overlap) == (512, 64)


def test_each_piece_runs_in_the_tier_of_its_own_length() -> None:
    tiers = (tier("short", 128, 8), tier("long", 1024))
    found = route(3000, tiers, chunk_tokens=128, overlap_tokens=16)
    assert {piece.tier.name for piece in found.pieces} == {"short"}


@pytest.mark.parametrize(
    ("policy", "tokens", "pieces"),
    [
        pytest.param("Native", 20000, 1, id="native runs whatever fits"),
        pytest.param("Chunk", 8192, 1, id="chunk leaves what is no longer than a chunk"),
        pytest.param("Chunk", 8193, 2, id="chunk cuts the rest"),
        pytest.param("Reject", 16384, 1, id="reject runs what auto runs"),
    ],
)
def test_other_policies_run(policy: str, tokens: int, pieces: int) -> None:
    assert len(route(tokens, policy=policy).pieces) == pieces


@pytest.mark.parametrize(
    ("policy", "tokens", "tiers", "message"),
    [
        pytest.param("Native", 32769, GUIDE, "32769 tokens, at most 32768 run in one pass", id="native"),
        pytest.param("Reject", 16385, GUIDE, "at most 16384 run in one pass", id="reject"),
        pytest.param("Reject", 8193, SHARED, "at most 8192", id="reject in a shared tier"),
        pytest.param(
            "Native",
            600,
            (tier("short", 512), tier("long", 4096, 1, running_limit=0)),
            "the load line allows none of tier long",
            id="native beyond the load line",
        ),
    ],
)
def test_a_refusal_names_the_limit_and_the_way_out(
    policy: str, tokens: int, tiers: tuple[Tier, ...], message: str
) -> None:
    with pytest.raises(TooLongError, match=message) as refusal:
        route(tokens, tiers, policy=policy)
    assert "split the text" in str(refusal.value)
    assert refusal.value.tier == "long"


@pytest.mark.parametrize("policy", ["Auto", "Chunk"])
@pytest.mark.parametrize(("size", "overlap"), [(16, 0), (512, 64), (512, 256)])
def test_a_text_of_more_chunks_than_one_request_may_have_is_told_how_long_it_may_be(
    policy: str, size: int, overlap: int
) -> None:
    def chunks(tokens: int) -> int:
        return len(route(tokens, tiers, policy=policy, chunk_tokens=size, overlap_tokens=overlap).pieces)

    tiers = (tier("short", size, 8),)
    with pytest.raises(TooLongError, match=f"more than {MAX_SEQUENCES} sequences .* chunks of {size} tok") as refusal:
        chunks(1 << 20)
    advised = re.search(r"send at most (\d+) tokens at once, or set spec.longInput.chunkTokens", str(refusal.value))
    assert advised is not None
    assert MAX_SEQUENCES * 0.8 < chunks(int(advised[1])) <= MAX_SEQUENCES
    assert refusal.value.tier == "short"


def test_what_is_advised_is_right_for_texts_that_are_cut_between_words() -> None:
    policy = LongInputConfig.model_validate({"chunk_tokens": 512, "overlap_tokens": 64}, by_name=True)
    rules = LongInput(policy, (tier("short", 512),), 32768)

    def words(tokens: int) -> Document:
        return Document(range(tokens - 2), FRAME, borders=bytes([Border.WORD]) * (tokens - 2))

    with pytest.raises(TooLongError) as refusal:
        rules.route(words(1 << 20))
    advised = re.search(r"send at most (\d+) tokens", str(refusal.value))
    assert advised is not None
    assert len(rules.route(words(int(advised[1]))).pieces) == MAX_SEQUENCES
    with pytest.raises(TooLongError):
        rules.route(words(int(advised[1]) + 1))


def test_a_megabyte_in_the_largest_chunks_and_one_that_is_cut_short_are_none_too_many() -> None:
    assert len(route(1 << 20).pieces) == 147
    assert len(route(1 << 20, (tier("short", 16),), policy="Truncate", chunk_tokens=16, overlap_tokens=0).pieces) == 1


@pytest.mark.parametrize(
    ("tokens", "tiers", "window", "kept"),
    [
        pytest.param(20000, GUIDE, 32768, 16384, id="to what runs alone"),
        pytest.param(20000, SHARED, 32768, 8192, id="to what runs shared"),
        pytest.param(20000, GUIDE, 1024, 1024, id="to the window"),
        pytest.param(600, (tier("s", 512), tier("l", 4096, 1, 0)), 8192, 512, id="to the largest tier that runs"),
    ],
)
def test_truncation_keeps_the_beginning_and_says_how_much_is_gone(
    tokens: int, tiers: tuple[Tier, ...], window: int, kept: int
) -> None:
    for found in (
        route(tokens, tiers, window, policy="Truncate"),
        route(tokens, tiers, window, policy="Reject", truncate=True),
    ):
        (piece,) = found.pieces
        assert piece.span == (0, kept - FRAME.length)
        assert found.truncated == tokens - kept


def test_truncation_leaves_what_fits() -> None:
    assert route(500, policy="Truncate").truncated == 0


@pytest.mark.parametrize(
    ("policy", "tokens", "pieces"),
    [
        pytest.param("Native", 20000, 1, id="native runs it in one pass"),
        pytest.param("Auto", 20000, 3, id="auto chunks it"),
        pytest.param("Chunk", 8193, 2, id="chunk chunks it"),
        pytest.param("Reject", 8000, 1, id="it is not refused"),
    ],
)
def test_who_would_rather_have_a_cut_than_a_refusal_loses_nothing_that_the_policy_reads(
    policy: str, tokens: int, pieces: int
) -> None:
    found = route(tokens, SHARED, policy=policy, truncate=True)
    assert (len(found.pieces), found.truncated) == (pieces, 0)


@pytest.mark.parametrize(
    ("policy", "tiers", "kept"),
    [
        pytest.param("Native", SHARED, 32768, id="native, to the largest tier"),
        pytest.param("Reject", SHARED, 8192, id="reject, to what is not chunked"),
        pytest.param(
            "Reject", (tier("whole", 10_000, 1), tier("shared", 32768, 2)), 10_000, id="to a tier that is not shared"
        ),
        pytest.param(
            "Reject", (tier("shared", 16384, 2), tier("whole", 32768, 1)), 8192, id="not to what a shared tier chunks"
        ),
    ],
)
def test_a_cut_in_the_place_of_a_refusal_keeps_as_much_as_can_pass(
    policy: str, tiers: tuple[Tier, ...], kept: int
) -> None:
    found = route(40_000, tiers, 65_536, policy=policy, truncate=True)
    assert (found.pieces[0].span, found.truncated) == ((0, kept - FRAME.length), 40_000 - kept)
    assert len(route(kept, tiers, 65_536, policy=policy).pieces) == 1, "such a length passes by itself"
    with pytest.raises(TooLongError, match=f"at most {kept} run in one pass"):
        route(kept + 1, tiers, 65_536, policy=policy)
