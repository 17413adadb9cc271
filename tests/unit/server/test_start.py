"""What a start makes of the memory that is left."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from plimsoll_server import start
from plimsoll_server.engine.process_memory import MemoryBudgetError
from plimsoll_server.scheduler.memory_claims import MemoryClaims
from plimsoll_server.scheduler.text_memory import BYTES_PER_TEXT_BYTE
from plimsoll_server.scheduler.tokenise import Tokeniser
from server_builders import save_tokenizer, word_tokenizer

SHORT = 4096 * BYTES_PER_TEXT_BYTE


@pytest.mark.parametrize(
    ("room", "remembered", "left"),
    [
        pytest.param(None, 64 << 20, None, id="nothing limits it"),
        pytest.param(100 << 20, 0, 100 << 20, id="nothing is remembered"),
        pytest.param(100 << 20, 64 << 20, 36 << 20, id="what is remembered is no room"),
        pytest.param(SHORT, 64 << 20, SHORT, id="a short text is read all the same"),
        pytest.param(SHORT - 1, 0, MemoryBudgetError, id="not even that"),
    ],
)
def test_texts_have_what_answers_that_are_remembered_leave(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    room: int | None,
    remembered: int,
    left: int | type[Exception] | None,
) -> None:
    save_tokenizer(word_tokenizer(["sea"]), tmp_path)
    tokeniser = Tokeniser(
        str(tmp_path / "tokenizer.json"),
        threads=1,
        max_text_bytes=1 << 30,
        cut_above=None,
        with_offsets=False,
        claims=MemoryClaims(lambda: None),
    )
    monkeypatch.setattr(start, "room_left", lambda: room)
    try:
        with caplog.at_level(logging.WARNING):
            if isinstance(left, type):
                with pytest.raises(left, match="but a text of 4096 bytes needs 2240 KiB"):
                    start._bound_texts(tokeniser, remembered)
                return
            start._bound_texts(tokeniser, remembered)
    finally:
        tokeniser.close()
    assert tokeniser.idle_room == left
    assert ("leave texts no memory" in caplog.text) == (left == SHORT)
