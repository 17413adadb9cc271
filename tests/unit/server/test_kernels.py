"""oneDNN's kernels: few, and all of them made before the first text comes."""

from __future__ import annotations

from concurrent.futures import Executor
from pathlib import Path

import pytest
import torch

from held_memory import MEBIBYTE
from plimsoll_server.config import ModelConfig
from plimsoll_server.engine.device import choose_placement
from plimsoll_server.engine.kernels import make_kernels
from plimsoll_server.engine.process_memory import private_bytes
from plimsoll_server.models.load import load_model
from plimsoll_server.models.packed_linear import can_pack, kernel_rows, padded
from server_builders import random_model


@pytest.mark.parametrize(
    ("rows", "expected"), [(1, 8), (8, 8), (9, 16), (64, 64), (65, 80), (129, 160), (511, 512), (512, 512), (513, 640)]
)
def test_rows_are_rounded_up(rows: int, expected: int) -> None:
    assert kernel_rows(rows) == expected
    assert padded(torch.ones(rows, 3)).sum() == rows * 3
    assert padded(torch.ones(1, rows, 3)).shape == (1, expected, 3)


def test_there_are_few_numbers_of_rows_and_each_is_its_own() -> None:
    numbers = {kernel_rows(rows) for rows in range(1, 513)}
    assert len(numbers) == 20
    assert {kernel_rows(number) for number in numbers} == numbers


def growth_by_texts_of_all_lengths(folder: Path) -> int:
    torch.set_num_threads(2)
    config = ModelConfig(location=str(folder))
    model = load_model(config, choose_placement(config))
    make_kernels(lambda tokens: model.forward([tokens]), [1, 4, 2])
    before = private_bytes()
    for length in range(1, 513, 7):
        model.forward([[4] * length])
    return private_bytes() - before


@pytest.mark.skipif(not can_pack(torch.ones(384, 128)), reason="this torch has no oneDNN")
def test_texts_of_all_lengths_leave_nothing_behind(fresh: Executor, tmp_path: Path) -> None:
    """Each length left a kernel of each layer's kind, 250 MiB with these, and nothing ever gave them back."""
    folder = random_model(tmp_path, hidden_size=128, intermediate_size=384, num_hidden_layers=2)
    assert fresh.submit(growth_by_texts_of_all_lengths, folder).result(timeout=240) < 16 * MEBIBYTE
