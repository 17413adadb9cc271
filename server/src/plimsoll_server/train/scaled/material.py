"""What the loops learn from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tokenizers import Tokenizer

from plimsoll_server.train.demo.corpus import read_corpus
from plimsoll_server.train.demo.documents import Apart, split
from plimsoll_server.train.demo.tokenizer import train_tokenizer
from plimsoll_server.train.scaled.examples import Example, chosen, examples_of
from plimsoll_server.train.scaled.recipe import ScaledRecipe


@dataclass(frozen=True)
class Material:
    labels: tuple[str, ...]
    tokenizer: Tokenizer
    training: tuple[Example, ...]


def read_material(library: Path, recipe: ScaledRecipe) -> Material:
    """Raises TrainingError where there is too little to learn from."""
    modules = read_corpus(library)
    labels = sorted({module.topic for module in modules})
    sides = split(modules, Apart.MODULE, recipe.seed)
    tokenizer = train_tokenizer((text for module in sides.training for text in module.docstrings), recipe.vocabulary)
    training = chosen(examples_of(sides.training, tokenizer, labels, recipe.window), recipe)
    return Material(tuple(labels), tokenizer, tuple(training))
