"""The whole training, from the standard library to a folder."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers.utils import logging as transformers_logging

from plimsoll_server.models.pack import Pack
from plimsoll_server.models.scaled import ScaledForSequenceClassification
from plimsoll_server.train.demo.repeatable import repeatable
from plimsoll_server.train.demo.tokenizer import save_tokenizer
from plimsoll_server.train.errors import TrainingError
from plimsoll_server.train.folder import published
from plimsoll_server.train.progress import Reporter
from plimsoll_server.train.scaled import optimised_loop
from plimsoll_server.train.scaled.examples import Example, groups
from plimsoll_server.train.scaled.loops import build, finite
from plimsoll_server.train.scaled.material import Material, read_material
from plimsoll_server.train.scaled.recipe import ScaledRecipe
from plimsoll_server.train.scaled.record import FILE, ScaledRecord, model_card

_READ_AT_ONCE = 64


def train_scaled(output: Path, library: Path, recipe: ScaledRecipe, reporter: Reporter) -> ScaledRecord:
    """Read, train, examine, and only then put the folder in its place. Raises TrainingError."""
    with published(output) as folder, repeatable(recipe.seed):
        torch.set_num_threads(recipe.threads)
        material = read_material(library, recipe)
        reporter.say(f"{len(material.training):,} examples to learn from, {len(material.held_out):,} held out")
        network, losses = _train(material, recipe, reporter)
        record = ScaledRecord(
            recipe=recipe,
            library=library.name,
            examples=len(material.training),
            held_out=len(material.held_out),
            epoch_losses=losses,
            accuracy=_accuracy(network, material.held_out),
            majority_share=_majority_share(material.held_out),
        )
        _check_learnt(record)
        _save(folder, network, material, record)
    return record


def _train(
    material: Material, recipe: ScaledRecipe, reporter: Reporter
) -> tuple[ScaledForSequenceClassification, tuple[float, ...]]:
    network, loop = build(recipe.loop, recipe, material.labels)
    steps_per_epoch = len(list(groups(material.training, recipe, 0)))
    means: list[float] = []
    with reporter.work("Training", recipe.epochs * steps_per_epoch) as advance:
        for epoch in range(recipe.epochs):
            losses: list[float] = []
            for group in groups(material.training, recipe, epoch):
                losses.append(finite(loop.step(group), epoch * steps_per_epoch + len(losses) + 1, recipe))
                advance(f"(loss {losses[-1]:.2f})")
            means.append(statistics.fmean(losses))
    network.train(mode=False)
    return network, tuple(means)


@torch.inference_mode()
def _accuracy(network: ScaledForSequenceClassification, examples: Sequence[Example]) -> float:
    network.config._attn_implementation = optimised_loop.ATTENTION  # noqa: SLF001  the way transformers names it
    right = 0
    for start in range(0, len(examples), _READ_AT_ONCE):
        part = examples[start : start + _READ_AT_ONCE]
        logits = network.read(Pack([example.tokens for example in part], torch.device("cpu")))
        right += int((logits.argmax(-1) == torch.tensor([example.label for example in part])).sum())
    return right / len(examples)


def _majority_share(examples: Sequence[Example]) -> float:
    [(_, most)] = Counter(example.label for example in examples).most_common(1)
    return most / len(examples)


def _check_learnt(record: ScaledRecord) -> None:
    if record.margin < record.recipe.least_margin:
        raise TrainingError(
            f"expected a held-out accuracy at least {record.recipe.least_margin:.0%} above the "
            f"{record.majority_share:.1%} of always giving the most frequent topic, found {record.accuracy:.1%}; "
            "nothing was saved. Train for more epochs, or on more examples"
        )


def _save(folder: Path, network: Any, material: Material, record: ScaledRecord) -> None:
    chatter: Any = transformers_logging
    chatter.disable_progress_bar()
    try:
        network.save_pretrained(folder)
        save_tokenizer(material.tokenizer, folder, record.recipe.window)
        (folder / "README.md").write_text(model_card(record, material.labels), encoding="utf-8")
        (folder / FILE).write_text(record.model_dump_json(indent=2) + "\n", encoding="utf-8")
        for file in folder.iterdir():
            # safetensors keeps its file to its owner; a pod runs as somebody else.
            file.chmod(0o644)
    except (OSError, SafetensorError) as error:
        raise TrainingError(
            f"expected to write the model beside its place in {folder.parent}, but: {error}; nothing was changed"
        ) from error
