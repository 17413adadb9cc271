"""How the hidden states of a sequence become one, and where a model's folder says so."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from plimsoll_server.models.errors import ModelError
from plimsoll_server.models.json_files import read_json
from plimsoll_server.models.outputs import Spans
from plimsoll_server.types import Embedding, Output

Pooling = Literal["mean", "cls"]

_MODES: dict[str, Pooling] = {"cls": "cls", "mean": "mean"}
_SERVED_MODULES = ("Transformer", "Pooling", "Normalize")


def pooled(hidden: Tensor, spans: Spans, pooling: Pooling) -> Tensor:
    """Hidden states (total, width) to (sequences, width). Means are taken in float32, whatever the states are in."""
    if pooling == "cls":
        return hidden[[start for start, _ in spans]]
    return torch.stack([hidden[start:end].mean(dim=0, dtype=torch.float32) for start, end in spans]).to(hidden.dtype)


def embeddings(hidden: Tensor, spans: Spans, pooling: Pooling) -> list[Output]:
    return [Embedding(tuple(row)) for row in pooled(hidden, spans, pooling).float().tolist()]


def pooling_of(folder: Path, task: str, config: Any) -> Pooling:
    """Of the model in `folder`. For embeddings what sentence-transformers saved with it counts most, then the model's
    own configuration, then the mean; classifiers were trained on the first token unless their configuration says
    otherwise. Raises ModelError for what cannot be served."""
    own: Pooling | None = getattr(config, "classifier_pooling", None)
    if task != "feature-extraction":
        return own or "cls"
    _refuse_further_modules(folder / "modules.json")
    return _saved_pooling(folder / "1_Pooling" / "config.json") or own or "mean"


def _saved_pooling(file: Path) -> Pooling | None:
    if not file.is_file():
        return None
    saved = read_json(file, dict[str, Any])
    modes = _chosen(saved)
    if len(modes) != 1 or modes[0] not in _MODES:
        raise ModelError(
            f"{file} pools by {' and '.join(modes) or 'nothing'}, but this server pools by cls or by mean; "
            "serve a model that was trained with one of them"
        )
    return _MODES[modes[0]]


def _chosen(saved: dict[str, Any]) -> list[str]:
    """By one name, or as older releases write it, by a switch for each mode."""
    if isinstance(named := saved.get("pooling_mode"), str):
        return [named]
    switched = (name.removeprefix("pooling_mode_") for name, on in saved.items() if on is True)
    short = {"cls_token": "cls", "mean_tokens": "mean"}
    return [short.get(name, name) for name in switched if name != "include_prompt"]


def _refuse_further_modules(file: Path) -> None:
    """A projection after the pooling would be left out, and every embedding would be wrong."""
    if not file.is_file():
        return
    listed = read_json(file, list[dict[str, Any]])
    kinds = [str(module.get("type", "")).rsplit(".", 1)[-1] for module in listed]
    if further := [kind for kind in kinds if kind not in _SERVED_MODULES]:
        raise ModelError(
            f"{file} has {', '.join(further)} after the pooling, which this server does not run; "
            f"serve a model of {', '.join(_SERVED_MODULES)} only"
        )
