"""What a command prints for scripts: `-o json`, one document on standard output."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Annotated, Any

import typer

from plimsoll_operator.cli.errors import CliError, WrongInputError
from plimsoll_operator.cluster.errors import KubeError


class Format(StrEnum):
    text = "text"
    json = "json"


Output = Annotated[Format, typer.Option("--output", "-o", help="text for people, json for scripts.")]


def show_json(document: Any) -> None:
    typer.echo(json.dumps(document, indent=2, ensure_ascii=False))


@contextmanager
def told_if_it_fails(output: Format) -> Iterator[None]:
    """Around what comes before a command's own document, so that a script finds one there where nothing was found.

    Of a wrong option or file there is none: nothing was asked.
    """
    try:
        yield
    except WrongInputError:
        raise
    except (CliError, KubeError) as error:
        if output is Format.json:
            show_json({"error": str(error)})
        raise
