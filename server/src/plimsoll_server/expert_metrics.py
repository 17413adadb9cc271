"""What the server tells of a mixture of experts. `layer` and `expert` are numbers from 0, as many as the model has.

How evenly experts are used, a layer's busiest over its mean:
max by (layer) (rate(plimsoll_expert_tokens_total[5m])) / avg by (layer) (rate(plimsoll_expert_tokens_total[5m]))
"""

from __future__ import annotations

from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter

from plimsoll_server.types import ExpertUse


class ExpertMetrics:
    """Series appear with the first batch: a server whose model has no experts has none of theirs."""

    def __init__(self, registry: CollectorRegistry, names: Sequence[str], values: Sequence[str]) -> None:
        """`names` and `values`: of the labels that every series carries."""
        self._values = tuple(values)
        common = tuple(names)
        self._given = Counter(
            "plimsoll_expert_tokens",
            "Tokens given to each expert",
            (*common, "layer", "expert"),
            registry=registry,
        )
        self._routed = Counter(
            "plimsoll_routed_tokens",
            "Tokens that went through each layer of experts",
            (*common, "layer"),
            registry=registry,
        )
        self._entropy = Counter(
            "plimsoll_routing_entropy_nats",
            "Entropy of the router's probabilities, summed over those tokens; the logarithm of the number of experts "
            "for each is a router that does not choose",
            (*common, "layer"),
            registry=registry,
        )
        self._buffers = Counter(
            "plimsoll_expert_buffers",
            "Places for the rows that experts read and write, by where they came from: allocated, or reused from the "
            "layer before",
            (*common, "source"),
            registry=registry,
        )

    def used(self, use: ExpertUse) -> None:
        for layer, (given, routed, entropy) in enumerate(zip(use.given, use.routed, use.entropy, strict=True)):
            for expert, tokens in enumerate(given):
                self._given.labels(*self._values, str(layer), str(expert)).inc(tokens)
            self._routed.labels(*self._values, str(layer)).inc(routed)
            self._entropy.labels(*self._values, str(layer)).inc(entropy)
        self._buffers.labels(*self._values, "allocated").inc(use.buffers_allocated)
        self._buffers.labels(*self._values, "reused").inc(use.buffers_reused)
