"""`plimsoll-server train` and `docstrings`. What needs torch is imported when a command runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from plimsoll_server.train.demo.corpus import standard_library
from plimsoll_server.train.docstrings import write_docstrings
from plimsoll_server.train.errors import TrainingError, told_errors
from plimsoll_server.train.progress import Reporter


def train(
    config: Annotated[Path, typer.Argument(metavar="CONFIG.toml", help="What docs/training.md describes.")],
    output: Annotated[Path, typer.Argument(metavar="OUTPUT_DIR", help="Its model, checkpoints and board.")],
) -> None:
    """Train a model of any family of the project's own, or go on where it was stopped. Prints the model's path last."""
    with told_errors():
        _check_libraries()
        from plimsoll_server.train.record import summary
        from plimsoll_server.train.run import train as run

        record = run(config, output, Reporter(Console(stderr=True)))
        typer.echo(summary(record))
    typer.echo(output / "model")


def docstrings(
    output: Annotated[Path, typer.Argument(metavar="OUTPUT_DIR", help="A new folder.")],
    library: Annotated[
        Path | None,
        typer.Option(help="The sources of a Python, to read in the place of this one's.", show_default=False),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of what is held out.")] = 0,
) -> None:
    """Write this machine's own Python documentation as a data set to train on: training.jsonl and held-out.jsonl."""
    with told_errors():
        if output.exists():
            raise TrainingError(f"expected {output} to be a new folder, and something is there; name another")
        training, held_out = write_docstrings(output, library or standard_library(), seed)
    typer.echo(f"{training:,} rows to learn from, {held_out:,} held out of other modules")


def _check_libraries() -> None:
    try:
        import datasets  # noqa: F401
        import tensorboard  # noqa: F401
    except ImportError as error:
        raise TrainingError(
            f"expected the libraries that training needs, found no {error.name}; install plimsoll-server[train]"
        ) from error
