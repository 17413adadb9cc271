"""What a training is told: a TOML file, read once into frozen types. Needs no torch."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from plimsoll_server.train.errors import TrainingError

LOCAL_SOURCES = ("json", "parquet")
"""Of files on this machine; every other source is a data set's name on the hub."""

Names = Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(strict=False)]
Count = Annotated[int, Field(ge=1)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class EncoderShape(_Section):
    """In the words of the model's config.json; lengths are in tokens."""

    hidden_size: Annotated[int, Field(ge=8)] = 512
    num_attention_heads: Count = 4
    num_hidden_layers: Count = 4
    intermediate_size: Annotated[int, Field(ge=8)] = 1024
    max_position_embeddings: Annotated[int, Field(ge=16)] = 128

    @model_validator(mode="after")
    def _heads_divide_the_width(self) -> Self:
        if self.hidden_size % self.num_attention_heads:
            raise ValueError(
                f"hidden_size {self.hidden_size} is not a multiple of num_attention_heads {self.num_attention_heads}; "
                "choose one that is"
            )
        return self


class MoeShape(EncoderShape):
    max_position_embeddings: Annotated[int, Field(ge=16)] = 512
    num_experts: Annotated[int, Field(ge=2)] = 8
    num_experts_per_tok: Count = 2

    @model_validator(mode="after")
    def _chosen_are_there(self) -> Self:
        if self.num_experts_per_tok > self.num_experts:
            raise ValueError(
                f"num_experts_per_tok {self.num_experts_per_tok} is more than num_experts {self.num_experts}; "
                "choose no more than there are"
            )
        return self


class BayesianShape(EncoderShape):
    max_position_embeddings: Annotated[int, Field(ge=16)] = 512
    num_samples: Annotated[int, Field(ge=2, le=256)] = 32
    """Of the last layer's weights, when it is served."""


class _Model(_Section):
    vocabulary: Annotated[int, Field(ge=64, le=65_536)] = 2048
    """Tokens, special ones included; the tokenizer is made from the first rows."""
    tokenizer_rows: Count = 20_000
    """So many of them."""


class ScaledModel(_Model):
    family: Literal["scaled"]
    shape: EncoderShape = EncoderShape()


class MoeModel(_Model):
    family: Literal["moe"]
    shape: MoeShape = MoeShape()
    balance: Annotated[float, Field(ge=0)] = 0.01
    """The load-balancing loss is added times this; 0.01 is what its authors found best."""


class BayesianModel(_Model):
    family: Literal["bayesian"]
    shape: BayesianShape = BayesianShape()
    posterior_rows: Count = 4096
    """The first of those to learn from, by which the covariance of the last layer's weights is measured at the end."""


AnyModel = ScaledModel | MoeModel | BayesianModel
ModelSection = Annotated[AnyModel, Field(discriminator="family")]


class Side(_Section):
    """Rows to learn from, or held out."""

    split: str = "train"
    files: Names = ()
    """Of a local source relative to the configuration file; of the hub within the data set, where empty means all."""


class DataSection(_Section):
    source: Annotated[str, Field(min_length=1)]
    """json, parquet, or the name of a data set on the hub."""
    configuration: str = ""
    revision: str = ""
    """Both as the hub names them; empty: the data set's own default."""
    text: str = "text"
    label: str = "label"
    """The columns."""
    labels: Annotated[Names, Field(min_length=2)]
    """The labels' names. A row names its label, or gives the place in this list from 0 on."""
    shuffle_rows: Count = 4096
    """Rows held in memory and shuffled at a time; 1: the order of the data set."""
    held_out_rows: Count = 2000
    """Read at most, each time that the model is examined."""
    training: Side
    held_out: Side

    @model_validator(mode="after")
    def _can_be_read(self) -> Self:
        if len(set(self.labels)) < len(self.labels):
            raise ValueError(f"labels {', '.join(self.labels)}: one is there twice; name each once")
        for name, side in (("training", self.training), ("held_out", self.held_out)):
            if self.source in LOCAL_SOURCES and not side.files:
                raise ValueError(f'{name}.files is empty; write for example files = ["{name}.jsonl"]')
        return self


class OptimiserSection(_Section):
    batch: Count = 16
    """Rows of each process."""
    accumulation: Count = 8
    """Batches whose gradients are added up before the weights change."""
    learning_rate: Annotated[float, Field(gt=0)] = 1e-4
    """The highest."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    largest_gradient_norm: Annotated[float, Field(gt=0)] = 1.0


class ScheduleSection(_Section):
    steps: Count
    """Changes of the weights. The rows are read again and again until then."""
    warm_up: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """The share of the steps in which the learning rate rises in a line; afterwards it falls as a half cosine."""


class PrecisionSection(_Section):
    device: Literal["auto", "cpu", "cuda"] = "auto"
    autocast: Literal["none", "bfloat16"] = "none"
    recompute_every: Annotated[int, Field(ge=0)] = 0
    """Of every so many layers one keeps nothing for the backward pass and runs twice; 0: none does."""


class CheckpointsSection(_Section):
    every: Count = 100
    """Steps."""
    keep: Count = 3
    """The last so many, and the best."""


class BoardSection(_Section):
    every: Count = 10
    """Steps between scalars."""
    details_every: Count = 100
    """Steps between histograms and entropies."""


class TrainingConfig(_Section):
    seed: Annotated[int, Field(ge=0)] = 0
    threads: Count = 1
    """The order of a sum depends on how many there are: the same number gives the same weights again."""
    least_margin: Annotated[float, Field(ge=0, le=1)] = 0.10
    """Held-out accuracy above the most frequent label's share; a model below has not learnt and is not saved."""
    model: ModelSection
    data: DataSection
    optimiser: OptimiserSection = OptimiserSection()
    schedule: ScheduleSection
    precision: PrecisionSection = PrecisionSection()
    checkpoints: CheckpointsSection = CheckpointsSection()
    board: BoardSection = BoardSection()


_EXAMPLES = {
    "model": 'a section [model] with family = "scaled"',
    "data": 'a section [data] with source = "json"',
    "data.source": 'source = "json"',
    "data.labels": 'labels = ["negative", "positive"]',
    "data.training": 'training = {files = ["training.jsonl"]}',
    "data.held_out": 'held_out = {files = ["held-out.jsonl"]}',
    "schedule": "a section [schedule] with steps = 1000",
    "schedule.steps": "steps = 1000",
}


def read_config(file: Path) -> TrainingConfig:
    """Raises TrainingError that names each wrong field and what to write."""
    try:
        return TrainingConfig.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))
    except ValidationError as error:
        reason = "; ".join(_complaint(item["type"], item["loc"], item["msg"]) for item in error.errors())
    except (OSError, ValueError) as error:
        reason = str(error)
    raise TrainingError(f"expected a configuration in TOML in {file}, found: {reason}")


def _complaint(kind: str, location: tuple[int | str, ...], message: str) -> str:
    # The second part of a place in the model's section is its family, which nobody wrote there.
    parts = location[:1] + location[2:] if location[0] == "model" else location
    place = ".".join(map(str, parts))
    if kind == "missing":
        return f"{place} is missing; write {_EXAMPLES[place]}"
    if kind == "union_tag_not_found":
        return 'model.family is missing; write family = "scaled"'
    if kind == "extra_forbidden":
        return f"{place} is no setting; docs/training.md has them all"
    return f"{place}: {message.removeprefix('Value error, ')}"
