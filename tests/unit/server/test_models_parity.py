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
from plimsoll_server.models.filling import filled_up
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
    pack = Pack(filled_up(batch, model.info.window), torch.device("cpu"))
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
        pytest.param((32_000, 1, 700), id="a long one and short ones", marks=THOROUGH),
    ],
)
def test_hidden_states_of_mixed_lengths_in_one_pack_agree(two_layers: Pair, lengths: tuple[int, ...]) -> None:
    assert_hidden_states_agree(two_layers, [sequence(length, seed) for seed, length in enumerate(lengths)])


@pytest.mark.parametrize("pooling", ["mean", "cls"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["float32", "bfloat16"])
def test_probabilities_agree_with_pooling_by(tmp_path: Path, dtype: torch.dtype, pooling: str) -> None:
    folder = random_model(tmp_path, classifier_pooling=pooling, **TWO_LAYERS)
    network = reference_network(ModernBertForSequenceClassification, folder)
    batch = [sequence(length) for length in (1, 128, 129, 300)]
    found = [output.numbers for output in load(folder, dtype).forward(batch)]
    with torch.inference_mode():
        expected = torch.cat([network(torch.tensor([list(tokens)])).logits for tokens in batch])
    tolerance = 1e-5 if dtype is torch.float32 else 2e-2
    torch.testing.assert_close(torch.tensor(found).softmax(-1), expected.softmax(-1), atol=tolerance, rtol=0)


@torch.inference_mode()
def test_the_reference_is_what_transformers_computes_by_itself(tmp_path: Path) -> None:
    kind: Any = ModernBertForSequenceClassification
    folder = random_model(tmp_path, **TWO_LAYERS)
    plain = kind.from_pretrained(folder, attn_implementation="eager").train(mode=False)
    tokens = sequence(700)
    expected = plain.base_model(torch.tensor([list(tokens)]), torch.ones(1, 700)).last_hidden_state[0]
    found = reference_hidden(reference_network(kind, folder), tokens)
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-6)
