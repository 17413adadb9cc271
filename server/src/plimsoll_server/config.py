"""The document in PLIMSOLL_CONFIG: what to serve, in which tiers, and what happens to long input.

The operator writes it; its shape is versioned and unknown fields are refused, so that a newer operator is never
half-understood by an older server.
"""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator, model_validator
from pydantic.alias_generators import to_camel

from plimsoll_server.errors import StartError
from plimsoll_server.types import NO_TIER

VERSION = 1

MIN_LARGEST_TIER = 16
"""Tokens: less would leave no room for a chunk between its special tokens."""

Task = Literal["text-classification", "token-classification", "feature-extraction"]
Dtype = Literal["auto", "bfloat16", "float16", "float32"]
Attention = Literal["auto", "flash", "sdpa", "eager"]
Policy = Literal["Auto", "Native", "Chunk", "Reject", "Truncate"]
Aggregation = Literal["Mean", "Max", "Union"]


class ConfigError(StartError):
    """The configuration cannot be used. The message says where and what to write."""


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, strict=True)


class ModelConfig(_Document):
    location: Annotated[str, StringConstraints(min_length=1, max_length=1024)]
    family: str = "modernbert"
    task: Task = "text-classification"
    dtype: Dtype = "auto"
    attention: Attention = "auto"


class TierConfig(_Document):
    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]
    max_tokens: Annotated[int, Field(ge=1, le=1_048_576)]
    concurrency: Annotated[int, Field(ge=1, le=4096)] = 1
    safe_concurrency: Annotated[int, Field(ge=0)] | None = None

    @field_validator("name")
    @classmethod
    def _is_not_no_tier(cls, name: str) -> str:
        if name == NO_TIER:
            raise ValueError(
                f"on metrics {NO_TIER} stands for requests that ended before their tier was known; write another name"
            )
        return name


class LongInputConfig(_Document):
    policy: Policy = "Auto"
    chunk_tokens: Annotated[int, Field(ge=16, le=8192)] = 8192
    overlap_tokens: Annotated[int, Field(ge=0)] = 1024
    aggregation: Aggregation = "Mean"

    @model_validator(mode="after")
    def _overlap_is_half_at_most(self) -> Self:
        if 2 * self.overlap_tokens > self.chunk_tokens:
            raise ValueError(
                f"overlapTokens ({self.overlap_tokens}) must be at most half of chunkTokens ({self.chunk_tokens}); "
                "10 to 20 percent of a chunk is usual"
            )
        return self


class ServerConfig(_Document):
    version: Literal[1]
    model: ModelConfig
    tiers: Annotated[tuple[TierConfig, ...], Field(min_length=1, max_length=8)]
    long_input: LongInputConfig = LongInputConfig()
    memory_utilization_percent: Annotated[int, Field(ge=1, le=100)] = 85

    @model_validator(mode="after")
    def _tiers_ascend(self) -> Self:
        if len({tier.name for tier in self.tiers}) < len(self.tiers):
            raise ValueError("tiers: every tier needs a name of its own")
        for lower, upper in pairwise(self.tiers):
            if lower.max_tokens >= upper.max_tokens:
                raise ValueError(
                    f"tiers: maxTokens must ascend, but {lower.name} has {lower.max_tokens} "
                    f"and {upper.name} after it has {upper.max_tokens}"
                )
        return self

    @model_validator(mode="after")
    def _some_tier_runs(self) -> Self:
        runnable = [tier.max_tokens for tier in self.tiers if tier.safe_concurrency != 0]
        if runnable and max(runnable) < MIN_LARGEST_TIER:
            raise ValueError(
                f"tiers: the largest that can run has maxTokens {max(runnable)}; write {MIN_LARGEST_TIER} or more"
            )
        if not runnable:
            raise ValueError(
                "tiers: the load line allows no tier at all (every safeConcurrency is 0); "
                "lower maxTokens, or choose a GPU profile with more memory"
            )
        return self

    @model_validator(mode="after")
    def _aggregation_fits_the_task(self) -> Self:
        if self.model.task == "text-classification" and self.long_input.aggregation == "Union":
            raise ValueError(
                "longInput.aggregation: Union merges the spans of token-classification; "
                "for text-classification write Mean or Max"
            )
        return self


def parse_config(text: str) -> ServerConfig:
    """The configuration in `text`, or a ConfigError naming the field and what to write."""
    try:
        document = json.loads(text)
    except ValueError as error:
        raise ConfigError(f"PLIMSOLL_CONFIG is not JSON: {error}. Write one JSON document.") from error
    if not isinstance(document, dict):
        raise ConfigError(f"PLIMSOLL_CONFIG holds a {type(document).__name__}; write one JSON object.")
    version = document.get("version")
    if version != VERSION or isinstance(version, bool):
        raise ConfigError(
            f"PLIMSOLL_CONFIG has version {version!r}; this server reads version {VERSION}. "
            "Run the server image that belongs to this operator."
        )
    try:
        return ServerConfig.model_validate_json(text)
    except ValidationError as error:
        raise ConfigError("PLIMSOLL_CONFIG: " + "; ".join(_complaints(error))) from error


def _complaints(error: ValidationError) -> list[str]:
    return [_complaint(".".join(map(str, item["loc"])), item["type"], item["msg"]) for item in error.errors()]


def _complaint(place: str, kind: str, message: str) -> str:
    if kind == "extra_forbidden":
        return f"{place}: unknown field; remove it, or run the server image that belongs to this operator"
    message = message.removeprefix("Value error, ")
    return f"{place}: {message}" if place else message
