"""GET /info: what is served and within which limits. A superset of text-embeddings-inference's answer."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from fastapi import APIRouter

from plimsoll_server.api.state import SchedulerOf, ServiceOf
from plimsoll_server.scheduler.lanes import MAX_BATCH
from plimsoll_server.types import ModelInfo

router = APIRouter(tags=["info"])


@router.get("/info")
async def info(service: ServiceOf, scheduler: SchedulerOf) -> dict[str, Any]:
    model, long_input = scheduler.info, service.config.long_input
    return {
        "model_id": model.location,
        "model_sha": model.revision,
        "model_dtype": model.dtype,
        "model_type": _model_type(model),
        "max_input_length": scheduler.longest_pass,
        "max_client_batch_size": MAX_BATCH,
        "version": version("plimsoll-server"),
        "family": model.family,
        "task": model.task,
        "attention": model.attention,
        "device": model.device,
        "window": model.window,
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
        "long_input": {
            "policy": long_input.policy,
            "chunk_tokens": long_input.chunk_tokens,
            "overlap_tokens": long_input.overlap_tokens,
            "aggregation": long_input.aggregation if model.task == "text-classification" else "Union",
        },
    }


def _model_type(model: ModelInfo) -> dict[str, Any]:
    ids = {
        "id2label": {str(index): label for index, label in enumerate(model.labels)},
        "label2id": {label: index for index, label in enumerate(model.labels)},
    }
    return {"classifier" if model.task == "text-classification" else "token_classifier": ids}
