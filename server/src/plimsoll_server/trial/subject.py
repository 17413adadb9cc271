"""The model that is tried: a folder, and the configuration with which the server is started on it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plimsoll_server.trial.errors import TrialError

_ARCHITECTURE = "ForSequenceClassification"


@dataclass(frozen=True, slots=True)
class Subject:
    folder: Path
    family: str
    window: int
    """In tokens; longer sequences are not tried."""
    vocabulary: int
    labels: int
    width: int
    layers: int
    feed_forward: int

    def config(self, most_at_once: int) -> dict[str, Any]:
        """The document of PLIMSOLL_CONFIG."""
        return {
            "version": 1,
            "model": {"location": str(self.folder), "family": self.family},
            "tiers": [{"name": "whole", "maxTokens": self.window, "concurrency": most_at_once}],
        }


def read_subject(folder: Path, most_tokens: int) -> Subject:
    """Raises TrialError on what is no folder of a text-classification model."""
    file = folder / "config.json"
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
        architecture = config["architectures"][0]
        if not architecture.endswith(_ARCHITECTURE):
            raise TrialError(f"expected a model for text-classification in {folder}, found {architecture}")
        if config.get("problem_type") == "regression":
            raise TrialError(f"expected a model that tells labels apart in {folder}, found one for regression")
        return Subject(
            folder=folder.absolute(),
            family=config["model_type"],
            window=min(most_tokens, config["max_position_embeddings"]),
            vocabulary=config["vocab_size"],
            labels=len(config["id2label"]),
            width=config["hidden_size"],
            layers=config["num_hidden_layers"],
            feed_forward=config["intermediate_size"],
        )
    except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
        raise TrialError(
            f"expected the folder of a model for text-classification, such as `plimsoll-server train` makes, in "
            f"{folder}; its config.json lacks or spoils something: {error!r}"
        ) from error
