"""Three real texts to send to the model: of modules that it never saw, and chosen without asking it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tokenizers import Tokenizer

from plimsoll_server.train.demo.corpus import Module, read_corpus
from plimsoll_server.train.demo.documents import Document, documents, joined_documents
from plimsoll_server.train.demo.record import read_record
from plimsoll_server.train.errors import TrainingError


@dataclass(frozen=True)
class DemoText:
    name: str
    topic: str
    tokens: int
    """Special ones included."""
    text: str


@dataclass(frozen=True)
class _Wanted:
    least: int
    most: int
    """Both in tokens; the text nearest to their mean is taken."""
    sources: tuple[Callable[[Sequence[Module]], list[Document]], ...]
    """Asked in order, until one has a text of that length."""


def _whole(modules: Sequence[Module]) -> list[Document]:
    return [Document(module.name, module.topic, "\n\n".join(module.docstrings)) for module in modules]


_LONG = _Wanted(3_000, 7_000, (_whole, lambda modules: joined_documents(modules, 14_000)))
_MEDIUM = _Wanted(300, 900, (lambda modules: documents(modules, 1_800),))
_SHORT = _Wanted(60, 190, (lambda modules: documents(modules, 400),))


def demo_texts(model: Path, library: Path) -> list[DemoText]:
    """A short, a medium, and one longer than the window, each of another topic. Raises TrainingError."""
    held_out = set(read_record(model).held_out_modules)
    tokenizer: Tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
    modules = [module for module in read_corpus(library) if module.name in held_out]
    chosen: list[DemoText] = []
    # The long one first: there are fewest of them.
    for wanted in (_LONG, _MEDIUM, _SHORT):
        told = {text.topic for text in chosen}
        text = _choose(wanted, [module for module in modules if module.topic not in told], tokenizer)
        if text is None:
            raise TrainingError(
                f"expected a text of {wanted.least:,} to {wanted.most:,} tokens among the modules that {model} never "
                f"saw, found none in {library}; name the --library that it was trained on"
            )
        chosen.append(text)
    return chosen[::-1]


def _choose(wanted: _Wanted, modules: Sequence[Module], tokenizer: Tokenizer) -> DemoText | None:
    for source in wanted.sources:
        texts = [
            DemoText(one.name, one.topic, len(tokenizer.encode(one.text).ids), one.text) for one in source(modules)
        ]
        fitting = [text for text in texts if wanted.least <= text.tokens <= wanted.most]
        if fitting:
            return min(fitting, key=lambda text: (abs(2 * text.tokens - wanted.least - wanted.most), text.name))
    return None
