"""The spectral family: packed and by FFT it answers as every pair of tokens does, one text at a time."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from plimsoll_server.config import ModelConfig
from plimsoll_server.models.errors import ModelError
from plimsoll_server.models.family import Model, Placement
from plimsoll_server.models.load import load_model
from plimsoll_server.models.long_convolution import LongConvolution
from plimsoll_server.models.pack import Pack
from plimsoll_server.models.spectral import SIZES, SpectralConfig, SpectralForSequenceClassification
from plimsoll_server.types import LabelLogits, Tokens
from server_builders import edit_json
from spectral_builders import LABELS, spectral_model, spectral_network, written_out

LENGTHS = (1, 2, 17, 127, 128, 1000)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return spectral_model(tmp_path_factory.mktemp("spectral"))


def load(folder: Path, dtype: torch.dtype = torch.float32) -> Model:
    wanted = ModelConfig(location=str(folder), family="spectral")
    return load_model(wanted, Placement(torch.device("cpu"), dtype, "sdpa"))


def sequence(length: int, seed: int = 0) -> Tokens:
    draw = random.Random(length * 1000 + seed)
    return [draw.randrange(4, 300) for _ in range(length)]


def padded(lengths: tuple[int, ...]) -> Tensor:
    rows = torch.zeros(len(lengths), max(lengths), dtype=torch.long)
    for row, length in zip(rows, lengths, strict=True):
        row[:length] = torch.tensor(sequence(length))
    return rows


def logits_of(model: Model, batch: list[Tokens]) -> Tensor:
    return torch.tensor([output.logits for output in model.forward(batch) if isinstance(output, LabelLogits)])


@pytest.fixture(scope="module")
def plain(folder: Path) -> Tensor:
    """Of LENGTHS: every layer's convolution as the sum that it stands for, one sequence at a time."""
    network = SpectralForSequenceClassification.from_pretrained(folder)
    with pytest.MonkeyPatch.context() as patched, torch.inference_mode():
        patched.setattr(LongConvolution, "forward", lambda made, states, *_: written_out(made, states))
        return torch.cat([network(torch.tensor([sequence(size)]), torch.ones(1, size)) for size in LENGTHS])


def test_a_loaded_model_tells_what_it_is(folder: Path) -> None:
    info = load(folder).info
    assert (info.family, info.window, info.vocabulary, info.width, info.layers) == ("spectral", 2048, 300, 16, 3)
    assert (info.pooling, info.packing, info.labels) == ("mean", "packed", LABELS)


def test_a_batch_of_mixed_lengths_has_the_logits_of_each_text_alone(folder: Path, plain: Tensor) -> None:
    found = logits_of(load(folder), [sequence(length) for length in LENGTHS])
    torch.testing.assert_close(found, plain, atol=2e-5, rtol=2e-5)


def test_padded_rows_have_the_logits_of_each_text_alone(folder: Path, plain: Tensor) -> None:
    rows = padded(LENGTHS)
    with torch.inference_mode():
        found = SpectralForSequenceClassification.from_pretrained(folder)(rows, (rows != 0).long())
    torch.testing.assert_close(found, plain, atol=2e-5, rtol=2e-5)


def test_padded_rows_and_a_pack_have_the_same_gradients() -> None:
    network, lengths = spectral_network(), (3, 30, 31)
    rows, weights = padded(lengths), tuple(network.parameters())
    towards = torch.randn(len(lengths), len(LABELS), generator=torch.Generator().manual_seed(2))
    pack = Pack([sequence(length) for length in lengths], torch.device("cpu"))
    found = torch.autograd.grad((network(rows, (rows != 0).long()) * towards).sum(), weights)
    expected = torch.autograd.grad((network.read(pack) * towards).sum(), weights)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-3)
    assert all(float(gradient.abs().max()) > 0 for gradient in found), "every weight has its part in the answer"


def test_probabilities_in_bfloat16_stay_near_those_in_float32(tmp_path: Path) -> None:
    folder = spectral_model(tmp_path, initializer_range=0.05)
    batch = [sequence(length) for length in LENGTHS]
    full, half = (logits_of(load(folder, dtype), batch) for dtype in (torch.float32, torch.bfloat16))
    torch.testing.assert_close(half.softmax(-1), full.softmax(-1), atol=2e-2, rtol=0)


@pytest.mark.parametrize("neighbour", [40, 41, 63, 1], ids=lambda length: f"{length} tokens")
def test_a_neighbour_in_the_batch_changes_nothing(folder: Path, neighbour: int) -> None:
    """Whether it shares the transform or not."""
    model, own = load(folder), sequence(40)
    alone = logits_of(model, [own])[0]
    beside = logits_of(model, [sequence(neighbour, 1), own, sequence(neighbour, 2)])[1]
    torch.testing.assert_close(beside, alone, atol=5e-6, rtol=0)


def test_the_order_of_a_texts_tokens_matters_to_its_answer(folder: Path) -> None:
    model, text = load(folder), sequence(30)
    forwards, backwards = logits_of(model, [text, list(reversed(text))])
    assert (forwards - backwards).abs().max() > 0.01


def test_another_batch_may_run_between_any_two_layers(folder: Path) -> None:
    model = load(folder)
    batch, other = [sequence(90), sequence(5)], [sequence(30)]
    seen: list[Tensor] = []
    found = model.forward(batch, between=lambda: seen.append(logits_of(model, other)))
    assert len(seen) == model.info.layers - 1
    assert found == model.forward(batch)
    assert all(torch.equal(one, logits_of(model, other)) for one in seen)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        pytest.param({"num_frequencies": 13}, "num_frequencies is 13, which is no tensor's size", id="frequencies"),
        pytest.param({"num_gate_blocks": 5}, "num_gate_blocks is 5, which is no tensor's size", id="blocks"),
        pytest.param({"num_gate_blocks": 3}, "is 16, expected a multiple of num_gate_blocks, 3", id="uneven blocks"),
        pytest.param({"hidden_size": 24}, "weights in .* do not fit its config.json", id="width"),
        pytest.param({"num_hidden_layers": 4}, "missing keys: layers.3", id="layers"),
        pytest.param({"classifier_pooling": "cls"}, "is 'cls', expected 'mean' of this family", id="pooling"),
    ],
)
def test_a_configuration_that_does_not_fit_the_weights_is_refused(
    tmp_path: Path, changes: dict[str, Any], told: str
) -> None:
    folder = spectral_model(tmp_path)
    edit_json(folder / "config.json", **changes)
    with pytest.raises(ModelError, match=told):
        load(folder)


def test_the_window_may_be_any_for_there_is_no_row_for_a_position(tmp_path: Path) -> None:
    folder = spectral_model(tmp_path, max_position_embeddings=65_536)
    assert load(folder).info.window == 65_536


def test_a_task_that_the_family_does_not_serve_is_refused(folder: Path) -> None:
    wanted = ModelConfig.model_validate({"location": str(folder), "family": "spectral", "task": "token-classification"})
    with pytest.raises(ModelError, match="spectral does not serve the task token-classification; it serves text"):
        load_model(wanted, Placement(torch.device("cpu"), torch.float32, "sdpa"))


def test_sizes_have_from_fifty_million_weights_to_seven_billion() -> None:
    counts = {}
    for name, size in SIZES.items():
        with torch.device("meta"):
            network = SpectralForSequenceClassification(SpectralConfig(**size))
        counts[name] = round(sum(weight.numel() for weight in network.parameters()) / 1e6)
    assert list(counts) == ["small", "medium", "large", "xlarge", "xxlarge", "ultimate"]
    assert 40 < counts["small"] < 60
    assert 6_500 < counts["ultimate"] < 7_500
