"""The standard library's docstrings as a data set: a text and its module's topic in each row."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from plimsoll_server.train.demo.corpus import Module, read_corpus
from plimsoll_server.train.demo.documents import Apart, split
from plimsoll_server.train.folder import published


def write_docstrings(output: Path, library: Path, seed: int) -> tuple[int, int]:
    """`training.jsonl` and, of other modules, `held-out.jsonl` in the folder `output`. Returns how many rows each has.
    Raises TrainingError where there is too little to learn from."""
    sides = split(read_corpus(library), Apart.MODULE, seed)
    with published(output) as folder:
        training, held_out = (
            _write(folder / f"{name}.jsonl", modules)
            for name, modules in (("training", sides.training), ("held-out", sides.held_out))
        )
    return training, held_out


def _write(file: Path, modules: Iterable[Module]) -> int:
    rows = [{"text": text, "label": module.topic} for module in modules for text in module.docstrings]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    file.chmod(0o644)
    return len(rows)
