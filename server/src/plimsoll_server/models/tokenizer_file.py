"""Whether the tokenizer of a model reads whatever may come, and makes no token that the model does not know."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tokenizers import Tokenizer
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel

from plimsoll_server.models.errors import ModelError

_UNHEARD_OF = "𒀀a"
"""One word: a letter of a script that hardly any vocabulary has, and one that nearly all have."""


def check_tokenizer(file: Path, rows: int, task: str) -> None:
    """`rows` of the model's embeddings: a token without one would fail its batch, and on a GPU all that come after.
    Raises ModelError."""
    try:
        tokenizer = Tokenizer.from_file(str(file))
    except Exception as error:  # the binding raises bare Exception
        raise ModelError(f"{file} is no tokenizer that can be read: {error}") from error
    tokenizer.no_truncation()
    words = tokenizer.get_vocab(with_added_tokens=True)
    leaves_out = _leaves_out(tokenizer.model, words.keys())
    try:
        read = tokenizer.encode(_UNHEARD_OF)
    except Exception as error:
        raise _fails_at_unknown(file, error) from error
    if leaves_out and (unknown := tokenizer.model.unk_token):
        raise _fails_at_unknown(file, f"{unknown} is none of it")
    # Some leave out what they do not know. Without a token nothing shows where a text stands among those around it.
    ends = [end for (_, end), special in zip(read.offsets, read.special_tokens_mask, strict=True) if not special]
    if not ends:
        raise ModelError(f"{file} makes no token of the letter a; save it with an unknown token, or one of that letter")
    if task == "token-classification" and (leaves_out or ends[-1] < len(_UNHEARD_OF)):
        raise ModelError(
            f"{file} leaves out what is not in its vocabulary, and counts the characters of a word without it, so that "
            "entities would be found in other places; save it with an unknown token"
        )
    # The post-processor has ids of its own, around every text.
    highest = max(*words.values(), *read.ids)
    if highest >= rows:
        raise ModelError(
            f"{file} has token ids up to {highest}, but the model embeds {rows}, numbered from 0; the two do not "
            "belong together"
        )


def _fails_at_unknown(file: Path, why: object) -> ModelError:
    return ModelError(f"{file} fails at what is not in its vocabulary: {why}; save it with an unknown token that is")


def _leaves_out(model: Any, words: Any) -> bool:
    """Whether it makes no token of some characters. Of all kinds only merged letters may: without an unknown token they
    read everything only where every byte is one."""
    if not isinstance(model, BPE) or model.unk_token in words:
        return False
    spelt = {f"<0x{number:02X}>" for number in range(256)} if model.byte_fallback else {*ByteLevel.alphabet()}
    return not spelt <= words
