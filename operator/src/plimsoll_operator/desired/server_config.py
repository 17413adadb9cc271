"""The server's configuration: one versioned JSON document in the pod's environment."""

from __future__ import annotations

from typing import Any

from plimsoll_operator.load_line import LoadLine
from plimsoll_operator.spec import Spec

VERSION = 1


def server_config(spec: Spec, load_line: LoadLine | None) -> dict[str, Any]:
    """The document for `spec`. A tier's `safeConcurrency` is null when no line could be planned."""
    granted = {line.tier: line.granted for line in load_line.tiers} if load_line else {}
    return {
        "version": VERSION,
        "model": {
            "location": spec.model.source.location,
            "family": spec.model.family,
            "task": spec.model.task,
            "dtype": spec.model.dtype,
            "attention": spec.model.attention,
        },
        "tiers": [
            {
                "name": tier.name,
                "maxTokens": tier.max_tokens,
                "concurrency": tier.concurrency,
                "safeConcurrency": granted.get(tier.name),
            }
            for tier in spec.tiers
        ],
        "longInput": {
            "policy": spec.long_input.policy,
            "chunkTokens": spec.long_input.chunk_tokens,
            "overlapTokens": spec.long_input.overlap_tokens,
            "aggregation": _aggregation(spec),
        },
        "memoryUtilizationPercent": spec.server.memory_utilization_percent,
    }


def _aggregation(spec: Spec) -> str:
    """Spans can only be united: the default of the other tasks means nothing for them."""
    return "Union" if spec.model.task == "token-classification" else spec.long_input.aggregation
