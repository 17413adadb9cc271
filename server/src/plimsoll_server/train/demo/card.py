"""The model card."""

from __future__ import annotations

from plimsoll_server.train.demo.documents import Apart
from plimsoll_server.train.demo.recipe import Recipe
from plimsoll_server.train.demo.record import TrainingRecord
from plimsoll_server.train.demo.results import Result

_UNSEEN = {
    Apart.MODULE: "No module is on both sides; modules of one package may be (`asyncio.tasks`, `asyncio.futures`).",
    Apart.PACKAGE: "No package is on both sides.",
}


def model_card(record: TrainingRecord, recipe: Recipe) -> str:
    """Markdown with the hub's metadata, every number from `record` or `recipe`."""
    learnt, held_out = len(record.training_modules), len(record.held_out_modules)
    return f"""---
language: en
library_name: transformers
pipeline_tag: text-classification
tags: [modernbert]
---

# Topics of the Python standard library's documentation

A small ModernBERT ({recipe.layers} layers, width {recipe.hidden}, window {recipe.window:,} tokens) that tells
{", ".join(record.labels[:-1])} and {record.labels[-1]} apart. `plimsoll-server train-demo` trained it from random
weights within minutes, so that a demonstration has a real model to serve.

## Data

The docstrings of the standard library in `{record.library}`, read from its sources: {learnt} modules to learn from, and
{held_out} held out by a hash of their names and seed {record.seed}, about a quarter of each topic's text. The topic of
a module is that of its row in a table. A docstring that stands in several modules counts once.
{_UNSEEN[record.apart]}

## Measured on the held-out modules

| documents | number | tokens, mean | accuracy | always the most frequent topic |
|---|---|---|---|---|
{_row("a run of neighbouring docstrings", record.results.short)}
{_row("a longer run", record.results.long)}
{_row("a topic's modules, joined", record.results.chunked)}

A document ends with the docstring that completes {recipe.document_characters:,}, {recipe.long_document_characters:,} or
{recipe.joined_document_characters:,} characters. A text longer than the window is cut into chunks that overlap by
{recipe.overlap} tokens, and their probabilities are averaged.

## Limits

English technical prose of one style, and little of it. Other text gets one of the {len(record.labels)} answers too.
Not for decisions about people.
"""


def _row(kind: str, result: Result) -> str:
    return (
        f"| {kind} | {result.documents} | {result.mean_tokens:,} | {result.accuracy:.1%} "
        f"| {result.majority_share:.1%} ({result.majority_topic}) |"
    )
