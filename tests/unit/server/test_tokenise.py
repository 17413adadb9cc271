"""Tokenising: frames, characters, borders, and bounds."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tokenizers import normalizers

from plimsoll_server.scheduler.documents import Border, Document
from plimsoll_server.scheduler.errors import InvalidInputError, OverloadedError, TooLongError
from plimsoll_server.scheduler.memory_claims import MemoryClaims
from plimsoll_server.scheduler.text_memory import BYTES_PER_TEXT_BYTE
from plimsoll_server.scheduler.tokenise import Tokeniser
from server_builders import CLS, SEP, byte_tokenizer, save_tokenizer, word_tokenizer
from standstill import standstill

Make = Callable[..., Tokeniser]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[Tokeniser] = []

    def tokeniser(kind: str = "bytes", max_text_bytes: int = 1 << 20, room: bool = True) -> Tokeniser:
        save_tokenizer(byte_tokenizer() if kind == "bytes" else word_tokenizer(["sea"]), tmp_path)
        made.append(
            Tokeniser(
                str(tmp_path / "tokenizer.json"),
                threads=2,
                max_text_bytes=max_text_bytes,
                cut_above=16,
                with_offsets=True,
                claims=MemoryClaims(lambda: None if room else 0),
            )
        )
        return made[-1]

    yield tokeniser
    for one in made:
        one.close()


def characters_of(document: Document) -> list[tuple[int, int]]:
    return [*zip(document.starts, document.ends, strict=True)]


async def test_the_frame_is_found_and_kept_apart_from_the_content(make: Make) -> None:
    document = await make("words").document("sea sea")
    assert document.piece(0, 2) == [CLS, 4, 4, SEP]
    assert (len(document.content), document.tokens) == (2, 4)


async def test_truncation_and_padding_saved_in_the_file_are_not_obeyed(make: Make) -> None:
    assert (await make("words").document("sea " * 20)).tokens == 22
    assert (await make("words").document("sea")).tokens == 3


async def test_offsets_are_characters_of_the_original_text(make: Make) -> None:
    text = "Grüße 🚢 old harbour"
    document = await make().document(text)
    covered = {text[start:end] for start, end in characters_of(document)}
    assert {"🚢", "ü", "ß"} <= covered, "all tokens of a character cover the whole character"


async def test_what_is_kept_of_a_text_until_its_answer_takes_a_few_bytes_for_each_token(make: Make) -> None:
    document = await make().document("the old harbour near the sea " * 1000)
    kept = (document.content, document.starts, document.ends, document.borders)
    assert sum(map(sys.getsizeof, kept)) < 20 * document.tokens


async def test_borders_tell_words_from_characters_and_from_their_insides(make: Make) -> None:
    document = await make().document("zz 🚢🚢 " * 5)
    kinds = [Border(kind) for kind in document.borders]
    assert kinds[0] is Border.WORD
    characters = characters_of(document)
    assert {Border.WORD, Border.CHARACTER, Border.INSIDE_CHARACTER} == set(kinds)
    for (start, end), before, kind in zip(characters[1:], characters, kinds[1:], strict=False):
        assert (kind is Border.INSIDE_CHARACTER) == ((start, end) == before)


async def test_a_text_too_short_to_be_cut_has_no_borders(make: Make) -> None:
    assert (await make("words").document("sea sea")).borders == b""


async def test_ready_made_tokens_keep_the_frame_they_came_with(make: Make) -> None:
    tokeniser = make("words")
    framed, bare = tokeniser.framed([CLS, 4, 4, SEP]), tokeniser.framed([4, 4])
    assert (framed.piece(0, 1), bare.piece(0, 1)) == ([CLS, 4, SEP], [4])


@pytest.mark.parametrize("text", ["", " ", "\n\t"], ids=["empty", "a space", "white space"])
async def test_a_text_without_a_token_is_refused(make: Make, text: str) -> None:
    with pytest.raises(InvalidInputError, match="empty once tokenised"):
        await make("words").document(text)


@pytest.mark.parametrize(
    ("text", "accepted"),
    [
        pytest.param("a" * 64, True, id="as many bytes as allowed"),
        pytest.param("a" * 65, False, id="one more"),
        pytest.param("🚢" * 17, False, id="few characters of many bytes"),
    ],
)
async def test_a_text_is_measured_in_bytes_before_it_is_tokenised(make: Make, text: str, accepted: bool) -> None:
    tokeniser = make(max_text_bytes=64)
    if accepted:
        assert await tokeniser.document(text)
        return
    with pytest.raises(TooLongError, match="at most 64 are tokenised"):
        await tokeniser.document(text)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        pytest.param("sea " * 3000, 12_000, id="as it is"),
        pytest.param("🚢" * 3000, 12_000, id="characters of four bytes"),
        pytest.param("\ufdfa" * 3000, 99_000, id="eleven times as long in the form that the model reads"),
    ],
)
async def test_memory_is_asked_for_by_the_bytes_that_the_model_reads(tmp_path: Path, text: str, read: int) -> None:
    enough = read * BYTES_PER_TEXT_BYTE
    left = enough
    tokenizer = byte_tokenizer()
    tokenizer.normalizer = normalizers.NFKC()
    save_tokenizer(tokenizer, tmp_path)
    tokeniser = Tokeniser(
        str(tmp_path / "tokenizer.json"),
        threads=1,
        max_text_bytes=100_000,
        cut_above=16,
        with_offsets=False,
        claims=MemoryClaims(lambda: left),
    )
    assert (await tokeniser.document(text)).content
    left = enough - 1
    with pytest.raises(OverloadedError, match="too little memory"):
        await tokeniser.document(text)
    tokeniser.idle_with(left)
    with pytest.raises(TooLongError, match="fit this server's memory"):
        await tokeniser.document(text)
    tokeniser.close()


async def test_a_text_for_which_there_is_no_memory_now_is_refused_for_now(make: Make) -> None:
    with pytest.raises(OverloadedError, match="too little memory"):
        await make(room=False).document("sea")


async def test_too_many_texts_at_once_are_refused_and_the_others_are_read(make: Make) -> None:
    tokeniser = make()
    results = await asyncio.gather(*(tokeniser.document("sea " * 500) for _ in range(200)), return_exceptions=True)
    refused = [result for result in results if isinstance(result, OverloadedError)]
    assert len(refused) == 200 - 128
    assert await tokeniser.document("sea")


async def test_long_texts_that_wait_are_bounded_in_bytes_and_bar_no_others(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("plimsoll_server.scheduler.tokenise._PENDING_LONG_BYTES", 150_000)
    tokeniser = make("words")
    texts = ["sea " * 17_500] * 4 + ["sea " * 500] * 4
    results = await asyncio.gather(*map(tokeniser.document, texts), return_exceptions=True)
    assert [isinstance(result, OverloadedError) for result in results] == [False, False, True, True, *[False] * 4]


async def test_a_short_text_does_not_wait_for_the_threads_that_read_long_ones(make: Make) -> None:
    tokeniser = make()
    long = [asyncio.create_task(tokeniser.document("sea " * 500)) for _ in range(128)]
    await asyncio.sleep(0)
    assert (await tokeniser.document("sea")).content
    assert not any(task.done() for task in long)
    await asyncio.gather(*long)


async def test_the_interpreter_goes_on_while_a_long_text_is_read(make: Make) -> None:
    """Its other threads, that is, the event loop's among them."""
    tokeniser = make()
    with standstill() as found:
        await tokeniser.document("the old harbour " * 65_000)
    assert found.longest < found.whole / 4


@pytest.mark.parametrize("text", ["the sea", "zz 🚢🚢 [SEP] sea " * 20, "\n\n"], ids=["words", "many kinds", "lines"])
async def test_a_text_is_read_alike_on_a_thread_and_without(make: Make, text: str) -> None:
    """What is longer than 512 characters goes to a thread."""
    tokeniser = make()
    alone = await tokeniser.document(text)
    repeated = await tokeniser.document(text * 600)
    assert [*repeated.content[: len(alone.content)]] == [*alone.content]
    assert characters_of(repeated)[: len(alone.content)] == characters_of(alone)
    assert repeated.borders[: len(alone.borders)] == alone.borders
