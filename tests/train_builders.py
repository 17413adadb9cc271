"""A small library of made-up documentation, on which a training takes a second."""

from __future__ import annotations

import io
import random
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console

from plimsoll_server.train.demo.corpus import LEAST_CHARACTERS_PER_TOPIC
from plimsoll_server.train.demo.recipe import Recipe
from plimsoll_server.train.demo.record import TrainingRecord
from plimsoll_server.train.demo.topics import TOPICS
from plimsoll_server.train.demo.train_model import train_model
from plimsoll_server.train.progress import Reporter

MODULES_PER_TOPIC = 8
DOCSTRINGS_PER_MODULE = 16
WORDS_PER_TOPIC = 40

TINY = Recipe(
    vocabulary=300,
    hidden=32,
    heads=2,
    layers=2,
    intermediate=32,
    window=256,
    overlap=32,
    steps=24,
    batch=1024,
    longest=64,
    document_characters=1_500,
    long_document_characters=3_000,
    joined_document_characters=6_000,
)


def made_up_library(folder: Path) -> Path:
    """Each topic's modules use words of their own, so that little training tells the topics apart."""
    folder.mkdir(parents=True, exist_ok=True)
    chance = random.Random(0)
    for names in TOPICS.values():
        words = [_word(chance) for _ in range(WORDS_PER_TOPIC)]
        for name in names[:MODULES_PER_TOPIC]:
            (folder / f"{name}.py").write_text("\n".join(_functions(words, chance)))
    return folder


def _functions(words: list[str], chance: random.Random) -> Iterator[str]:
    characters = 2 * LEAST_CHARACTERS_PER_TOPIC // MODULES_PER_TOPIC // DOCSTRINGS_PER_MODULE + 1
    for number in range(DOCSTRINGS_PER_MODULE):
        text = ""
        while len(text) <= characters:
            text += chance.choice(words) + " "
        yield f'def function{number}():\n    """{text}."""\n'


def _word(chance: random.Random) -> str:
    return "".join(chance.choice("bdfgklmnprst") + chance.choice("aeiou") for _ in range(3))


def quiet() -> Reporter:
    return Reporter(Console(file=io.StringIO()))


def train_tiny(folder: Path, library: Path, recipe: Recipe = TINY) -> TrainingRecord:
    return train_model(folder, library, recipe, quiet())
