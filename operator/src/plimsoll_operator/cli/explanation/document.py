"""The story as one JSON document, for scripts: numbers as numbers, times as the API writes them."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

from plimsoll_operator.cli.explanation.story import Story
from plimsoll_operator.conditions import timestamp


def document_of(story: Story) -> dict[str, Any]:
    """`trial` is null where nothing was compared."""
    document = asdict(story)
    del document["compared"]  # The same in words, which `trial` has in figures.
    return {_camel(name): _rendered(value) for name, value in document.items()}


def _rendered(value: Any) -> Any:
    match value:
        case dict():
            return {_camel(key): _rendered(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_rendered(inner) for inner in value]
        case datetime():
            return timestamp(value)
        case _:
            return value


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.title() for word in others)
