"""Small data sets and configurations, with which a training takes a second."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from plimsoll_server.train.config import TrainingConfig, read_config

LABELS = ("sea", "land", "sky")
WORDS = {
    "sea": ("tide", "wave", "keel", "harbour", "sail", "anchor", "reef", "current"),
    "land": ("hill", "road", "field", "forest", "stone", "valley", "bridge", "meadow"),
    "sky": ("cloud", "wind", "star", "moon", "storm", "rain", "comet", "dawn"),
}
ROWS = 90
TINY: Mapping[str, Mapping[str, Any]] = {
    "model": {"family": "scaled", "vocabulary": 128},
    "model.shape": {
        "hidden_size": 32,
        "num_attention_heads": 2,
        "num_hidden_layers": 2,
        "intermediate_size": 48,
        "max_position_embeddings": 32,
    },
    "data": {"source": "json", "labels": LABELS, "shuffle_rows": 32},
    "data.training": {"files": ["training.jsonl"]},
    "data.held_out": {"files": ["held-out.jsonl"]},
    "optimiser": {"batch": 4, "accumulation": 2, "learning_rate": 3e-3},
    "schedule": {"steps": 30},
    "checkpoints": {"every": 10},
    "board": {"every": 1, "details_every": 15},
}

Sections = Mapping[str, Mapping[str, Any]]


def made_up_rows(count: int = ROWS, seed: int = 0) -> list[dict[str, Any]]:
    """Each label has words of its own, among words that all have; a row's text says which row it is."""
    draw = random.Random(seed)
    rows = []
    for number in range(count):
        label = draw.choice(LABELS)
        words = [draw.choice(WORDS[label]) for _ in range(draw.randrange(2, 12))]
        rows.append({"text": " ".join(["the", *words, str(number)]), "label": label})
    return rows


def write_rows(file: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def write_config(folder: Path, changes: Sections | None = None, **top: Any) -> Path:
    """A configuration file beside its data; `changes` by section, where None takes a section or a setting out."""
    folder.mkdir(parents=True, exist_ok=True)
    write_rows(folder / "training.jsonl", made_up_rows())
    write_rows(folder / "held-out.jsonl", made_up_rows(30, seed=1))
    file = folder / "training.toml"
    file.write_text(
        toml({name: {**TINY.get(name, {}), **(changes or {}).get(name, {})} for name in _names(changes)}, top)
    )
    return file


def _names(changes: Sections | None) -> list[str]:
    return list({**TINY, **(changes or {})})


def toml(sections: Sections, top: Mapping[str, Any]) -> str:
    lines = [_setting(name, value) for name, value in top.items()]
    for name, settings in sections.items():
        lines += [f"[{name}]", *(_setting(key, value) for key, value in settings.items() if value is not None)]
    return "\n".join(lines) + "\n"


def tiny_config(folder: Path, changes: Sections | None = None, **top: Any) -> TrainingConfig:
    return read_config(write_config(folder, changes, **top))


def steps_of(output: Path) -> list[dict[str, Any]]:
    """What each step did."""
    return [json.loads(line) for line in (output / "steps.jsonl").read_text().splitlines()]


def _setting(name: str, value: Any) -> str:
    return f"{name} = {json.dumps(value)}"
