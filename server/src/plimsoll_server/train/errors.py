"""What ends a training before it has a model to show."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer


class TrainingError(Exception):
    """The message says what was expected, what was found, and what to do."""


@contextmanager
def told_errors() -> Iterator[None]:
    """Within a command: a message and exit code 1 for what the user can do something about."""
    try:
        yield
    except (TrainingError, OSError) as error:
        typer.echo(f"plimsoll-server: {error}", err=True)
        raise typer.Exit(1) from error
