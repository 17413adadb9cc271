"""Every attention that a GPU can run answers as plain attention on a CPU does, and no document sees another."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers.models.modernbert.modeling_modernbert import ModernBertForSequenceClassification

from family_builders import TASKS, family_model, load_family, plain_network, plain_numbers, sequence
from plimsoll_server.config import ModelConfig
from plimsoll_server.engine.device import choose_placement
from plimsoll_server.engine.self_test import self_test
from plimsoll_server.models.backends import varlen_has_windows
from plimsoll_server.models.family import Model, Placement
from plimsoll_server.models.load import load_model
from plimsoll_server.types import Tokens
from reference_attention import reference_network
from server_builders import random_model

BASE_SHAPE: dict[str, Any] = {
    "hidden_size": 768,
    "intermediate_size": 1152,
    "num_hidden_layers": 3,
    "num_attention_heads": 12,
    "local_attention": 128,
    "max_position_embeddings": 32_768,
    "initializer_range": 0.02,
}
BACKENDS = [
    pytest.param("flash", marks=pytest.mark.skipif(find_spec("flash_attn") is None, reason="needs flash-attn")),
    pytest.param("varlen", marks=pytest.mark.skipif(not varlen_has_windows(), reason="needs varlen_attn with windows")),
    "sdpa",
    "eager",
]
LENGTHS = (1, 127, 128, 129, 512, 1024)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return random_model(tmp_path_factory.mktemp("base"), **BASE_SHAPE)


@pytest.fixture(scope="module")
def expected(folder: Path) -> Any:
    """Probabilities of plain attention in float32 on the CPU; each sequence is computed once."""
    network = reference_network(ModernBertForSequenceClassification, folder)

    @cache
    def probabilities(tokens: tuple[int, ...]) -> torch.Tensor:
        with torch.inference_mode():
            found: torch.Tensor = network(torch.tensor([tokens])).logits[0].softmax(-1)
        return found

    return probabilities


def load(folder: Path, attention: str, dtype: torch.dtype) -> Model:
    return load_model(ModelConfig(location=str(folder)), Placement(torch.device("cuda"), dtype, attention))


def assert_agree(model: Model, batch: list[Tokens], expected: Any) -> None:
    for tokens, output in zip(batch, model.forward(batch), strict=True):
        found = torch.tensor(output.numbers).softmax(-1)
        torch.testing.assert_close(found, expected(tuple(tokens)), atol=2e-2, rtol=0)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=["bfloat16", "float16"])
@pytest.mark.parametrize("attention", BACKENDS)
def test_a_batch_of_mixed_lengths_agrees_with_plain_attention(
    folder: Path, expected: Any, attention: str, dtype: torch.dtype
) -> None:
    assert_agree(load(folder, attention, dtype), [sequence(length) for length in LENGTHS], expected)


@pytest.mark.parametrize("attention", BACKENDS)
def test_a_neighbour_in_the_batch_changes_nothing(folder: Path, attention: str) -> None:
    model = load(folder, attention, torch.bfloat16)
    own = sequence(300)
    beside = [model.forward([sequence(600, seed), own, sequence(600, seed)])[1].numbers for seed in range(3)]
    assert beside[0] == pytest.approx(beside[1], abs=1e-2)
    assert beside[0] == pytest.approx(beside[2], abs=1e-2)


@pytest.mark.parametrize("attention", BACKENDS[:-1])
def test_the_longest_text_agrees_with_itself_in_slices_of_a_pack(folder: Path, attention: str) -> None:
    """32K tokens alone, and beside short ones: a window or a border that is off shows at the end of a long text."""
    model = load(folder, attention, torch.bfloat16)
    long = sequence(32_768)
    alone = model.forward([long])[0].numbers
    assert model.forward([sequence(65), long, sequence(200)])[1].numbers == pytest.approx(alone, abs=2e-2)


def test_the_chosen_attention_passes_the_test_at_start(folder: Path) -> None:
    wanted = ModelConfig(location=str(folder))
    placement = choose_placement(wanted)
    assert placement.device.type == "cuda"
    self_test(load_model(wanted, placement), sequence(300), sequence(20))


@pytest.mark.parametrize("family", ["bert", "distilbert", "xlm-roberta", "roberta", "deberta-v2"])
def test_other_families_agree_with_transformers(tmp_path: Path, family: str) -> None:
    made = family_model(tmp_path, family, TASKS[0])
    reference = plain_network(made, family, TASKS[0])
    on_cpu = load_family(made, family, TASKS[0])
    wanted = ModelConfig.model_validate({"location": str(made), "family": family})
    model = load_model(wanted, Placement(torch.device("cuda"), torch.float32, "sdpa"))
    batch = [sequence(length) for length in (1, 40, 300)]
    for tokens, output in zip(batch, model.forward(batch), strict=True):
        plain = plain_numbers(reference, TASKS[0], tokens, on_cpu.info.pooling)
        assert output.numbers == pytest.approx(plain, abs=1e-3)
