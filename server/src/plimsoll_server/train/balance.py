"""The loss that keeps experts in use, and how even their use is."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn

from plimsoll_server.models.experts import Router, Routing


class BalanceLoss:
    """Watches every router of a network. Called after a forward pass, it gives the mean over the layers, times
    `weight`."""

    def __init__(self, network: nn.Module, weight: float) -> None:
        self._weight = weight
        # By name: a layer that is run again for the backward pass takes its own place.
        self._routings: dict[str, Routing] = {}
        for name, module in network.named_modules():
            if isinstance(module, Router):
                module.register_forward_hook(partial(self._keep, name))

    def __call__(self, mask: Tensor | None) -> Tensor:
        return self._weight * torch.stack([imbalance(one, mask) for one in self._routings.values()]).mean()

    def _keep(self, name: str, router: nn.Module, rows: tuple[Tensor], routing: Routing) -> None:  # noqa: ARG002
        self._routings[name] = routing


def imbalance(routing: Routing, mask: Tensor | None = None) -> Tensor:
    """experts · Σ share of the choices · mean probability; 1 where experts are used alike, and more the less they are.

    Fedus et al. 2021, "Switch Transformers", equations 4 to 6, over all choices of a token. Where `mask` (rows, tokens)
    is 0 there is no text, and nothing counts.
    """
    chosen, probabilities = routing.experts, routing.probabilities
    if mask is not None:
        text = mask.flatten().bool()
        chosen, probabilities = chosen[text], probabilities[text]
    experts = probabilities.shape[1]
    shares = torch.bincount(chosen.flatten(), minlength=experts) / chosen.numel()
    return experts * (shares * probabilities.mean(0)).sum()
