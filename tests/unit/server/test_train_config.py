"""The configuration of a training: typed, and every error says what to write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from plimsoll_server.train.config import EncoderShape, MoeModel, TrainingConfig, read_config
from plimsoll_server.train.errors import TrainingError
from plimsoll_server.train.families import FAMILIES
from training_builders import LABELS, tiny_config, write_config

EXAMPLES = Path(__file__).parents[3] / "examples" / "training"


def test_what_is_left_out_is_as_published(tmp_path: Path) -> None:
    changes = {
        "model.shape": dict.fromkeys(EncoderShape.model_fields),
        "optimiser": {"batch": None, "accumulation": None},
    }
    config = tiny_config(tmp_path, changes)

    assert config.model.shape == EncoderShape()
    assert (config.optimiser.batch, config.optimiser.accumulation) == (16, 8)
    assert (config.checkpoints.keep, config.precision.autocast, config.seed) == (3, "none", 0)
    assert config.data.labels == LABELS


def test_a_familys_own_settings_belong_to_its_section(tmp_path: Path) -> None:
    config = tiny_config(tmp_path, {"model": {"family": "moe", "balance": 0.1}, "model.shape": {"num_experts": 4}})

    assert isinstance(config.model, MoeModel)
    assert (config.model.balance, config.model.shape.num_experts, config.model.shape.num_experts_per_tok) == (0.1, 4, 2)


def test_a_configuration_is_the_same_again_from_its_json(tmp_path: Path) -> None:
    config = tiny_config(tmp_path, {"model": {"family": "moe"}})
    assert TrainingConfig.model_validate_json(config.model_dump_json()) == config


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_every_family_can_be_written_down(tmp_path: Path, family: str) -> None:
    assert tiny_config(tmp_path, {"model": {"family": family}}).model.family == family


@pytest.mark.parametrize("name", ["scaled", "moe", "bayesian"])
def test_the_examples_are_configurations(name: str) -> None:
    assert read_config(EXAMPLES / f"{name}.toml").model.family == name


def test_the_example_of_the_scaled_family_states_the_defaults() -> None:
    config = read_config(EXAMPLES / "scaled.toml")
    stated = config.model_dump(exclude_unset=True)

    assert stated == config.model_dump(exclude={"data": {"configuration", "revision"}})
    assert config.optimiser == type(config.optimiser)()
    assert (config.precision, config.checkpoints, config.board) == tuple(
        type(section)() for section in (config.precision, config.checkpoints, config.board)
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"model": {"family": None}}, 'model.family is missing; write family = "scaled"', id="no family"),
        pytest.param({"model": {"family": "gpt"}}, "model: Input tag 'gpt'", id="another family"),
        pytest.param({"data": {"source": None}}, 'data.source is missing; write source = "json"', id="no source"),
        pytest.param({"schedule": {"steps": None}}, "schedule.steps is missing; write steps = 1000", id="no steps"),
        pytest.param({"data": {"labels": None}}, "data.labels is missing; write labels = [", id="no labels"),
        pytest.param({"data": {"labels": ["one"]}}, "data.labels: Tuple should have at least 2", id="one label"),
        pytest.param({"data": {"labels": ["a", "a"]}}, "one is there twice; name each once", id="a label twice"),
        pytest.param({"data.training": {"files": []}}, 'write for example files = ["training.jsonl"]', id="no files"),
        pytest.param({"model": {"balance": 0.1}}, "model.balance is no setting", id="another family's setting"),
        pytest.param({"model.shape": {"depth": 3}}, "model.shape.depth is no setting; docs/training.md", id="unknown"),
        pytest.param({"optimiser": {"batch": 0}}, "optimiser.batch: Input should be greater than", id="out of bounds"),
        pytest.param({"optimiser": {"batch": "4"}}, "optimiser.batch: Input should be a valid integer", id="a text"),
        pytest.param(
            {"model.shape": {"num_attention_heads": 3}}, "not a multiple of num_attention_heads 3", id="heads and width"
        ),
        pytest.param(
            {"model": {"family": "moe"}, "model.shape": {"num_experts": 2, "num_experts_per_tok": 3}},
            "num_experts_per_tok 3 is more than num_experts 2",
            id="more chosen than there are",
        ),
    ],
)
def test_a_wrong_setting_is_named_with_what_to_write(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(TrainingError, match="expected a configuration in TOML in") as error:
        tiny_config(tmp_path, changes)

    assert message in str(error.value)


def test_what_is_no_toml_or_not_there_is_told(tmp_path: Path) -> None:
    file = write_config(tmp_path)
    file.write_text("seed = ")

    for wrong, message in ((file, "Invalid value"), (tmp_path / "none.toml", "No such file")):
        with pytest.raises(TrainingError, match=message):
            read_config(wrong)
