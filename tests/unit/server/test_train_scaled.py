"""The comparison of two loops that train the scaled family: they learn the same, and the time of each is told."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from plimsoll_server.train.demo.corpus import Module
from plimsoll_server.train.errors import TrainingError
from plimsoll_server.train.scaled.compare import compare, full_length
from plimsoll_server.train.scaled.examples import Example, examples_of, groups
from plimsoll_server.train.scaled.loops import build, finite
from plimsoll_server.train.scaled.material import Material, read_material
from plimsoll_server.train.scaled.recipe import ScaledRecipe, read_recipe

EXAMPLE = Path(__file__).parents[3] / "examples" / "training" / "comparison.toml"
SMALL: dict[str, Any] = {
    "examples": 96,
    "vocabulary": 300,
    "width": 32,
    "heads": 2,
    "layers": 2,
    "feed_forward": 48,
    "window": 32,
    "accumulation": 2,
    "learning_rate": 3e-3,
    "epochs": 3,
}


@pytest.fixture(scope="module")
def material(library: Path) -> Material:
    return read_material(library, ScaledRecipe(**SMALL))


def test_examples_are_framed_and_fit_the_window_and_lose_no_text(material: Material) -> None:
    text = "the harbour lies near the old sea " * 20
    found = examples_of([Module("m", material.labels[1], (text,))], material.tokenizer, material.labels, 32)

    whole = material.tokenizer.encode(text, add_special_tokens=False).ids
    assert [token for example in found for token in example.tokens[1:-1]][: len(whole)] == whole[: 30 * len(found)]
    assert {example.label for example in found} == {1}
    assert all(len(example.tokens) <= 32 for example in found)


def test_an_epoch_shows_every_example_once_and_each_epoch_in_an_order_of_its_own(material: Material) -> None:
    recipe = ScaledRecipe(**SMALL)
    first, second = (
        [example for group in groups(material.training, recipe, epoch) for batch in group for example in batch]
        for epoch in (0, 1)
    )

    assert sorted(map(id, first)) == sorted(map(id, material.training)) == sorted(map(id, second))
    assert first != second
    assert [len(group) for group in groups(material.training, recipe, 0)] == [2, 2, 2]


def test_both_loops_learn_the_same_and_the_time_of_each_step_is_told(material: Material) -> None:
    found = compare(material, ScaledRecipe(**SMALL), lambda _: None)

    assert found.steps == 9 == len(found.plain.seconds) == len(found.optimised.cpu_seconds)
    assert found.largest_loss_gap < 1e-3
    assert found.plain.epoch_losses[-1] < found.plain.epoch_losses[0] - 0.2
    assert sum(found.plain.shares.values()) == pytest.approx(1)


def test_without_padding_both_loops_read_the_same_tokens(material: Material) -> None:
    recipe = ScaledRecipe(**{**SMALL, "epochs": 1})

    found = compare(full_length(material, recipe), recipe, lambda _: None)

    assert found.tokens == found.padded_tokens == 96 * 32


def test_where_no_example_fills_the_window_that_is_told(material: Material) -> None:
    short = replace(material, training=tuple(Example(one.tokens[:5], one.label) for one in material.training))
    with pytest.raises(TrainingError, match="fills the window of 32 tokens, found none longer than 5"):
        full_length(short, ScaledRecipe(**SMALL))


def test_one_step_leaves_both_loops_with_the_same_weights(material: Material) -> None:
    recipe = ScaledRecipe(**SMALL)
    group = next(iter(groups(material.training, recipe, 0)))
    plain, optimised = (build(name, recipe, material.labels) for name in ("plain", "optimised"))

    losses = [loop.step(group) for _, loop in (plain, optimised)]

    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    # Adam's first step is a sign times the learning rate: where a gradient is all but zero, rounding decides of it.
    gaps = torch.cat(
        [
            (one - other).abs().flatten()
            for one, other in zip(plain[0].parameters(), optimised[0].parameters(), strict=True)
        ]
    )
    assert gaps.quantile(0.99) < 1e-5
    assert gaps.max() <= 2.1 * recipe.learning_rate


def test_a_loss_that_is_no_number_ends_the_training_and_says_where() -> None:
    with pytest.raises(TrainingError, match=r"found nan at step 7; train with another seed"):
        finite(math.nan, 7, ScaledRecipe())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("layers = 0", "layers: Input should be greater than or equal to 1", id="out of bounds"),
        pytest.param("depth = 3", "depth: Extra inputs are not permitted", id="unknown"),
        pytest.param('family = "gpt"', "family: Input should be 'scaled'", id="another family"),
        pytest.param("heads = 3", "width 512 is not a multiple of heads 3", id="heads and width"),
        pytest.param("layers = ", "Invalid value", id="no TOML"),
    ],
)
def test_a_recipe_that_cannot_be_used_says_what_is_wrong(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "recipe.toml").write_text(text)

    with pytest.raises(TrainingError, match="expected a recipe in TOML") as error:
        read_recipe(tmp_path / "recipe.toml")

    assert message in str(error.value)


def test_the_example_states_the_defaults() -> None:
    assert read_recipe(EXAMPLE) == ScaledRecipe()


def test_the_published_schedule_is_the_default(tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_text('family = "scaled"\nepochs = 2\nlearning_rate = 0.001\n')

    recipe = read_recipe(tmp_path / "recipe.toml")

    assert recipe == ScaledRecipe(epochs=2, learning_rate=1e-3)
    default = ScaledRecipe()
    assert (default.batch, default.accumulation, default.learning_rate, default.epochs) == (16, 8, 1e-4, 10)
