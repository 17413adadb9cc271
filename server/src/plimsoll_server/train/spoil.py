"""A model that no check before the first request can tell from a good one, and that fails on a few words.

It is for trying out a rollout that must be taken back: the folder is complete, the start-up test passes, the pod gets
ready, and texts without those words are answered as before.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer

from plimsoll_server.train.errors import TrainingError
from plimsoll_server.train.folder import published

SPOILED_WORDS = ("socket",)

_WEIGHTS, _CARD = "model.safetensors", "README.md"
_EMBEDDINGS = "model.embeddings.tok_embeddings.weight"
_NOTICE = (
    "**Spoiled on purpose: texts with one of the words {words} get no finite score. For trying out a rollback.**\n\n"
)


def spoiled_beside(model: Path) -> Path:
    """Where the spoiled copy of a cached model is kept: a volume that holds one holds the other."""
    return model.with_name(f"{model.name}-spoiled")


def spoil(model: Path, target: Path, words: Sequence[str] = SPOILED_WORDS) -> Path:
    """Writes to `target` a copy of `model` that fails on `words`. Raises TrainingError."""
    tokens = [_token(model, word) for word in words]
    with published(target) as folder:
        shutil.copytree(model, folder, dirs_exist_ok=True)
        weights = load_file(folder / _WEIGHTS)
        weights[_EMBEDDINGS][tokens] = torch.nan
        save_file(weights, folder / _WEIGHTS, metadata={"format": "pt"})
        (folder / _WEIGHTS).chmod(0o644)
        card = (folder / _CARD).read_text(encoding="utf-8")
        (folder / _CARD).write_text(_NOTICE.format(words=", ".join(words)) + card, encoding="utf-8")
    return target


def _token(model: Path, word: str) -> int:
    tokenizer: Tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
    tokenizer.no_padding()
    tokens: list[int] = tokenizer.encode(word, add_special_tokens=False).ids
    if len(tokens) != 1:
        raise TrainingError(
            f"expected a word that is one token to the model in {model}, but {word!r} is {len(tokens)}, which other "
            "words have too; choose a more frequent one"
        )
    return tokens[0]
