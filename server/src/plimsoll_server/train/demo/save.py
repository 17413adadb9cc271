"""A model in the files that the hub's libraries and the server read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from tokenizers import Tokenizer
from transformers import ModernBertForSequenceClassification
from transformers.utils import logging as transformers_logging

from plimsoll_server.train.demo.card import model_card
from plimsoll_server.train.demo.recipe import Recipe
from plimsoll_server.train.demo.record import TrainingRecord, write_record
from plimsoll_server.train.demo.tokenizer import save_tokenizer
from plimsoll_server.train.errors import TrainingError


def save(
    folder: Path,
    network: ModernBertForSequenceClassification,
    tokenizer: Tokenizer,
    record: TrainingRecord,
    recipe: Recipe,
) -> None:
    """Raises TrainingError when a file cannot be written."""
    chatter: Any = transformers_logging
    chatter.disable_progress_bar()
    try:
        network.save_pretrained(folder)
        save_tokenizer(tokenizer, folder, recipe.window)
        (folder / "README.md").write_text(model_card(record, recipe), encoding="utf-8")
        write_record(record, folder)
        for file in folder.iterdir():
            # safetensors keeps its file to its owner; a pod runs as somebody else.
            file.chmod(0o644)
    except (OSError, SafetensorError) as error:
        raise TrainingError(
            f"expected to write the model beside its place in {folder.parent}, but: {error}; nothing was changed"
        ) from error
