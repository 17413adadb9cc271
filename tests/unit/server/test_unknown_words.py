"""A tokenizer that does not know a word says so at the start, or reads the rest of the text: no request fails at it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers

from plimsoll_server.config import ModelConfig, Task
from plimsoll_server.models.errors import ModelError
from plimsoll_server.models.family import Placement
from plimsoll_server.models.load import load_model
from plimsoll_server.models.tokenizer_file import check_tokenizer
from plimsoll_server.scheduler.errors import InvalidInputError
from plimsoll_server.scheduler.memory_claims import MemoryClaims
from plimsoll_server.scheduler.tokenise import Tokeniser
from plimsoll_server.types import ModelInfo
from server_builders import CLS, SEP, SPECIAL, save_tokenizer

WORDS = {word: number for number, word in enumerate(("[PAD]", "[CLS]", "[SEP]", "a", "b", "sea"))}
"""Without "[UNK]"."""


def loaded(folder: Path, model: Path, kind: models.Model, task: Task = "text-classification") -> ModelInfo:
    """The model of `model` with a tokenizer of that kind."""
    shutil.copytree(model, folder, dirs_exist_ok=True)
    tokenizer = Tokenizer(kind)
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    save_tokenizer(tokenizer, folder)
    wanted = ModelConfig(location=str(folder), task=task)
    return load_model(wanted, Placement(torch.device("cpu"), torch.float32, "sdpa")).info


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(models.WordLevel(WORDS, unk_token="[UNK]"), id="whole words"),
        pytest.param(models.WordPiece(WORDS, unk_token="[UNK]"), id="pieces of words"),
        pytest.param(models.Unigram([(word, -1.0) for word in WORDS], None, False), id="pieces by their likelihood"),
        pytest.param(models.BPE(WORDS, [], unk_token="[UNK]"), id="merged letters"),
    ],
)
def test_a_tokenizer_that_fails_at_unknown_words_is_refused(
    tmp_path: Path, random_folder: Path, kind: models.Model
) -> None:
    """Though it reads the letter that is tried first."""
    with pytest.raises(ModelError, match=r"fails at what is not in its vocabulary: .*; save it with an unknown token"):
        loaded(tmp_path, random_folder, kind)


def test_one_that_leaves_out_even_common_letters_is_refused(tmp_path: Path, random_folder: Path) -> None:
    letters = {word: number for number, word in enumerate((*SPECIAL, "я", "ю"))}
    with pytest.raises(ModelError, match="makes no token of the letter a; save it with an unknown token"):
        loaded(tmp_path, random_folder, models.BPE(letters, []))


async def test_one_that_leaves_out_unknown_letters_reads_the_others(tmp_path: Path, random_folder: Path) -> None:
    info = loaded(tmp_path, random_folder, models.BPE(WORDS, []))
    tokeniser = Tokeniser(
        info.tokenizer_file,
        threads=1,
        max_text_bytes=1024,
        cut_above=16,
        with_offsets=False,
        claims=MemoryClaims(lambda: None),
    )
    try:
        assert (await tokeniser.document("яb a𒀀")).piece(0, 2) == [CLS, WORDS["b"], WORDS["a"], SEP]
        with pytest.raises(InvalidInputError, match="empty once tokenised"):
            await tokeniser.document("я")
    finally:
        tokeniser.close()


BYTES = [*pre_tokenizers.ByteLevel.alphabet()]
SPELT = [f"<0x{number:02X}>" for number in range(256)]


def numbered(*words: str) -> dict[str, int]:
    return {word: number for number, word in enumerate((*WORDS, *words))}


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(models.BPE(WORDS, []), id="letters"),
        pytest.param(models.BPE(numbered("𒀀"), []), id="letters, and the one that is tried"),
        pytest.param(models.BPE(numbered(*(set(BYTES) - {"Ã"})), []), id="all bytes but one"),
        pytest.param(models.BPE(numbered(*SPELT[1:]), [], byte_fallback=True), id="all bytes spelt but one"),
        pytest.param(models.BPE(numbered(*BYTES), []), id="bytes that no text is split into"),
    ],
)
def test_one_that_leaves_out_unknown_letters_finds_no_entities(
    tmp_path: Path, random_token_folder: Path, kind: models.Model
) -> None:
    """Its library tells the characters of a word as if those were not there."""
    with pytest.raises(ModelError, match="entities would be found in other places; save it with an unknown token"):
        loaded(tmp_path, random_token_folder, kind, "token-classification")


@pytest.mark.parametrize(
    ("kind", "split"),
    [
        pytest.param(models.BPE(numbered(*BYTES), []), pre_tokenizers.ByteLevel(), id="every byte is a token"),
        pytest.param(
            models.BPE(numbered(*SPELT), [], byte_fallback=True), pre_tokenizers.WhitespaceSplit(), id="bytes spelt"
        ),
        pytest.param(
            models.BPE(numbered("[UNK]"), [], unk_token="[UNK]"), pre_tokenizers.WhitespaceSplit(), id="unknown token"
        ),
    ],
)
def test_one_that_reads_everything_finds_entities(
    tmp_path: Path, kind: models.Model, split: pre_tokenizers.PreTokenizer
) -> None:
    tokenizer = Tokenizer(kind)
    tokenizer.pre_tokenizer = split
    save_tokenizer(tokenizer, tmp_path)
    check_tokenizer(tmp_path / "tokenizer.json", rows=1000, task="token-classification")


def test_an_unknown_token_that_is_not_in_the_vocabulary_is_none(tmp_path: Path, random_folder: Path) -> None:
    """Though the text that is tried needs none."""
    with pytest.raises(ModelError, match=r"fails at what is not in its vocabulary: \[UNK\] is none of it"):
        loaded(tmp_path, random_folder, models.BPE(numbered("𒀀"), [], unk_token="[UNK]"))
