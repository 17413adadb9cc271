"""The load-balancing loss: what it is of a routing, and that experts stay used by it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from plimsoll_server.models.experts import Router, Routing
from plimsoll_server.train.balance import BalanceLoss, imbalance
from plimsoll_server.train.data import Example
from plimsoll_server.train.families import build_network
from plimsoll_server.train.loop import Loop, read
from plimsoll_server.train.processes import Processes
from training_builders import LABELS, tiny_config

CPU = torch.device("cpu")
EXPERTS = 4


def routing(experts: list[list[int]], probabilities: list[list[float]]) -> Routing:
    chosen = torch.tensor(experts)
    return Routing(chosen, torch.ones(chosen.shape) / 2, torch.tensor(probabilities))


def test_even_use_is_one_and_the_same_two_experts_for_all_are_told() -> None:
    even = routing([[0, 1], [2, 3]], [[0.25] * 4] * 2)
    crowded = routing([[0, 1], [0, 1]], [[0.5, 0.5, 0, 0]] * 2)

    assert imbalance(even).item() == pytest.approx(1)
    assert imbalance(crowded).item() == pytest.approx(2)


def test_padding_does_not_count() -> None:
    text = routing([[0, 1], [2, 3]], [[0.25] * 4] * 2)
    with_padding = routing([[0, 1], [0, 1], [2, 3], [0, 1]], [[0.25] * 4, [1, 0, 0, 0], [0.25] * 4, [1, 0, 0, 0]])

    assert imbalance(with_padding, torch.tensor([[1, 0], [1, 0]])).item() == imbalance(text).item()
    assert imbalance(with_padding).item() > 1.1


def rows(count: int, seed: int) -> list[Example]:
    draw = torch.Generator().manual_seed(seed)
    labels = torch.randint(3, (count,), generator=draw).tolist()
    # Words of one label are tokens of one third of the vocabulary.
    return [
        Example((torch.randint(4, 44, (10,), generator=draw) + 40 * label).tolist(), label, number, 0)
        for number, label in enumerate(labels)
    ]


def crowded_training(folder: Path, balance: float) -> list[list[float]]:
    """The shares of each layer's experts after a training whose routers had begun with two favourites."""
    changes: dict[str, dict[str, Any]] = {
        "model": {"family": "moe", "balance": balance},
        "model.shape": {"num_experts": EXPERTS, "num_hidden_layers": 2},
        "schedule": {"steps": 120},
    }
    config = tiny_config(folder, changes)
    torch.manual_seed(0)
    network = build_network(config.model, 128, LABELS)
    for layer in network.layers:
        with torch.no_grad():
            # What every normalised row has in common, and the first two experts answer to.
            layer.feed_forward_norm.bias.fill_(1.0)
            layer.router.weight[:2] += 0.05
    loop = Loop(network, config, Processes(CPU))
    for number in range(1, 121):
        loop.step(number, [rows(16, number)])
    return shares(network)


def shares(network: torch.nn.Module) -> list[list[float]]:
    found: list[list[float]] = []
    hooks = [
        router.register_forward_hook(
            lambda _m, _i, out: found.append(
                (torch.bincount(out.experts.flatten(), minlength=EXPERTS) / out.experts.numel()).tolist()
            )
        )
        for router in network.modules()
        if isinstance(router, Router)
    ]
    with torch.no_grad():
        read(network, rows(200, 0), CPU, packed=True)
    for hook in hooks:
        hook.remove()
    return found


def test_experts_that_a_crowd_had_left_are_used_again_and_without_the_loss_are_not(tmp_path: Path) -> None:
    balanced, left_alone = (crowded_training(tmp_path / str(weight), weight) for weight in (0.1, 0.0))

    assert min(min(layer) for layer in balanced) > 0.5 / EXPERTS
    assert min(min(layer) for layer in left_alone) < 0.2 / EXPERTS


def test_the_loss_is_the_mean_over_the_layers_and_gradients_of_it_reach_every_router(tmp_path: Path) -> None:
    config = tiny_config(tmp_path, {"model": {"family": "moe"}, "model.shape": {"num_experts": EXPERTS}})
    network = build_network(config.model, 128, LABELS)
    loss = BalanceLoss(network, 0.5)

    _, mask = read(network, rows(8, 1), CPU, packed=True)
    added = loss(mask)
    added.backward()  # type: ignore[no-untyped-call]

    assert 0.5 <= added.item() < 1
    assert all(layer.router.weight.grad.abs().sum() > 0 for layer in network.layers)
    assert network.layers[1].experts.down.grad is None


def test_experts_are_chosen_in_full_precision_whatever_else_is_computed_in() -> None:
    router = Router(32, EXPERTS, 2)
    torch.nn.init.normal_(router.weight)
    tokens = torch.randn(50, 32)
    with torch.autocast("cpu", torch.bfloat16):
        found = router(tokens)

    assert torch.equal(found.probabilities, router(tokens).probabilities)
