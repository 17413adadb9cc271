"""Models of random weights, made once from their numbers and kept in the cache."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from plimsoll_sandbox.toolchain.home import plimsoll_home
from serving.shapes import Shape

LABELS = ("sea", "land", "sky", "none")
SPECIAL = ("[PAD]", "[CLS]", "[SEP]", "[UNK]")
PAD, CLS, SEP, UNK = range(len(SPECIAL))
_RECIPE = 2
"""Raised when the same shape has to give another model."""


def model_folder(shape: Shape) -> Path:
    """Where the model of `shape` lies, in the files of the hub's libraries. Made on the first call, in seconds."""
    recipe = json.dumps([_RECIPE, asdict(shape)], sort_keys=True)
    folder = plimsoll_home() / "bench" / "models" / hashlib.sha256(recipe.encode()).hexdigest()[:16]
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=".partial-", dir=folder.parent))
        try:
            _make(shape, partial)
            partial.rename(folder)
        except OSError:
            # Somebody else may have been faster: then there is nothing left to do.
            if not folder.is_dir():
                raise
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return folder


def words(shape: Shape) -> list[str]:
    """All that the tokenizer knows, one token each."""
    return [f"w{number}" for number in range(shape.vocabulary - len(SPECIAL))]


def _make(shape: Shape, folder: Path) -> None:
    _save_network(shape, folder)
    _save_tokenizer(shape, folder)


def _save_network(shape: Shape, folder: Path) -> None:
    # Imported where used: whoever finds the folder there needs no torch.
    import torch
    from transformers import ModernBertConfig
    from transformers.models.modernbert.modeling_modernbert import ModernBertForSequenceClassification
    from transformers.utils import logging as transformers_logging

    chatter: Any = transformers_logging
    chatter.disable_progress_bar()
    torch.manual_seed(7)
    config = ModernBertConfig(
        vocab_size=shape.vocabulary,
        hidden_size=shape.width,
        intermediate_size=shape.feed_forward,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        local_attention=shape.local_attention,
        max_position_embeddings=shape.window,
        classifier_pooling="mean",
        pad_token_id=PAD,
        bos_token_id=CLS,
        cls_token_id=CLS,
        eos_token_id=SEP,
        sep_token_id=SEP,
        id2label=dict(enumerate(LABELS)),
        label2id={label: number for number, label in enumerate(LABELS)},
    )
    network: Any = ModernBertForSequenceClassification(config)
    with torch.no_grad():
        # So that scores differ from text to text, and an answer to the wrong one is seen.
        network.classifier.weight.normal_(std=0.1)
    network.save_pretrained(folder)


def _save_tokenizer(shape: Shape, folder: Path) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    vocabulary = {word: number for number, word in enumerate((*SPECIAL, *words(shape)))}
    tokenizer: Any = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))  # noqa: S106
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", CLS), ("[SEP]", SEP)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": shape.window,
        "model_input_names": ["input_ids", "attention_mask"],
        "pad_token": "[PAD]",
        "unk_token": "[UNK]",
        "cls_token": "[CLS]",
        "sep_token": "[SEP]",
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=2) + "\n")
