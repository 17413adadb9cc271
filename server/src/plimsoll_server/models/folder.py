"""Checks of a model's folder before anything heavy is loaded: each thing that can be wrong has its own message."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from pathlib import Path

from plimsoll_server.models.configuration import Configuration, read_configuration
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
    config = read_configuration(path)
    _refuse_quantised(path, config)
    _refuse_other_weights(path, config)
    _check_sizes(path, config, inspect_weights(path))
    if not (path / "tokenizer.json").is_file():
        raise ModelError(
            f"{path} has no tokenizer.json; save the model's fast tokenizer next to its weights "
            "(AutoTokenizer.from_pretrained(...).save_pretrained(...))"
        )
    return ModelFolder(path, config.model_type, config.architectures[0] if config.architectures else None)


def _refuse_quantised(folder: Path, config: Configuration) -> None:
    quantised = config.quantization_config
    if quantised is not None:
        method = quantised.get("quant_method", "some method") if isinstance(quantised, dict) else "some method"
        raise ModelError(
            f"the weights in {folder} are quantised by {method}, which this server does not run; serve "
            "the model as it was before that"
        )


def _refuse_other_weights(folder: Path, config: Configuration) -> None:
    """Transformers would load them in the place of those that were compared with their checksums."""
    if config.transformers_weights is not None:
        raise ModelError(
            f"{folder}/config.json names weights of its own by transformers_weights; take that out, and name the "
            "weights model.safetensors"
        )


def _check_sizes(folder: Path, config: Configuration, dimensions: Set[int]) -> None:
    """A network of other sizes would be allocated before anybody saw that it does not fit its weights."""
    unfit = [
        f"{name} is {size}, which is no tensor's size" for name, size in config.sizes.items() if size not in dimensions
    ]
    largest = max(dimensions, default=0)
    unfit += [
        f"{name} is {count}, and no tensor has so many" for name, count in config.counts.items() if count > largest
    ]
    if unfit:
        raise ModelError(
            f"the weights in {folder} do not fit its config.json ({unfit[0]}); save model and configuration together"
        )
