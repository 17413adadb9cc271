"""Checks of a model's folder before anything heavy is loaded: each thing that can be wrong has its own message."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plimsoll_server.models.errors import ModelError
from plimsoll_server.models.weights import inspect_weights


@dataclass(frozen=True, slots=True)
class ModelFolder:
    path: Path
    model_type: str
    architecture: str | None
    """The class that the weights were saved from, by the name that transformers gives it."""

    @property
    def tokenizer_file(self) -> Path:
        return self.path / "tokenizer.json"


def inspect_folder(path: Path) -> ModelFolder:
    """What `path` holds. Raises ModelError when it is not a complete model in safetensors."""
    config = _read_config(path / "config.json")
    _refuse_quantised(path, config)
    inspect_weights(path)
    if not (path / "tokenizer.json").is_file():
        raise ModelError(
            f"{path} has no tokenizer.json; save the model's fast tokenizer next to its weights "
            "(AutoTokenizer.from_pretrained(...).save_pretrained(...))"
        )
    architectures = config.get("architectures") or [None]
    return ModelFolder(path, str(config.get("model_type")), architectures[0])


def _read_config(file: Path) -> dict[str, Any]:
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ModelError(_no_config(file.parent)) from error
    except (OSError, ValueError) as error:
        raise ModelError(f"{file} cannot be read as JSON: {error}") from error
    if not isinstance(config, dict):
        raise ModelError(f"{file} holds a {type(config).__name__}, expected the model's configuration as an object")
    return config


def _no_config(folder: Path) -> str:
    below = sorted(file.parent.name for file in folder.glob("*/config.json"))[:5]
    if below:
        return f"{folder} has no config.json, but {', '.join(below)} in it has; point the model location there"
    return f"{folder} has no config.json; point the model location at the model's folder"


def _refuse_quantised(folder: Path, config: dict[str, Any]) -> None:
    quantised = config.get("quantization_config")
    if quantised is not None:
        method = quantised.get("quant_method", "some method") if isinstance(quantised, dict) else "some method"
        raise ModelError(
            f"the weights in {folder} are quantised by {method}, which this server does not run; serve "
            "the model as it was before that"
        )
