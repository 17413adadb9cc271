"""A step of the training: what it does to the weights, and what it does not depend on."""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from plimsoll_server.train.config import TrainingConfig
from plimsoll_server.train.data import Example
from plimsoll_server.train.errors import TrainingError
from plimsoll_server.train.families import FAMILIES, build_network
from plimsoll_server.train.loop import Loop, padded, read
from plimsoll_server.train.processes import Processes
from plimsoll_server.train.recompute import recompute
from training_builders import LABELS, tiny_config

CPU = torch.device("cpu")
LENGTHS = (3, 17, 32, 5, 9, 30, 12, 8)
FAMILY_NAMES = sorted(FAMILIES)


def examples() -> list[Example]:
    draw = torch.Generator().manual_seed(5)
    return [
        Example(torch.randint(4, 128, (length,), generator=draw).tolist(), number % 3, number, 0)
        for number, length in enumerate(LENGTHS)
    ]


def loop_of(config: TrainingConfig) -> tuple[Any, Loop]:
    torch.manual_seed(0)
    network = build_network(config.model, 128, LABELS)
    recompute(network.layers, config.precision.recompute_every)
    return network, Loop(network, config, Processes(CPU))


def keep(sizes: list[int], tensor: torch.Tensor) -> torch.Tensor:
    sizes.append(tensor.nbytes)
    return tensor


def weights(network: Any) -> torch.Tensor:
    return torch.cat([one.detach().flatten() for one in network.parameters()])


@pytest.fixture(params=FAMILY_NAMES)
def family(request: pytest.FixtureRequest) -> dict[str, Any]:
    return {"model": {"family": request.param}}


def test_packed_and_padded_rows_have_the_same_logits(tmp_path: Path, family: dict[str, Any]) -> None:
    network, _ = loop_of(tiny_config(tmp_path, family))
    packed, nothing = read(network, examples(), CPU, packed=True)
    network.config._attn_implementation = "sdpa"
    rows, mask = read(network, examples(), CPU, packed=False)

    torch.testing.assert_close(packed, rows, atol=1e-5, rtol=1e-5)
    assert nothing is None
    assert mask is not None
    assert mask.sum(1).tolist() == list(LENGTHS)


def test_padding_is_told_by_length_and_not_by_the_token() -> None:
    rows, mask = padded([Example([2, 0, 3], 0, 0, 0), Example([2, 3], 0, 1, 0)], 0)
    assert rows.tolist() == [[2, 0, 3], [2, 3, 0]]
    assert mask.tolist() == [[1, 1, 1], [1, 1, 0]]


def test_accumulated_batches_change_the_weights_as_one_batch_does(tmp_path: Path) -> None:
    config = tiny_config(tmp_path, {"optimiser": {"learning_rate": 1e-5}})
    (one, whole), (other, halves) = loop_of(config), loop_of(config)
    rows = examples()

    together, apart = whole.step(1, [rows]), halves.step(1, [rows[:4], rows[4:]])

    assert together.loss == pytest.approx(apart.loss, rel=1e-5)
    assert together.gradient_norm == pytest.approx(apart.gradient_norm, rel=1e-4)
    # Adam's first step is a sign times the learning rate: where a gradient is all but zero, rounding decides of it.
    assert (weights(one) - weights(other)).abs().quantile(0.99) < 1e-6


@pytest.mark.parametrize("every", [1, 2])
def test_recomputed_layers_give_the_same_to_the_bit_and_keep_less(
    tmp_path: Path, family: dict[str, Any], every: int
) -> None:
    (plain, loop), (recomputed, other) = (
        loop_of(tiny_config(tmp_path, {**family, "precision": {"recompute_every": number}})) for number in (0, every)
    )
    kept: list[list[int]] = [[], []]
    for sizes, each in zip(kept, (loop, other), strict=True):
        with torch.autograd.graph.saved_tensors_hooks(partial(keep, sizes), lambda tensor: tensor):
            each.step(1, [examples()])

    assert torch.equal(weights(plain), weights(recomputed))
    assert sum(kept[1]) < sum(kept[0])


def test_autocast_computes_in_half_precision_and_stays_near(tmp_path: Path, family: dict[str, Any]) -> None:
    losses = []
    for autocast in ("none", "bfloat16"):
        network, loop = loop_of(tiny_config(tmp_path, {**family, "precision": {"autocast": autocast}}))
        seen: set[torch.dtype] = set()
        network.layers[0].query_key_value.register_forward_hook(lambda _m, _i, out, to=seen: to.add(out.dtype))
        losses.append(loop.step(1, [examples()]).loss)
        assert seen == {torch.bfloat16 if autocast == "bfloat16" else torch.float32}
        assert {one.dtype for one in network.parameters()} == {torch.float32}

    assert losses[0] != losses[1]
    assert losses[1] == pytest.approx(losses[0], rel=0.02)


def test_gradients_are_bounded_and_the_learning_rate_rises_and_falls(tmp_path: Path) -> None:
    changes: dict[str, dict[str, Any]] = {
        "optimiser": {"largest_gradient_norm": 1e-3, "learning_rate": 1e-2},
        "schedule": {"steps": 20},
    }
    network, loop = loop_of(tiny_config(tmp_path, changes))
    told = [loop.step(number, [examples()]) for number in range(1, 21)]

    assert told[0].gradient_norm > 1e-3
    first = loop.optimizer.state[network.classifier.weight]["exp_avg"]
    assert first.norm() < 1e-3
    rates = [step.learning_rate for step in told]
    assert rates[1] == max(rates) == pytest.approx(1e-2)
    assert rates[0] == pytest.approx(5e-3)
    assert rates[-1] < 1e-3


def test_a_loss_that_is_no_number_ends_the_training_with_the_batch_and_leaves_the_weights(tmp_path: Path) -> None:
    network, loop = loop_of(tiny_config(tmp_path))
    rows = examples()
    with torch.no_grad():
        network.token_embeddings.weight[9] = math.nan
        before = weights(network)
    clean = [example for example in rows if 9 not in example.tokens]
    bad = Example([2, 9, 3], 0, 77, 4)

    with pytest.raises(
        TrainingError, match=r"found nan at step 3 in the batch of the rows \d.*, 77 \(epoch 4\);"
    ) as error:
        loop.step(3, [clean[:2], [clean[2], bad]])

    assert f"{clean[0].row} (epoch 0)" not in str(error.value).partition("rows ")[2].partition(";")[0].split(", ")
    assert torch.equal(weights(network).nan_to_num(), before.nan_to_num())


def test_a_gradient_that_is_not_finite_ends_the_training_too(tmp_path: Path) -> None:
    network, loop = loop_of(tiny_config(tmp_path))
    network.norm.weight.register_hook(lambda gradient: gradient * math.inf)

    with pytest.raises(TrainingError, match="expected a finite gradient norm, found"):
        loop.step(1, [examples()])
