"""Checkpoints: complete or not there, verified, few, and all that it takes to go on as if nothing had been."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from plimsoll_server.train.checkpoints import (
    OPTIMISER,
    RANDOM,
    STATE,
    SUMS,
    WEIGHTS,
    Checkpoints,
    State,
    check_same_training,
    is_whole,
    read_state,
    restore,
    tensors_of,
)
from plimsoll_server.train.config import TrainingConfig
from plimsoll_server.train.data import Example, Place
from plimsoll_server.train.errors import TrainingError
from plimsoll_server.train.families import build_network
from plimsoll_server.train.loop import Loop
from plimsoll_server.train.processes import Processes
from training_builders import LABELS, tiny_config

ALONE = Processes(torch.device("cpu"))
BATCH = [Example([2, 10 + number, 20, 3], number % 3, number, 0) for number in range(6)]


@pytest.fixture
def config(tmp_path: Path) -> TrainingConfig:
    return tiny_config(tmp_path / "data")


def state(config: TrainingConfig, step: int, loss: float = 1.0) -> State:
    return State(step=step, held_out_loss=loss, places=(Place(epoch=1, taken=step),), config=config)


def saved(
    folder: Path, config: TrainingConfig, losses: list[float], warn: Callable[[str], None] = print
) -> Checkpoints:
    checkpoints = Checkpoints(folder, 3, warn)
    for step, loss in enumerate(losses, start=1):
        checkpoints.save(state(config, step, loss), {WEIGHTS: {"weight": torch.full((4,), float(step))}})
    return checkpoints


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_last_three_and_the_best_are_kept(tmp_path: Path, config: TrainingConfig) -> None:
    checkpoints = saved(tmp_path / "kept", config, [3.0, 0.5, 2.0, 1.5, 1.0, 0.9])

    assert names(tmp_path / "kept") == ["step-00000002", "step-00000004", "step-00000005", "step-00000006"]
    assert checkpoints.last() == tmp_path / "kept" / "step-00000006"
    assert checkpoints.best() == tmp_path / "kept" / "step-00000002"
    assert read_state(tmp_path / "kept" / "step-00000006") == state(config, 6, 0.9)


def test_a_checkpoint_is_what_sha256sum_takes_for_whole(tmp_path: Path, config: TrainingConfig) -> None:
    last = saved(tmp_path / "kept", config, [1.0]).last()
    assert last is not None
    subprocess.run(["sha256sum", "--check", "--strict", SUMS], cwd=last, check=True, timeout=30)


def truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1])


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)


@pytest.mark.parametrize("name", [WEIGHTS, STATE, SUMS])
@pytest.mark.parametrize("damage", [truncate, flip, Path.unlink], ids=["truncated", "flipped", "gone"])
def test_a_damaged_checkpoint_is_told_once_and_the_one_before_is_taken(
    tmp_path: Path, config: TrainingConfig, name: str, damage: Callable[[Path], None]
) -> None:
    told: list[str] = []
    checkpoints = saved(tmp_path / "kept", config, [3.0, 2.0, 1.0], told.append)
    damage(tmp_path / "kept" / "step-00000003" / name)

    assert checkpoints.last() == checkpoints.best() == tmp_path / "kept" / "step-00000002"
    [warning] = told
    assert "step-00000003 is damaged" in warning
    assert not is_whole(tmp_path / "kept" / "step-00000003")


def test_where_there_is_none_none_is_found(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path / "none", 3, print)
    assert checkpoints.last() is None
    assert checkpoints.best() is None


def test_what_a_full_disk_or_a_killed_process_left_is_neither_taken_nor_kept(
    tmp_path: Path, config: TrainingConfig
) -> None:
    folder = tmp_path / "kept"
    (folder / ".step-00000002.partial-x").mkdir(parents=True)

    checkpoints = saved(folder, config, [1.0])
    assert checkpoints.last() == folder / "step-00000001"

    saved(folder, config, [1.0, 1.0])
    assert names(folder) == ["step-00000001", "step-00000002"]


def test_a_restored_training_does_the_steps_that_it_would_have_done(tmp_path: Path) -> None:
    config = tiny_config(tmp_path / "data", {"model": {"family": "moe"}, "model.shape": {"num_experts": 4}})
    network, loop = training_of(config)
    for number in (1, 2):
        loop.step(number, [BATCH])
    torch.manual_seed(7)
    torch.rand(3)
    tensors = tensors_of(network, loop.optimizer, ALONE)
    folder = Checkpoints(tmp_path / "kept", 3, print).save(state(config, 2), tensors)
    drawn, after = torch.rand(4), loop.step(3, [BATCH])

    torch.manual_seed(99)
    other, other_loop = training_of(config)
    restore(folder, other, other_loop.optimizer, ALONE)

    assert torch.equal(torch.rand(4), drawn)
    assert other_loop.step(3, [BATCH]) == after
    assert all(torch.equal(*pair) for pair in zip(network.parameters(), other.parameters(), strict=True))
    assert names(folder) == sorted([OPTIMISER, RANDOM, STATE, SUMS, WEIGHTS])


def test_another_configuration_or_number_of_processes_is_refused(tmp_path: Path, config: TrainingConfig) -> None:
    before = state(config, 5)
    allowed = config.model_copy(update={"checkpoints": config.checkpoints.model_copy(update={"every": 7})})
    check_same_training(before, allowed, ALONE, tmp_path)

    other = config.model_copy(update={"seed": 3, "optimiser": config.optimiser.model_copy(update={"batch": 9})})
    with pytest.raises(TrainingError, match=r"found another seed, optimiser; write what it was"):
        check_same_training(before, other, ALONE, tmp_path)
    with pytest.raises(TrainingError, match=r"with 1 processes, as it began, found 2; start as many"):
        check_same_training(before, config, Processes(ALONE.device, 0, 2), tmp_path)


def training_of(config: TrainingConfig) -> tuple[Any, Loop]:
    network = build_network(config.model, 128, LABELS)
    return network, Loop(network, config, ALONE)
