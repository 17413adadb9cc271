"""The whole training, from the standard library to a folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tokenizers import Tokenizer
from transformers import ModernBertForSequenceClassification

from plimsoll_server.train.demo.batches import batches, topic_streams
from plimsoll_server.train.demo.corpus import Module, read_corpus
from plimsoll_server.train.demo.documents import Split, documents, joined_documents, split
from plimsoll_server.train.demo.examine import Examiner
from plimsoll_server.train.demo.loop import train
from plimsoll_server.train.demo.network import build_network
from plimsoll_server.train.demo.recipe import Recipe
from plimsoll_server.train.demo.record import TrainingRecord
from plimsoll_server.train.demo.repeatable import repeatable
from plimsoll_server.train.demo.results import Result, Results
from plimsoll_server.train.demo.save import save
from plimsoll_server.train.demo.tokenizer import train_tokenizer
from plimsoll_server.train.errors import TrainingError
from plimsoll_server.train.folder import published
from plimsoll_server.train.progress import Reporter


def train_model(output: Path, library: Path, recipe: Recipe, reporter: Reporter) -> TrainingRecord:
    """Read, split, train, examine, and only then put the folder in its place. Raises TrainingError."""
    with published(output) as folder, repeatable(recipe.seed):
        modules = read_corpus(library)
        labels = sorted({module.topic for module in modules})
        sides = split(modules, recipe.apart, recipe.seed)
        reporter.say(_plan(library, sides))
        tokenizer = train_tokenizer(
            (text for module in sides.training for text in module.docstrings), recipe.vocabulary
        )
        network = _train_network(sides.training, tokenizer, labels, recipe, reporter)
        examiner = Examiner(network, tokenizer, window=recipe.window, overlap=recipe.overlap)
        results = _examine(examiner, sides.held_out, recipe, reporter)
        _check_learnt(results.short, recipe)
        record = _record(library, sides, recipe, labels, results)
        save(folder, network, tokenizer, record, recipe)
    return record


def _plan(library: Path, sides: Split) -> str:
    learn, hold = (sum(module.characters for module in side) for side in (sides.training, sides.held_out))
    return (
        f"Docstrings of {library}: {len(sides.training)} modules to learn from ({learn:,} characters), "
        f"{len(sides.held_out)} held out ({hold:,})"
    )


def _train_network(
    modules: Sequence[Module], tokenizer: Tokenizer, labels: Sequence[str], recipe: Recipe, reporter: Reporter
) -> ModernBertForSequenceClassification:
    network = build_network(recipe, labels)
    streams = topic_streams(modules, tokenizer, labels)
    with reporter.work("Training", recipe.steps) as advance:
        train(network, batches(streams, recipe), recipe, lambda loss: advance(f"(loss {loss:.2f})"))
    return network


def _examine(examiner: Examiner, held_out: Sequence[Module], recipe: Recipe, reporter: Reporter) -> Results:
    short = documents(held_out, recipe.document_characters)
    long = documents(held_out, recipe.long_document_characters)
    chunked = joined_documents(held_out, recipe.joined_document_characters)
    if not (short and long and chunked):
        raise TrainingError(
            f"expected held-out text for documents of up to {recipe.joined_document_characters:,} characters, found "
            f"too little in {len(held_out)} modules. Train with another --seed, or on another Python's --library"
        )
    with reporter.work("Examining", len(short) + len(long) + len(chunked)) as advance:
        return Results(*(examiner.examine(kind, lambda: advance("")) for kind in (short, long, chunked)))


def _check_learnt(result: Result, recipe: Recipe) -> None:
    if result.margin < recipe.least_margin:
        raise TrainingError(
            f"expected a held-out accuracy at least {recipe.least_margin:.0%} above the {result.majority_share:.1%} of "
            f"always answering {result.majority_topic}, found {result.accuracy:.1%}; nothing was saved. Train with "
            "another --seed, or on another Python's --library"
        )


def _record(library: Path, sides: Split, recipe: Recipe, labels: Sequence[str], results: Results) -> TrainingRecord:
    return TrainingRecord(
        library=library.name,
        seed=recipe.seed,
        apart=recipe.apart,
        labels=tuple(labels),
        training_modules=tuple(module.name for module in sides.training),
        held_out_modules=tuple(module.name for module in sides.held_out),
        results=results,
    )
