"""What a saved model says of its own training: `scaled-training.json`, and the card made from it."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from plimsoll_server.train.scaled.recipe import ScaledRecipe

FILE = "scaled-training.json"


class ScaledRecord(BaseModel):
    """Nothing in it differs between two runs of one recipe."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    recipe: ScaledRecipe
    library: str
    examples: int
    held_out: int
    epoch_losses: tuple[float, ...]
    """The mean over each epoch's steps."""
    accuracy: float
    """Of the held-out examples."""
    majority_share: float
    """What always giving the most frequent topic would get right."""

    @property
    def margin(self) -> float:
        return self.accuracy - self.majority_share


def summary(record: ScaledRecord) -> str:
    """What a person wants to read after the training."""
    return (
        f"held-out accuracy {record.accuracy:.1%} of {record.held_out:,} docstrings from modules that it never saw "
        f"(always the most frequent topic: {record.majority_share:.1%}); loss {record.epoch_losses[0]:.3f} in the "
        f"first epoch, {record.epoch_losses[-1]:.3f} in the last, {record.examples:,} examples"
    )


def model_card(record: ScaledRecord, labels: tuple[str, ...]) -> str:
    recipe = record.recipe
    return f"""---
language: en
pipeline_tag: text-classification
tags: [scaled]
---

# Topics of the Python standard library's docstrings

A small encoder of the family `scaled` ({recipe.layers} layers, width {recipe.width}, {recipe.heads} heads, feed-forward
{recipe.feed_forward:,}, {recipe.vocabulary:,} tokens, window {recipe.window}) that tells {", ".join(labels[:-1])} and
{labels[-1]} apart. `plimsoll-server train` trained it from random weights on the docstrings of `{record.library}`:
{record.examples:,} windows, {recipe.epochs} epochs, batches of {recipe.batch}, gradients of {recipe.accumulation}
batches added up, learning rate {recipe.learning_rate:g}.

Measured on {record.held_out:,} windows of held-out modules: accuracy {record.accuracy:.1%}; always the most frequent
topic {record.majority_share:.1%}.

English technical prose of one style, and little of it. Not for decisions about people.
"""
