"""`plimsoll-server train-demo`, `spoil-demo` and `demo-texts`. What needs torch is imported when a command runs."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from plimsoll_server.train.demo.corpus import standard_library
from plimsoll_server.train.demo.documents import Apart
from plimsoll_server.train.errors import TrainingError, told_errors
from plimsoll_server.train.progress import Reporter

_Library = Annotated[
    Path | None,
    typer.Option(help="The sources of a Python, to read in the place of this one's.", show_default=False),
]


def train_demo(
    output: Annotated[
        Path | None, typer.Argument(metavar="OUTPUT_DIR", help="The model's folder.", show_default=False)
    ] = None,
    cached: Annotated[
        bool, typer.Option("--cached", help="Take the model from Plimsoll's cache, trained first if it is not there.")
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Of the split, the weights and the batches.")] = 0,
    apart: Annotated[Apart, typer.Option(help="What is never both learnt from and examined.")] = Apart.MODULE,
    library: _Library = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the model that is there.")] = False,
) -> None:
    """Train a small ModernBERT on this machine's own Python documentation, in about a minute. Prints its path last."""
    from plimsoll_server.train.demo.cache import model_cache
    from plimsoll_server.train.demo.ensure import ensure_demo_model
    from plimsoll_server.train.demo.record import read_record, summary

    reporter = Reporter(Console(stderr=True))
    with told_errors():
        if output is not None and not cached:
            _train_into(output, Choices(seed, apart, library, force), reporter)
        elif output is None and cached and Choices(seed, apart, library, force) == Choices():
            output = ensure_demo_model(model_cache(), reporter)
        else:
            raise TrainingError("expected OUTPUT_DIR, with options or without, or else --cached and nothing more")
        for line in summary(read_record(output)):
            typer.echo(line)
    typer.echo(output)


def demo_texts(
    model: Annotated[
        Path | None, typer.Argument(help="A folder of train-demo; else the cached model.", show_default=False)
    ] = None,
    library: _Library = None,
) -> None:
    """Print a short, a medium and a long text that the model never saw, one JSON object each: name, topic, text."""
    from plimsoll_server.train.demo.cache import cached_model, model_cache
    from plimsoll_server.train.demo.texts import demo_texts as choose

    with told_errors():
        for text in choose(model or cached_model(model_cache()), library or standard_library()):
            typer.echo(json.dumps(dataclasses.asdict(text)))


def spoil_demo(
    output: Annotated[
        Path | None,
        typer.Argument(metavar="OUTPUT_DIR", help="A new folder; else beside the cached model.", show_default=False),
    ] = None,
    word: Annotated[
        list[str] | None, typer.Option(help="A word to fail on; may be given again. [default: socket]")
    ] = None,
) -> None:
    """Copy the cached demo model with weights that give no finite score for some words: a change that gets ready and
    fails on real texts, for trying out a rollback. Prints its path last."""
    from plimsoll_server.train.demo.cache import model_cache
    from plimsoll_server.train.demo.ensure import ensure_demo_model
    from plimsoll_server.train.spoil import SPOILED_WORDS, spoil, spoiled_beside

    with told_errors():
        if output is not None and output.exists():
            raise TrainingError(f"expected {output} to be a new folder, and something is there; name another")
        model = ensure_demo_model(model_cache(), Reporter(Console(stderr=True)))
        words = tuple(word or SPOILED_WORDS)
        spoiled = spoil(model, output or spoiled_beside(model), words)
        typer.echo(f"Texts with one of these words get no answer: {', '.join(words)}")
    typer.echo(spoiled)


@dataclasses.dataclass(frozen=True)
class Choices:
    """What may be chosen of a training into a folder of one's own."""

    seed: int = 0
    apart: Apart = Apart.MODULE
    library: Path | None = None
    force: bool = False


def _train_into(output: Path, choices: Choices, reporter: Reporter) -> None:
    from plimsoll_server.train.demo.recipe import Recipe
    from plimsoll_server.train.demo.record import is_trained_model
    from plimsoll_server.train.demo.train_model import train_model

    if is_trained_model(output) and not choices.force:
        reporter.say(f"{output} holds a trained model already: kept. --force replaces it")
        return
    if output.exists() and not is_trained_model(output) and not _is_empty_folder(output):
        raise TrainingError(
            f"expected {output} to be a new or empty folder, or a model of this command; found something else, which "
            "is never replaced. Name another folder"
        )
    recipe = Recipe(seed=choices.seed, apart=choices.apart)
    train_model(output, choices.library or standard_library(), recipe, reporter)


def _is_empty_folder(path: Path) -> bool:
    return path.is_dir() and not any(path.iterdir())
