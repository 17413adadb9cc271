"""GET /info: what is served and within which limits. All that text-embeddings-inference tells, and more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict

from plimsoll_server.api.documentation import tells
from plimsoll_server.api.error_shapes import TEXT_EMBEDDINGS
from plimsoll_server.api.inputs import MAX_INPUTS
from plimsoll_server.api.json_bounds import MAX_TOKENS
from plimsoll_server.api.load_line import EXAMPLE, LoadLineInfo, load_line
from plimsoll_server.api.state import SchedulerOf, ServiceOf
from plimsoll_server.scheduler.lanes import Lane
from plimsoll_server.scheduler.long_input import MAX_SEQUENCES
from plimsoll_server.scheduler.packs import most_tokens
from plimsoll_server.types import ModelInfo

router = APIRouter(tags=["text-embeddings-inference"])

_MODEL_TYPES: Mapping[str, str] = {
    "text-classification": "classifier",
    "token-classification": "token_classifier",
    "feature-extraction": "embedding",
}
"""By the task, as text-embeddings-inference names them."""
_OTHERS: Mapping[str, str] = {"token-classification": "Union", "feature-extraction": "Mean"}
"""How chunks become one answer where there is but one way."""


_EXAMPLE = {
    "model_id": "/models/domains",
    "model_sha": None,
    "model_dtype": "bfloat16",
    "model_type": {"classifier": {"id2label": {"0": "sea", "1": "land"}, "label2id": {"sea": 0, "land": 1}}},
    "max_concurrent_requests": 160,
    "max_input_length": 8192,
    "max_batch_tokens": 16384,
    "max_batch_requests": 32,
    "max_client_batch_size": 256,
    "auto_truncate": False,
    "tokenization_workers": 2,
    "version": "0.1.0",
    "sha": None,
    "docker_label": None,
    "model_name": "domains",
    "model_verified_by": "SHA256SUMS",
    "family": "modernbert",
    "task": "text-classification",
    "attention": "flash",
    "device": "cuda",
    "window": 32768,
    "width": 768,
    "layers": 22,
    "pooling": "mean",
    "packing": "packed",
    "labels": ["sea", "land"],
    "tiers": [{"name": "short", "max_tokens": 512, "concurrency": 32, "running_limit": 32}],
    "long_input": {"policy": "Auto", "chunk_tokens": 8192, "overlap_tokens": 1024, "aggregation": "Mean"},
    "request_limits": {
        "inputs": 256,
        "sequences": 1024,
        "token_ids": 1048576,
        "text_bytes": 1048576,
        "entities": 262144,
    },
    "load_line": EXAMPLE,
    "devices": 1,
    "start_seconds": {"fetch": 0.01, "verify": 0.8, "import": 4.1, "load": 2.2, "self_test": 0.3, "calibrate": 1.5},
}


class TierInfo(BaseModel):
    name: str
    max_tokens: int
    concurrency: int
    running_limit: int
    """Sequences that may run at once: the configured concurrency, or the load line where that is lower."""


class LongInputInfo(BaseModel):
    policy: str
    chunk_tokens: int
    overlap_tokens: int
    aggregation: str


class RequestLimits(BaseModel):
    """Of one request, whichever protocol."""

    inputs: int
    sequences: int
    """Inputs, and the chunks of long ones."""
    token_ids: int
    text_bytes: int
    """Of each text; what this server's memory allows beside all answers that it may remember, if that is less than what
    is set."""
    entities: int
    """In all answers together; what this server's memory allows in the same way, if that is less than 262,144."""


class Info(BaseModel):
    """Those up to docker_label are text-embeddings-inference's. What it counts in requests are single inputs."""

    model_config = ConfigDict(protected_namespaces=())

    model_id: str
    model_sha: str | None
    model_dtype: str
    model_type: dict[str, dict[str, Any]]
    max_concurrent_requests: int
    """Inputs, or chunks of long ones, that may run or wait at once in all tiers; of long ones fewer."""
    max_input_length: int
    max_batch_tokens: int
    """As the load line is now."""
    max_batch_requests: int | None
    max_client_batch_size: int
    auto_truncate: bool
    """Whether the policy for long input is Truncate: else nothing is cut unless a request allows it."""
    tokenization_workers: int
    version: str
    sha: str | None
    """Nobody tells of which commit the server was built, nor of which image: both are null."""
    docker_label: str | None
    model_name: str
    model_verified_by: str | None
    """What the model's files were compared with at the start: hub, SHA256SUMS, or nothing."""
    family: str
    task: str
    attention: str
    device: str
    window: int
    width: int
    layers: int
    pooling: str
    packing: str
    labels: list[str]
    tiers: list[TierInfo]
    long_input: LongInputInfo
    request_limits: RequestLimits
    load_line: LoadLineInfo
    devices: int
    """That serve now; of several in a pod, one that is being replaced is left out."""
    start_seconds: dict[str, float]
    """How long each phase of the start took."""


@router.get("/info", response_model=Info, responses=tells(_EXAMPLE, TEXT_EMBEDDINGS))
async def info(service: ServiceOf, scheduler: SchedulerOf) -> JSONResponse:
    model, long_input = scheduler.info, service.config.long_input
    content = {
        "model_id": model.location,
        "model_sha": model.revision,
        "model_dtype": model.dtype,
        "model_type": _model_type(model),
        "max_input_length": scheduler.longest_pass,
        **_bounds(scheduler.lanes),
        "max_client_batch_size": MAX_INPUTS,
        "auto_truncate": long_input.policy == "Truncate",
        "tokenization_workers": scheduler.tokenisation_workers,
        "version": version("plimsoll-server"),
        "sha": None,
        "docker_label": None,
        "model_name": service.model_name,
        "model_verified_by": model.verified_by or None,
        "family": model.family,
        "task": model.task,
        "attention": model.attention,
        "device": model.device,
        "window": model.window,
        "width": model.width,
        "layers": model.layers,
        "pooling": model.pooling,
        "packing": model.packing,
        "labels": model.labels,
        "tiers": [
            {
                "name": tier.name,
                "max_tokens": tier.max_tokens,
                "concurrency": tier.concurrency,
                "running_limit": tier.running_limit,
            }
            for tier in scheduler.tiers
        ],
        "request_limits": {
            "inputs": MAX_INPUTS,
            "sequences": MAX_SEQUENCES,
            "token_ids": MAX_TOKENS,
            "text_bytes": scheduler.longest_text,
            "entities": scheduler.most_entities,
        },
        "load_line": load_line(service),
        "devices": service.engine.devices if service.engine else 0,
        "start_seconds": {phase: round(seconds, 3) for phase, seconds in service.phases.seconds.items()},
        "long_input": {
            "policy": long_input.policy,
            "chunk_tokens": long_input.chunk_tokens,
            "overlap_tokens": long_input.overlap_tokens,
            "aggregation": long_input.aggregation if model.task == "text-classification" else _OTHERS[model.task],
        },
    }
    return JSONResponse(content)


def _bounds(lanes: Sequence[Lane]) -> dict[str, int]:
    return {
        "max_concurrent_requests": sum(lane.capacity for lane in lanes),
        "max_batch_tokens": most_tokens(lanes),
        "max_batch_requests": max((lane.batch_limit for lane in lanes), default=0),
    }


def _model_type(model: ModelInfo) -> dict[str, Any]:
    if model.task == "feature-extraction":
        return {_MODEL_TYPES[model.task]: {"pooling": model.pooling}}
    ids = {
        "id2label": {str(index): label for index, label in enumerate(model.labels)},
        "label2id": {label: index for index, label in enumerate(model.labels)},
    }
    return {_MODEL_TYPES[model.task]: ids}
