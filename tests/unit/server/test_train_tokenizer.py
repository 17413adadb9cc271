"""The tokenizer that is made on the spot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer
from transformers import AutoTokenizer

from plimsoll_server.train.demo.tokenizer import SPECIAL_TOKENS, save_tokenizer, train_tokenizer

TEXTS = ["Read the next line of the file, and the HTTP server's answer."] * 3 + ["read_line file server http 0123"] * 3


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return train_tokenizer(TEXTS, 200)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("readLine", ["read", "line"]),
        ("read_line", ["read", "_", "line"]),
        ("HTTPServer", ["http", "server"]),
        ("READ", ["read"]),
        ("file10", ["file", "1", "0"]),
        ("líne", ["line"]),
        ("漢", ["[UNK]"]),
    ],
)
def test_identifiers_fall_into_their_words(tokenizer: Tokenizer, text: str, tokens: list[str]) -> None:
    assert tokenizer.encode(text, add_special_tokens=False).tokens == tokens


def test_special_tokens_frame_a_text_and_have_the_ids_of_their_places(tokenizer: Tokenizer) -> None:
    assert tokenizer.encode("read").tokens == ["[CLS]", "read", "[SEP]"]
    assert [tokenizer.token_to_id(token) for token in SPECIAL_TOKENS] == list(range(len(SPECIAL_TOKENS)))


def test_the_same_texts_give_the_same_tokenizer() -> None:
    assert train_tokenizer(TEXTS, 200).to_str() == train_tokenizer(TEXTS, 200).to_str()


def test_transformers_reads_the_saved_tokenizer_as_it_was(tokenizer: Tokenizer, tmp_path: Path) -> None:
    save_tokenizer(tokenizer, tmp_path, window=128)

    loaded: Any = AutoTokenizer.from_pretrained(tmp_path)

    text = "Read_the nextLine, 42 times"
    assert loaded(text)["input_ids"] == tokenizer.encode(text).ids
    assert loaded.model_max_length == 128
    assert loaded.pad_token == "[PAD]"
