"""Every family answers as transformers does, sequence by sequence, whatever shares the batch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from family_builders import POSITIONS, TASKS, family_model, load_family, plain_network, plain_numbers, sequence
from plimsoll_server.config import ModelConfig
from plimsoll_server.models.alone import MODEL_TYPES
from plimsoll_server.models.errors import LeakError, ModelError
from plimsoll_server.models.family import Placement
from plimsoll_server.models.load import load_model
from plimsoll_server.models.packed_model import PackedModel
from plimsoll_server.models.registry import family_named
from server_builders import CLS, PAD

PACKED = ("bert", "distilbert", "modernbert", "xlm-roberta")
BEHIND_PADDING = {"camembert", "mpnet", "roberta", "xlm-roberta"}
FAMILIES = [
    *PACKED,
    *(
        name if name in ("deberta-v2", "roberta") else pytest.param(name, marks=pytest.mark.thorough)
        for name in MODEL_TYPES
    ),
]
"""Those that run alone by transformers' own code differ from each other in little: two stand for them."""
LENGTHS = (1, 2, 40, 129, 300)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Path]:
    """The folder of a family's model for a task: each is made once."""

    @cache
    def make(family: str, task: str) -> Path:
        return family_model(tmp_path_factory.mktemp("family"), family, task)

    return make


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("family", FAMILIES)
def test_a_batch_of_mixed_lengths_has_the_answers_that_transformers_gives(
    made: Callable[[str, str], Path], family: str, task: str
) -> None:
    folder = made(family, task)
    model, reference = load_family(folder, family, task), plain_network(folder, family, task)
    batch = [sequence(length) for length in LENGTHS]
    for tokens, output in zip(batch, model.forward(batch), strict=True):
        expected = plain_numbers(reference, task, tokens, model.info.pooling)
        assert output.numbers == pytest.approx(expected, abs=2e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_padding_token_within_a_text_is_read_as_transformers_reads_it(
    made: Callable[[str, str], Path], family: str
) -> None:
    """XLM-RoBERTa does not count it: what stands behind it has another position than its place."""
    folder = made(family, "text-classification")
    model, reference = (
        load_family(folder, family, "text-classification"),
        plain_network(folder, family, "text-classification"),
    )
    batch = [[CLS, 5, PAD, 7, PAD, PAD, 8], sequence(40), [PAD, 5, 6], [CLS, 9, PAD]]
    for tokens, output in zip(batch, model.forward(batch), strict=True):
        expected = plain_numbers(reference, "text-classification", tokens, model.info.pooling)
        assert output.numbers == pytest.approx(expected, abs=2e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_batch_between_the_layers_of_another_changes_neither_by_a_bit(
    made: Callable[[str, str], Path], family: str
) -> None:
    model = load_family(made(family, TASKS[0]), family, TASKS[0])
    short = [[sequence(30), sequence(7)]] * 3
    found: list[object] = []
    outer = model.forward([sequence(200)], lambda: found.append(model.forward(short[0])))
    assert outer == model.forward([sequence(200)])
    assert found == [model.forward(short[0])] * (model.info.layers - 1)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_model_tells_its_window_and_whether_it_is_packed(made: Callable[[str, str], Path], family: str) -> None:
    info = load_family(made(family, TASKS[0]), family, TASKS[0]).info
    assert info.packing == ("packed" if family in PACKED else "alone")
    assert info.window == (POSITIONS - 1 if family in BEHIND_PADDING else POSITIONS)
    assert (info.width, info.layers, len(info.labels)) == (32, 3, 3)


def test_the_longest_sequence_of_the_window_is_answered_where_positions_start_behind_padding(
    made: Callable[[str, str], Path],
) -> None:
    model = load_family(made("xlm-roberta", TASKS[0]), "xlm-roberta", TASKS[0])
    assert model.forward([sequence(model.info.window)])
    with pytest.raises(RuntimeError, match="out of bounds"):
        model.forward([sequence(model.info.window + 1)])


def test_what_has_no_fused_attention_says_eager(made: Callable[[str, str], Path]) -> None:
    assert load_family(made("deberta-v2", TASKS[0]), "deberta-v2", TASKS[0]).info.attention == "eager"


@pytest.mark.parametrize("family", ["bert", "modernbert"])
def test_a_decoder_is_refused(tmp_path: Path, family: str) -> None:
    folder = family_model(tmp_path, family, TASKS[0], is_decoder=True)
    with pytest.raises(ModelError, match="trained as an encoder"):
        load_family(folder, family, TASKS[0])


class PackedDeberta(PackedModel):
    """DeBERTa as if it could be packed: it takes the name of any attention function, and attends by itself."""

    def _layers(self) -> nn.ModuleList:
        layers: nn.ModuleList = self._network.base_model.encoder.layer
        return layers

    def _text_logits(self, rows: Tensor) -> Tensor:
        raise AssertionError("hidden states that saw each other were read")


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        pytest.param(3, "DebertaV2Layer ran without the pack", id="a layer that is not handed the pack"),
        pytest.param(1, "packed attention ran 0 times in 1 layers", id="an attention that is never called"),
    ],
)
def test_a_family_that_is_declared_packed_and_is_not_never_answers(tmp_path: Path, layers: int, message: str) -> None:
    folder = family_model(tmp_path, "deberta-v2", TASKS[0], num_hidden_layers=layers)
    info = replace(load_family(folder, "deberta-v2", TASKS[0]).info, packing="packed")
    model = PackedDeberta(plain_network(folder, "deberta-v2", TASKS[0]), info)
    with pytest.raises(LeakError, match=message):
        model.forward([sequence(5), sequence(6)])


@pytest.mark.parametrize(
    ("dtype", "packed"), [(torch.float32, True), (torch.bfloat16, False)], ids=["float32", "bfloat16"]
)
def test_weights_are_arranged_for_the_processor(
    made: Callable[[str, str], Path], dtype: torch.dtype, packed: bool
) -> None:
    wanted = ModelConfig(location=str(made("bert", TASKS[0])), family="bert")
    model = load_model(wanted, Placement(torch.device("cpu"), dtype, "sdpa"))
    assert isinstance(model, PackedModel)
    assert any(type(module) is nn.Linear for module in model._layers().modules()) is not packed


def test_an_unknown_family_is_refused_with_those_there_are() -> None:
    with pytest.raises(ModelError, match=r"this server has bayesian, bert, .*deberta-v2.*, xlm-roberta"):
        family_named("unheard-of")
