"""A pack must be invisible: whatever runs together, each sequence is answered as if it were alone."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS
from transformers.models.modernbert.modeling_modernbert import (
    ModernBertForSequenceClassification,
    ModernBertForTokenClassification,
)

from plimsoll_server.config import ModelConfig
from plimsoll_server.models.errors import LeakError
from plimsoll_server.models.family import Model, Placement
from plimsoll_server.models.load import load_model
from plimsoll_server.models.modernbert import ModernBert
from plimsoll_server.models.modernbert_on_cpu import QuickLayer
from plimsoll_server.models.pack import Pack
from plimsoll_server.types import LabelLogits, TokenLabels, Tokens
from server_builders import random_model

WINDOW = 16
LENGTHS = (1, 2, WINDOW // 2, WINDOW, WINDOW + 1, 127, 128, 129, 300, 517)


def sequence(length: int, seed: int = 0) -> Tokens:
    draw = random.Random(length * 1000 + seed)
    return [draw.randrange(4, 260) for _ in range(length)]


def load(folder: Path, task: Any = "text-classification", attention: str = "sdpa") -> Model:
    wanted = ModelConfig(location=str(folder), task=task)
    return load_model(wanted, Placement(torch.device("cpu"), torch.float32, attention))


def logits_of(model: Model, batch: list[Tokens]) -> torch.Tensor:
    outputs = model.forward(batch)
    return torch.tensor([output.logits for output in outputs if isinstance(output, LabelLogits)])


def plain_network(kind: Any, folder: Path) -> Any:
    """The model as transformers runs it by itself: one sequence, dense masks, its own head."""
    return kind.from_pretrained(folder, attn_implementation="eager").eval()


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("length", LENGTHS)
def test_one_sequence_has_the_logits_that_transformers_gives_it(
    random_folder: Path, length: int, attention: str
) -> None:
    reference = plain_network(ModernBertForSequenceClassification, random_folder)
    tokens = sequence(length)
    with torch.inference_mode():
        expected = reference(torch.tensor([tokens]), torch.ones(1, length)).logits
    found = logits_of(load(random_folder, attention=attention), [tokens])
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def test_hidden_states_are_those_of_transformers_to_a_millionth(random_folder: Path) -> None:
    """Logits forgive a window that is off by one token; hidden states do not."""
    reference = plain_network(ModernBertForSequenceClassification, random_folder)
    tokens = sequence(300)
    with torch.inference_mode():
        expected = reference.model(torch.tensor([tokens]), torch.ones(1, 300)).last_hidden_state[0]
        model = load(random_folder)
        assert isinstance(model, ModernBert)
        found = model.encode(Pack([tokens], torch.device("cpu")))
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_a_batch_of_mixed_lengths_equals_its_sequences_one_by_one(random_folder: Path, attention: str) -> None:
    model = load(random_folder, attention=attention)
    batch = [sequence(length) for length in LENGTHS]
    alone = torch.cat([logits_of(model, [tokens]) for tokens in batch])
    torch.testing.assert_close(logits_of(model, batch), alone, atol=1e-5, rtol=0)


def test_a_neighbour_in_the_batch_changes_nothing(random_folder: Path) -> None:
    model = load(random_folder)
    own = sequence(40)
    beside = [logits_of(model, [sequence(60, seed), own, sequence(60, seed)])[1] for seed in range(3)]
    torch.testing.assert_close(beside[0], beside[1], atol=1e-6, rtol=0)
    torch.testing.assert_close(beside[0], beside[2], atol=1e-6, rtol=0)


def test_pooling_by_the_first_token_is_kept_apart_too(tmp_path: Path) -> None:
    folder = random_model(tmp_path, classifier_pooling="cls")
    reference = plain_network(ModernBertForSequenceClassification, folder)
    batch = [sequence(30), sequence(90)]
    with torch.inference_mode():
        expected = torch.cat([reference(torch.tensor([tokens])).logits for tokens in batch])
    torch.testing.assert_close(logits_of(load(folder), batch), expected, atol=1e-5, rtol=1e-5)


def test_token_labels_are_those_of_transformers(random_token_folder: Path) -> None:
    reference = plain_network(ModernBertForTokenClassification, random_token_folder)
    batch = [sequence(5), sequence(140)]
    outputs = load(random_token_folder, "token-classification").forward(batch)
    for tokens, output in zip(batch, outputs, strict=True):
        assert isinstance(output, TokenLabels)
        with torch.inference_mode():
            scores, labels = reference(torch.tensor([tokens])).logits[0].softmax(-1).max(-1)
        assert list(output.labels) == labels.tolist()
        assert output.scores == pytest.approx(scores.tolist(), abs=1e-5)


def test_attention_that_bypasses_the_pack_is_an_error_and_not_an_answer(random_folder: Path) -> None:
    model = load(random_folder)
    assert isinstance(model, ModernBert)
    model._layers()[1]._attend = ALL_ATTENTION_FUNCTIONS["sdpa"]
    with pytest.raises(LeakError, match="2 times in 3 layers"):
        model.forward([sequence(5)])


@pytest.mark.parametrize(
    ("dtype", "activation", "expected"),
    [
        pytest.param(torch.float32, "gelu", True, id="in float32"),
        pytest.param(torch.bfloat16, "gelu", False, id="in bfloat16"),
        pytest.param(torch.float32, "silu", False, id="with another activation"),
    ],
)
def test_layers_are_replaced_where_they_compute_the_same(
    tmp_path: Path, dtype: torch.dtype, activation: str, expected: bool
) -> None:
    folder = random_model(tmp_path, hidden_activation=activation)
    model = load_model(ModelConfig(location=str(folder)), Placement(torch.device("cpu"), dtype, "sdpa"))
    assert isinstance(model, ModernBert)
    assert all(isinstance(layer, QuickLayer) is expected for layer in model._layers())


@pytest.mark.parametrize("bias", [False, True])
def test_layers_with_a_bias_compute_the_same_too(tmp_path: Path, bias: bool) -> None:
    folder = random_model(tmp_path, attention_bias=bias, mlp_bias=bias, norm_bias=bias)
    weights = load_file(folder / "model.safetensors")
    drawn = {name: torch.randn_like(values) if name.endswith("bias") else values for name, values in weights.items()}
    save_file(drawn, folder / "model.safetensors", metadata={"format": "pt"})
    tokens = sequence(200)
    with torch.inference_mode():
        expected = plain_network(ModernBertForSequenceClassification, folder)(torch.tensor([tokens])).logits
    torch.testing.assert_close(logits_of(load(folder), [tokens]), expected, atol=1e-5, rtol=1e-5)


def test_two_models_in_one_process_keep_their_own_attention(random_folder: Path) -> None:
    """Each has a configuration object of its own: one that two shared would have the later load flip the earlier."""
    first, second = (load(random_folder, attention=attention) for attention in ("sdpa", "eager"))
    assert isinstance(first, ModernBert)
    assert isinstance(second, ModernBert)
    found = [model._network.config._attn_implementation for model in (first, second)]
    assert found == ["packed_sdpa", "packed_eager"]
    assert first._network.config is not second._network.config


def test_memory_of_local_layers_grows_with_the_tokens_and_not_with_their_square(random_folder: Path) -> None:
    pack = Pack([sequence(4096)], torch.device("cpu"))
    model = load(random_folder)
    assert isinstance(model, ModernBert)
    with torch.inference_mode():
        model.encode(pack)
    masks = [kept for name, kept in pack._kept.items() if isinstance(name, tuple) and name[0] == "mask"]
    cells = sum(mask.untyped_storage().nbytes() // 4 for mask in masks)
    assert masks
    assert cells < 4096 * 32, "blocks in between share one mask"


def test_a_batch_between_the_layers_of_another_changes_neither_by_a_bit(random_folder: Path) -> None:
    model = load(random_folder)
    long, short = [sequence(300), sequence(20)], [sequence(30), sequence(7)]
    shorts: list[torch.Tensor] = []
    outer = model.forward(long, lambda: shorts.append(logits_of(model, short)))
    assert outer == model.forward(long)
    assert len(shorts) == model.info.layers - 1
    assert all(torch.equal(found, logits_of(model, short)) for found in shorts)


def test_a_batch_between_layers_may_have_one_between_its_own(random_folder: Path) -> None:
    model = load(random_folder)
    innermost: list[object] = []

    def inner() -> None:
        innermost.append(model.forward([sequence(3)]))

    def middle() -> None:
        model.forward([sequence(5)], inner)

    model.forward([sequence(9)], middle)
    assert len(innermost) == (model.info.layers - 1) ** 2
    assert all(outputs == model.forward([sequence(3)]) for outputs in innermost)


def test_what_is_raised_between_layers_ends_the_batch_and_nothing_else(random_folder: Path) -> None:
    model = load(random_folder)
    before = model.forward([sequence(9)])

    def fail() -> None:
        raise MemoryError

    with pytest.raises(MemoryError):
        model.forward([sequence(9)], fail)
    assert model.forward([sequence(9)]) == before
