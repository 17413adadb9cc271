"""Tiny real models and real server processes for the server's tests: say what a test is about, the rest is ordinary."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers
from transformers import ModernBertConfig
from transformers.models.modernbert.modeling_modernbert import (
    ModernBertForSequenceClassification,
    ModernBertForTokenClassification,
)

NETWORKS = {
    "text-classification": ModernBertForSequenceClassification,
    "token-classification": ModernBertForTokenClassification,
}
SPECIAL = ("[PAD]", "[CLS]", "[SEP]", "[UNK]")
PAD, CLS, SEP, UNK = range(4)
TOPICS = {"tides": "sea", "harbour": "sea", "anchor": "sea", "engine": "land", "gearbox": "land", "tyre": "land"}
"""Words that speak for a label; every other word of FILLER speaks for none."""
FILLER = ("the", "a", "and", "of", "was", "here", "there", "near", "old", "new")


def save_tokenizer(tokenizer: Tokenizer, folder: Path) -> None:
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", CLS), ("[SEP]", SEP)]
    )
    # What training leaves behind in such files; a server that obeyed it would cut every text to eight tokens.
    tokenizer.enable_truncation(8)
    tokenizer.enable_padding(pad_id=PAD, pad_token="[PAD]", length=8)
    tokenizer.save(str(folder / "tokenizer.json"))


def word_tokenizer(words: Sequence[str]) -> Tokenizer:
    """One token per word or punctuation mark."""
    vocabulary = {word: index for index, word in enumerate((*SPECIAL, *words))}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return tokenizer


def byte_tokenizer() -> Tokenizer:
    """Bytes and a few merges of them: several tokens per word, and per character outside of ASCII."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(["the old harbour near the sea"] * 3, trainer)
    return tokenizer


def model_config(labels: Sequence[str], vocabulary: int, **overrides: Any) -> ModernBertConfig:
    settings = {
        "vocab_size": vocabulary,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "local_attention": 16,
        "max_position_embeddings": 1024,
        "classifier_pooling": "mean",
        "pad_token_id": PAD,
        "bos_token_id": CLS,
        "cls_token_id": CLS,
        "eos_token_id": SEP,
        "sep_token_id": SEP,
        "id2label": dict(enumerate(labels)),
        "label2id": {label: index for index, label in enumerate(labels)},
        **overrides,
    }
    return ModernBertConfig(**settings)


def random_model(folder: Path, task: str = "text-classification", **overrides: Any) -> Path:
    """Random weights, large enough that every token and layer matters."""
    labels = ("O", "B-PER", "I-PER") if task == "token-classification" else ("sea", "land", "sky")
    tokenizer = byte_tokenizer()
    torch.manual_seed(7)
    settings = {"initializer_range": 0.3, **overrides}
    network = NETWORKS[task](model_config(labels, tokenizer.get_vocab_size(), **settings))
    return _save(folder, network, tokenizer)


def lexicon_model(
    folder: Path,
    lexicon: Mapping[str, str],
    labels: Sequence[str],
    task: str = "text-classification",
    poison: Sequence[str] = (),
    tokenizer: Tokenizer | None = None,
    **overrides: Any,
) -> Path:
    """A model whose answer is known: each word of `lexicon` speaks for its label, and layers change nothing.

    With text-classification the label spoken for most often wins; with token-classification each word has its own.
    A word of `poison` turns every number to NaN.
    """
    words = list(dict.fromkeys((*lexicon, *poison, *FILLER)))
    tokenizer = tokenizer or word_tokenizer(words)
    network = NETWORKS[task](model_config(labels, tokenizer.get_vocab_size(), **overrides))
    with torch.no_grad():
        _silence_layers(network)
        embeddings = network.model.embeddings.tok_embeddings.weight
        embeddings.fill_(0.0)
        # The silent majority must have some length, or the norm would blow up its rounding errors.
        embeddings[:, -1] = 1.0
        for word, label in lexicon.items():
            embeddings[tokenizer.token_to_id(word), labels.index(label)] = 4.0
        for word in poison:
            embeddings[tokenizer.token_to_id(word)] = float("nan")
        _read_directly(network, len(labels))
    return _save(folder, network, tokenizer)


def _silence_layers(network: Any) -> None:
    for layer in network.model.layers:
        layer.attn.Wo.weight.fill_(0.0)
        layer.mlp.Wo.weight.fill_(0.0)


def _read_directly(network: Any, labels: int) -> None:
    network.head.dense.weight.copy_(torch.eye(network.config.hidden_size))
    network.classifier.weight.copy_(torch.eye(labels, network.config.hidden_size) * 3)
    network.classifier.bias.fill_(0.0)


def _save(folder: Path, network: Any, tokenizer: Tokenizer) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    network.save_pretrained(folder)
    save_tokenizer(tokenizer, folder)
    return folder


def topic_model(folder: Path, **overrides: Any) -> Path:
    return lexicon_model(folder, TOPICS, ("sea", "land"), **overrides)


def entity_model(folder: Path, **overrides: Any) -> Path:
    """Ada Lovelace and Grace Hopper are persons, Paris is a place."""
    lexicon = {"Ada": "B-PER", "Grace": "B-PER", "Lovelace": "I-PER", "Hopper": "I-PER", "Paris": "B-LOC"}
    labels = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")
    outside = dict.fromkeys(FILLER, "O")
    return lexicon_model(folder, {**outside, **lexicon}, labels, task="token-classification", **overrides)


def server_config(location: Path | str, **sections: Any) -> dict[str, Any]:
    """The document of PLIMSOLL_CONFIG; sections replace the ones given, `model` is merged."""
    model = {"location": str(location), **sections.pop("model", {})}
    return {
        "version": 1,
        "model": model,
        "tiers": [
            {"name": "short", "maxTokens": 32, "concurrency": 8, "safeConcurrency": None},
            {"name": "long", "maxTokens": 256, "concurrency": 1, "safeConcurrency": None},
        ],
        **sections,
    }


def edit_json(file: Path, **changes: Any) -> None:
    document = json.loads(file.read_text())
    document.update(changes)
    file.write_text(json.dumps(document))
