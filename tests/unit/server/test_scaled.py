"""The scaled family: packed and cut short it answers as the plain network does, one text at a time."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import torch

from plimsoll_server.config import ModelConfig
from plimsoll_server.models.errors import LeakError
from plimsoll_server.models.family import Model, Placement
from plimsoll_server.models.load import load_model
from plimsoll_server.models.scaled import Scaled, ScaledConfig, ScaledForSequenceClassification
from plimsoll_server.types import LabelLogits, Tokens
from scaled_builders import LABELS, reading, scaled_model

LENGTHS = (1, 2, 17, 127, 128)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return scaled_model(tmp_path_factory.mktemp("scaled"))


def load(folder: Path, attention: str = "sdpa", dtype: torch.dtype = torch.float32) -> Model:
    wanted = ModelConfig(location=str(folder), family="scaled")
    return load_model(wanted, Placement(torch.device("cpu"), dtype, attention))


def sequence(length: int, seed: int = 0) -> Tokens:
    draw = random.Random(length * 1000 + seed)
    return [draw.randrange(4, 300) for _ in range(length)]


def logits_of(model: Model, batch: list[Tokens]) -> torch.Tensor:
    return torch.tensor([output.logits for output in model.forward(batch) if isinstance(output, LabelLogits)])


def plain_logits(folder: Path, batch: list[Tokens]) -> torch.Tensor:
    """The network's own forward with every layer finished for every token, one sequence at a time."""
    network = reading(ScaledForSequenceClassification.from_pretrained(folder, attn_implementation="eager"))
    with torch.inference_mode():
        return torch.cat([network(torch.tensor([tokens]), torch.ones(1, len(tokens))) for tokens in batch])


def test_the_published_shape_is_the_default() -> None:
    network = ScaledForSequenceClassification(ScaledConfig())
    config = network.config

    assert (config.vocab_size, config.hidden_size, config.intermediate_size) == (2048, 512, 1024)
    assert (config.num_attention_heads, config.num_hidden_layers, config.max_position_embeddings) == (4, 4, 128)
    assert sum(one.numel() for one in network.parameters()) == pytest.approx(9.53e6, rel=0.01)


def test_a_loaded_model_tells_what_it_is(folder: Path) -> None:
    info = load(folder).info

    assert (info.family, info.window, info.vocabulary, info.width, info.layers) == ("scaled", 128, 300, 32, 3)
    assert (info.pooling, info.packing, info.labels) == ("cls", "packed", LABELS)


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_a_batch_of_mixed_lengths_has_the_logits_of_each_text_alone(folder: Path, attention: str) -> None:
    batch = [sequence(length) for length in LENGTHS]

    found = logits_of(load(folder, attention), batch)

    torch.testing.assert_close(found, plain_logits(folder, batch), atol=1e-5, rtol=1e-5)


def test_padded_rows_have_the_logits_of_each_text_alone(folder: Path) -> None:
    batch = [sequence(length) for length in LENGTHS]
    rows = torch.zeros(len(batch), 128, dtype=torch.long)
    for row, tokens in zip(rows, batch, strict=True):
        row[: len(tokens)] = torch.tensor(tokens)
    network = reading(ScaledForSequenceClassification.from_pretrained(folder, attn_implementation="sdpa"))

    with torch.inference_mode():
        found = network(rows, (rows != 0).long())

    torch.testing.assert_close(found, plain_logits(folder, batch), atol=1e-5, rtol=1e-5)


def test_probabilities_in_bfloat16_stay_near_those_in_float32(tmp_path: Path) -> None:
    folder = scaled_model(tmp_path, initializer_range=0.05)
    batch = [sequence(length) for length in LENGTHS]

    found = logits_of(load(folder, dtype=torch.bfloat16), batch).softmax(-1)

    torch.testing.assert_close(found, plain_logits(folder, batch).softmax(-1), atol=2e-2, rtol=0)


def test_a_neighbour_in_the_batch_changes_nothing(folder: Path) -> None:
    model, own = load(folder), sequence(40)
    first, second = (logits_of(model, [sequence(60, seed), own, sequence(60, seed)])[1] for seed in range(2))
    torch.testing.assert_close(first, second, atol=1e-6, rtol=0)


def test_another_batch_may_run_between_any_two_layers(folder: Path) -> None:
    model = load(folder)
    batch, other = [sequence(90), sequence(5)], [sequence(30)]
    seen: list[torch.Tensor] = []

    found = model.forward(batch, between=lambda: seen.append(logits_of(model, other)))

    assert len(seen) == model.info.layers - 1
    assert found == model.forward(batch)
    assert all(torch.equal(one, logits_of(model, other)) for one in seen)


def test_attention_that_bypasses_the_pack_is_an_error_and_not_an_answer(folder: Path) -> None:
    model = load(folder)
    assert isinstance(model, Scaled)
    model._network.config._attn_implementation = "sdpa"
    with pytest.raises(LeakError, match="0 times in 3 layers"):
        model.forward([sequence(5)])
