"""Checks of a model's folder before anything heavy is loaded: each thing that can be wrong has its own message."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plimsoll_server.models.errors import ModelError


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
    _require_safetensors(path)
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
        raise ModelError(f"{file.parent} has no config.json; point the model location at the model's folder") from error
    except (OSError, ValueError) as error:
        raise ModelError(f"{file} cannot be read as JSON: {error}") from error
    if not isinstance(config, dict):
        raise ModelError(f"{file} holds a {type(config).__name__}, expected the model's configuration as an object")
    return config


def _require_safetensors(path: Path) -> None:
    if any(path.glob("*.safetensors")):
        return
    pickles = sorted(entry.name for pattern in ("*.bin", "*.pt", "*.pth") for entry in path.glob(pattern))
    found = f"found {', '.join(pickles)}, which can run code when loaded" if pickles else "found no weights at all"
    raise ModelError(
        f"{path} has no *.safetensors: {found}; save the weights with model.save_pretrained(..., "
        "safe_serialization=True)"
    )
