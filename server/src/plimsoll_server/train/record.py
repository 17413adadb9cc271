"""What a trained model says of its own training: `plimsoll-training.json`, and the card made from it."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from plimsoll_server.train.config import TrainingConfig
from plimsoll_server.train.errors import TrainingError

FILE = "plimsoll-training.json"


class TrainingRecord(BaseModel):
    """Nothing in it differs between two runs of one configuration."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    config: TrainingConfig
    processes: int
    weights: int
    """How many numbers the network has."""
    step: int
    """Of the checkpoint that was saved: the one with the least loss on the held-out rows."""
    held_out: int
    held_out_loss: float
    accuracy: float
    """Of the held-out rows."""
    majority_share: float
    """What always giving the most frequent label would get right."""

    @property
    def margin(self) -> float:
        return self.accuracy - self.majority_share


def read_record(model: Path) -> TrainingRecord:
    """Raises TrainingError on a folder that `plimsoll-server train` did not make."""
    try:
        return TrainingRecord.model_validate_json((model / FILE).read_bytes())
    except (OSError, ValidationError) as error:
        raise TrainingError(
            f"expected a model of `plimsoll-server train` in {model}, but its {FILE} cannot be read: {error}; name "
            "another folder"
        ) from error


def summary(record: TrainingRecord) -> str:
    """What a person wants to read after the training."""
    return (
        f"held-out accuracy {record.accuracy:.1%} of {record.held_out:,} rows (always the most frequent label: "
        f"{record.majority_share:.1%}), loss {record.held_out_loss:.3f}, from step {record.step:,} of "
        f"{record.config.schedule.steps:,}"
    )


def model_card(record: TrainingRecord) -> str:
    """Markdown with the hub's metadata."""
    config, data, optimiser = record.config, record.config.data, record.config.optimiser
    shape = ", ".join(f"{name} {value:,}" for name, value in config.model.shape.model_dump().items())
    return f"""---
pipeline_tag: text-classification
tags: [{config.model.family}]
---

# A model of the family `{config.model.family}`

It tells {", ".join(data.labels[:-1])} and {data.labels[-1]} apart: {record.weights:,} weights ({shape}).
`plimsoll-server train` trained it from random weights.

## Training

Data set `{data.source}`{f" at revision {data.revision}" if data.revision else ""}: column `{data.text}`, labels in
`{data.label}`. {config.schedule.steps:,} steps of {optimiser.accumulation} batches of {optimiser.batch} rows in each of
{record.processes} processes, learning rate {optimiser.learning_rate:g}, seed {config.seed}, autocast
{config.precision.autocast}. The whole configuration is in `{FILE}`.

## Measured

On {record.held_out:,} held-out rows: accuracy {record.accuracy:.1%}, loss {record.held_out_loss:.3f};
always the most frequent label {record.majority_share:.1%}. The weights are those of step {record.step:,}, where the
loss on the same rows was least, so on other rows expect a little less.

## Limits

Text unlike the rows that it learnt from gets one of the {len(data.labels)} labels too. Not for decisions about people.
"""
