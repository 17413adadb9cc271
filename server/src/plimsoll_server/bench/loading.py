"""What every suite does with a model's folder, and with what is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from plimsoll_server.errors import StartError

if TYPE_CHECKING:
    from plimsoll_server.models.family import Model

Document = Mapping[str, Any]
"""Figures with where they come from, as JSON has them."""


def loaded(folder: Path, task: str = "text-classification") -> Model:
    """As it is served on this machine, by all of its processors. Raises StartError, or ValueError for another task."""
    from plimsoll_server.config import ModelConfig
    from plimsoll_server.engine.cpus import usable_cpus
    from plimsoll_server.engine.device import choose_placement
    from plimsoll_server.engine.threads import start_threads
    from plimsoll_server.models.configuration import read_configuration
    from plimsoll_server.models.load import load_model

    family = read_configuration(folder).model_type
    wanted = ModelConfig.model_validate({"location": str(folder.resolve()), "family": family, "task": task})
    start_threads(usable_cpus())
    return load_model(wanted, choose_placement(wanted))


def rows_of(file: Path) -> list[dict[str, Any]]:
    """Of JSON Lines, each with a text. Raises ValueError."""
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    if not rows or not all(isinstance(row, dict) and isinstance(row.get("text"), str) for row in rows):
        raise ValueError(f"{file.name}: expected one JSON object with a `text` on each line")
    return rows


@contextmanager
def told_errors() -> Iterator[None]:
    """Within a command: one sentence and exit code 1 for what the user can do something about."""
    try:
        yield
    except (StartError, OSError, ValueError, KeyError) as error:
        typer.echo(f"plimsoll-server: {error}", err=True)
        raise typer.Exit(1) from error


def write_report(
    folder: Path, name: str, document: Document, page: str, draw: Callable[[Document, Path], None]
) -> None:
    """The figures as NAME.json, the page as NAME.md and the picture as NAME.png; prints the page, and where it is."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(document, indent=1) + "\n")
    (folder / f"{name}.md").write_text(page)
    draw(document, folder / f"{name}.png")
    typer.echo(page)
    typer.echo(folder / f"{name}.json")


def tell(text: str) -> None:
    """How far it is, beside the figures."""
    typer.echo(text, err=True)
