"""What a command prints for scripts: `-o json`, one document on standard output."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Annotated, Any

import typer


class Format(StrEnum):
    text = "text"
    json = "json"


Output = Annotated[Format, typer.Option("--output", "-o", help="text for people, json for scripts.")]


def show_json(document: Any) -> None:
    typer.echo(json.dumps(document, indent=2, ensure_ascii=False))
