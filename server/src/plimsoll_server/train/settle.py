"""The end of a training of the family bayesian: the distribution of the last layer's weights, and a temperature."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from plimsoll_server.models.bayesian import noise_of
from plimsoll_server.train.data import Example
from plimsoll_server.train.posterior import fit_posterior, read

_EVERY = 2
"""Of the held-out rows, those that prior and temperature are chosen by; the others are as new as before."""


@torch.no_grad()
def settle(network: Any, learnt: Sequence[Example], held_out: Sequence[Example]) -> None:
    """Changes the network's spread and its configuration."""
    known, new = (
        read(network, [one.tokens for one in rows], [one.label for one in rows])
        for rows in (learnt, held_out[::_EVERY])
    )
    found = fit_posterior(known, new, noise_of(network.config, torch.device("cpu")))
    network.spread.copy_(found.spread)
    network.config.temperature = found.temperature
