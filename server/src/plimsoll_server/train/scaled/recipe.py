"""Every number of the comparison, as a TOML file may set it."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from plimsoll_server.train.errors import TrainingError

LoopName = Literal["plain", "optimised"]


class ScaledRecipe(BaseModel):
    """The defaults are the family's published shape and schedule. Lengths are in tokens."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    family: Literal["scaled"] = "scaled"
    seed: Annotated[int, Field(ge=0)] = 0
    threads: Annotated[int, Field(ge=1)] = 1
    """The order of a sum depends on how many there are: the same number gives the same weights again."""
    examples: Annotated[int, Field(ge=0)] = 0
    """To learn from, at most; 0: all there are."""

    vocabulary: Annotated[int, Field(ge=64, le=65_536)] = 2048
    width: Annotated[int, Field(ge=8)] = 512
    heads: Annotated[int, Field(ge=1)] = 4
    layers: Annotated[int, Field(ge=1)] = 4
    feed_forward: Annotated[int, Field(ge=8)] = 1024
    window: Annotated[int, Field(ge=16)] = 128

    batch: Annotated[int, Field(ge=1)] = 16
    accumulation: Annotated[int, Field(ge=1)] = 8
    """Batches whose gradients are added up before the weights change."""
    learning_rate: Annotated[float, Field(gt=0)] = 1e-4
    epochs: Annotated[int, Field(ge=1)] = 10
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    largest_gradient_norm: Annotated[float, Field(gt=0)] = 1.0

    @model_validator(mode="after")
    def _heads_divide_the_width(self) -> Self:
        if self.width % self.heads:
            raise ValueError(f"width {self.width} is not a multiple of heads {self.heads}; choose one that is")
        return self


def read_recipe(file: Path) -> ScaledRecipe:
    """Raises TrainingError that names the field and what is wrong with it."""
    try:
        return ScaledRecipe.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        reason = "; ".join(map(_complaint, error.errors())) if isinstance(error, ValidationError) else str(error)
        raise TrainingError(f"expected a recipe in TOML in {file}, found: {reason}") from error


def _complaint(item: object) -> str:
    assert isinstance(item, dict)
    place = ".".join(map(str, item["loc"]))
    message = str(item["msg"]).removeprefix("Value error, ")
    return f"{place}: {message}" if place else message
