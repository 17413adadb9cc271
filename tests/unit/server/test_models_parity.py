"""Packed batches equal one-by-one results of plain attention at every length: hidden states to 1e-5 in float32,
probabilities to 2e-2 in bfloat16."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers.models.modernbert.modeling_modernbert import ModernBertForSequenceClassification

from family_builders import sequence
from plimsoll_server.config import ModelConfig
from plimsoll_server.models.family import Placement
from plimsoll_server.models.load import load_model
from plimsoll_server.models.modernbert import ModernBert
from plimsoll_server.models.pack import Pack
from plimsoll_server.types import Tokens
from reference_attention import reference_hidden, reference_network
from server_builders import random_model

BASE_SHAPE: dict[str, Any] = {
    "hidden_size": 768,
    "intermediate_size": 1152,
    "num_attention_heads": 12,
    "local_attention": 128,
    "max_position_embeddings": 32_768,
    "initializer_range": 0.02,
}
TWO_LAYERS: dict[str, Any] = {
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "initializer_range": 0.1,
    "num_attention_heads": 2,
    "global_attn_every_n_layers": 2,
    "local_attention": 128,
    "max_position_embeddings": 32_768,
}
"""One global and one local, 80,000 parameters. With weights thrice as large, float32 itself is off by 1e-5 and more."""
THOROUGH = pytest.mark.thorough
PATIENT = pytest.mark.timeout(1_800)
"""Plain attention over 32K tokens takes a minute of a quiet machine."""


Pair = tuple[ModernBert, Any]
"""The server's model, and the network that it is compared with."""


@pytest.fixture(scope="module")
def base_shape(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """Three layers, one global and two local: what the whole model repeats."""
    return pair(random_model(tmp_path_factory.mktemp("base"), num_hidden_layers=3, **BASE_SHAPE))


@pytest.fixture(scope="module")
def all_layers(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return pair(random_model(tmp_path_factory.mktemp("whole"), num_hidden_layers=22, **BASE_SHAPE))


@pytest.fixture(scope="module")
def two_layers(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return pair(random_model(tmp_path_factory.mktemp("two"), **TWO_LAYERS))


@pytest.fixture(scope="module")
def base_shape_in_bfloat16(base_shape: Pair) -> Pair:
    return in_bfloat16(base_shape)


@pytest.fixture(scope="module")
def all_layers_in_bfloat16(all_layers: Pair) -> Pair:
    return in_bfloat16(all_layers)


@pytest.fixture(scope="module")
def two_layers_in_bfloat16(two_layers: Pair) -> Pair:
    return in_bfloat16(two_layers)


def in_bfloat16(compared: Pair) -> Pair:
    """The server's model, that is: what it is compared with stays in float32."""
    model, network = compared
    return load(Path(model.info.location), torch.bfloat16), network


def pair(folder: Path) -> Pair:
    return load(folder), reference_network(ModernBertForSequenceClassification, folder)


def load(folder: Path, dtype: torch.dtype = torch.float32) -> ModernBert:
    model = load_model(ModelConfig(location=str(folder)), Placement(torch.device("cpu"), dtype, "sdpa"))
    assert isinstance(model, ModernBert)
    return model


@torch.inference_mode()
def assert_hidden_states_agree(compared: Pair, batch: Sequence[Tokens]) -> None:
    """The pack is run as one, filled up as it is served; the reference runs its sequences one by one."""
    model, network = compared
    pack = Pack(model.filled(batch), torch.device("cpu"))
    hidden = model.encode(pack)
    for (start, end), tokens in zip(pack.spans, batch, strict=False):
        torch.testing.assert_close(hidden[start:end], reference_hidden(network, tokens), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("length", [1, 127, 128, 129, 512, pytest.param(1024, marks=THOROUGH)])
def test_hidden_states_of_the_base_shape_agree_at(base_shape: Pair, length: int) -> None:
    assert_hidden_states_agree(base_shape, [sequence(length)])


def test_hidden_states_of_the_base_shape_agree_beside_others(base_shape: Pair) -> None:
    assert_hidden_states_agree(base_shape, [sequence(length) for length in (1, 127, 128, 129, 512)])


@THOROUGH
@PATIENT
@pytest.mark.parametrize("length", [1, 127, 128, 129, 512, 1024, 4096])
def test_hidden_states_of_all_22_layers_agree_at(all_layers: Pair, length: int) -> None:
    assert_hidden_states_agree(all_layers, [sequence(length)])


@PATIENT
@pytest.mark.parametrize("length", [4096, *(pytest.param(length, marks=THOROUGH) for length in (8192, 16_384, 32_768))])
def test_hidden_states_of_a_long_text_agree_at(two_layers: Pair, length: int) -> None:
    assert_hidden_states_agree(two_layers, [sequence(length)])


@PATIENT
@pytest.mark.parametrize(
    "lengths",
    [
        pytest.param((1, 127, 128, 129, 512), id="all around a window"),
        pytest.param((64, 64, 65, 1, 1, 1, 200), id="borders within and on blocks"),
        pytest.param((20,) * 12, id="all shorter than a window"),
        pytest.param((66, 192, 5, 128, 65), id="none longer than what a block of queries meets"),
        pytest.param((32_000, 1, 700), id="a long one and short ones", marks=THOROUGH),
    ],
)
def test_hidden_states_of_mixed_lengths_in_one_pack_agree(two_layers: Pair, lengths: tuple[int, ...]) -> None:
    assert_hidden_states_agree(two_layers, [sequence(length, seed) for seed, length in enumerate(lengths)])


@torch.inference_mode()
def assert_probabilities_agree(compared: Pair, batch: Sequence[Tokens], tolerance: float = 2e-2) -> None:
    """By the head and its pooling too. The reference runs its sequences one by one."""
    model, network = compared
    found = torch.tensor([output.numbers for output in model.forward(batch)])
    expected = torch.cat([network(torch.tensor([list(tokens)])).logits for tokens in batch])
    torch.testing.assert_close(found.softmax(-1), expected.softmax(-1), atol=tolerance, rtol=0)


@pytest.mark.parametrize("pooling", ["mean", "cls"])
@pytest.mark.parametrize(
    ("dtype", "tolerance"),
    [pytest.param(torch.float32, 1e-5, id="float32"), pytest.param(torch.bfloat16, 2e-2, id="bfloat16")],
)
def test_probabilities_of_a_pack_agree_with_pooling_by(
    tmp_path: Path, dtype: torch.dtype, tolerance: float, pooling: str
) -> None:
    folder = random_model(tmp_path, classifier_pooling=pooling, **TWO_LAYERS)
    network = reference_network(ModernBertForSequenceClassification, folder)
    batch = [sequence(length) for length in (1, 127, 128, 129, 512, 1024)]
    assert_probabilities_agree((load(folder, dtype), network), batch, tolerance)


@pytest.mark.parametrize("length", [1, 127, 128, 129, 512, 1024])
def test_probabilities_of_the_base_shape_in_bfloat16_agree_at(base_shape_in_bfloat16: Pair, length: int) -> None:
    assert_probabilities_agree(base_shape_in_bfloat16, [sequence(length)])


@THOROUGH
@PATIENT
@pytest.mark.parametrize("length", [1, 127, 128, 129, 512, 1024, 4096])
def test_probabilities_of_all_22_layers_in_bfloat16_agree_at(all_layers_in_bfloat16: Pair, length: int) -> None:
    assert_probabilities_agree(all_layers_in_bfloat16, [sequence(length)])


@PATIENT
@pytest.mark.parametrize("length", [4096, *(pytest.param(length, marks=THOROUGH) for length in (8192, 16_384, 32_768))])
def test_probabilities_of_a_long_text_in_bfloat16_agree_at(two_layers_in_bfloat16: Pair, length: int) -> None:
    assert_probabilities_agree(two_layers_in_bfloat16, [sequence(length)])


@torch.inference_mode()
def test_the_reference_is_what_transformers_computes_by_itself(tmp_path: Path) -> None:
    kind: Any = ModernBertForSequenceClassification
    folder = random_model(tmp_path, **TWO_LAYERS)
    plain = kind.from_pretrained(folder, attn_implementation="eager").train(mode=False)
    tokens = sequence(700)
    expected = plain.base_model(torch.tensor([list(tokens)]), torch.ones(1, 700)).last_hidden_state[0]
    found = reference_hidden(reference_network(kind, folder), tokens)
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-6)
