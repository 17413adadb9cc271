"""Packs of few sizes on a CPU, so that few kernels are written for them."""

from __future__ import annotations

from pathlib import Path

import pytest

from plimsoll_server.config import ModelConfig
from plimsoll_server.engine.device import choose_placement
from plimsoll_server.models.filling import filled_up, rounded_up, rows_for_new_kernels
from plimsoll_server.models.load import load_model
from server_builders import random_model


@pytest.mark.parametrize(
    ("rows", "expected"),
    [(1, 8), (8, 8), (9, 16), (64, 64), (65, 80), (129, 160), (511, 512), (512, 512), (513, 520), (4000, 4032)],
)
def test_sizes_are_rounded_up(rows: int, expected: int) -> None:
    assert rounded_up(rows, most=64) == expected


@pytest.mark.parametrize(
    ("rows", "expected"), [(1, 8), (65, 80), (129, 129), (300, 300), (513, 520), (641, 641), (1024, 1024)]
)
def test_no_more_rows_are_added_than_take_as_long_as_new_kernels(rows: int, expected: int) -> None:
    assert rounded_up(rows, most=16) == expected


def test_a_small_model_is_filled_up_and_one_of_22_wide_layers_is_not() -> None:
    small, base = 4 * (4 * 128 * 128 + 3 * 128 * 192), 22 * (4 * 768 * 768 + 3 * 768 * 1152)
    assert rounded_up(300, rows_for_new_kernels(small, threads=2)) == 320
    assert rounded_up(9, rows_for_new_kernels(base, threads=2)) == 9


def test_there_are_twenty_sizes_up_to_512_and_at_most_seven_rows_or_a_fourth_are_added() -> None:
    sizes = {rows: rounded_up(rows, most=64) for rows in range(1, 513)}
    assert len(set(sizes.values())) == 20
    assert all(rounded_up(size, most=64) == size for size in sizes.values())
    assert all(size - rows <= max(7, rows / 4) for rows, size in sizes.items())


def test_what_is_added_says_what_the_first_sequence_says_and_is_no_longer_than_the_window() -> None:
    assert filled_up([[5] * 8], window=512, most=64) == [[5] * 8]
    assert filled_up([[5, 6, 7], [8] * 9], window=512, most=64) == [[5, 6, 7], [8] * 9, [5] * 4]
    assert [len(sequence) for sequence in filled_up([[5] * 16] * 25, window=16, most=64)[25:]] == [16, 16, 16]


@pytest.mark.parametrize("task", ["text-classification", "token-classification"])
def test_nobody_hears_of_what_was_added(tmp_path: Path, task: str) -> None:
    """One answer for each sequence that was asked, and the same whatever fills the pack."""
    config = ModelConfig(location=str(random_model(tmp_path, task)), task=task)  # type: ignore[arg-type]
    model = load_model(config, choose_placement(config))
    text = [1, *([5, 9, 4] * 30), 2]
    alone, together = model.forward([text]), model.forward([text, [1, 7, 2]])
    assert len(alone) == 1
    assert len(together) == 2
    assert list(alone[0].numbers) == pytest.approx(list(together[0].numbers), abs=1e-5)
