"""The moe family: packed, grouped by expert and cut short it answers as one token after the other does."""

from __future__ import annotations

import json
import math
import random
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from moe_builders import LABELS, moe_model, token_by_token
from plimsoll_server.config import ModelConfig
from plimsoll_server.models.errors import ModelError
from plimsoll_server.models.experts import Experts, Router, Routing
from plimsoll_server.models.family import HasExperts, Model, Placement
from plimsoll_server.models.load import load_model
from plimsoll_server.models.moe import MoeForSequenceClassification
from plimsoll_server.types import LabelLogits, Tokens

LENGTHS = (1, 2, 17, 127, 128)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return moe_model(tmp_path_factory.mktemp("moe"))


def load(folder: Path, attention: str = "sdpa", dtype: torch.dtype = torch.float32) -> Model:
    wanted = ModelConfig(location=str(folder), family="moe")
    return load_model(wanted, Placement(torch.device("cpu"), dtype, attention))


def sequence(length: int, seed: int = 0) -> Tokens:
    draw = random.Random(length * 1000 + seed)
    return [draw.randrange(4, 300) for _ in range(length)]


def logits_of(model: Model, batch: list[Tokens]) -> Tensor:
    return torch.tensor([output.logits for output in model.forward(batch) if isinstance(output, LabelLogits)])


@pytest.fixture
def plain(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Tensor:
    """Of LENGTHS: eager attention, every token of every layer through its own experts, one sequence at a time."""
    network = MoeForSequenceClassification.from_pretrained(folder, attn_implementation="eager")
    with monkeypatch.context() as patched, torch.inference_mode():
        patched.setattr(Experts, "forward", token_by_token)
        return torch.cat([network(torch.tensor([sequence(size)]), torch.ones(1, size)) for size in LENGTHS])


def test_a_loaded_model_tells_what_it_is(folder: Path) -> None:
    info = load(folder).info
    assert (info.family, info.window, info.vocabulary, info.width, info.layers) == ("moe", 128, 300, 32, 3)
    assert (info.pooling, info.packing, info.labels) == ("cls", "packed", LABELS)


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_a_batch_of_mixed_lengths_has_the_logits_of_each_text_alone(
    folder: Path, attention: str, plain: Tensor
) -> None:
    found = logits_of(load(folder, attention), [sequence(length) for length in LENGTHS])
    torch.testing.assert_close(found, plain, atol=1e-5, rtol=1e-5)


def test_padded_rows_have_the_logits_of_each_text_alone(folder: Path, plain: Tensor) -> None:
    rows = torch.zeros(len(LENGTHS), 128, dtype=torch.long)
    for row, length in zip(rows, LENGTHS, strict=True):
        row[:length] = torch.tensor(sequence(length))
    network = MoeForSequenceClassification.from_pretrained(folder, attn_implementation="sdpa")
    with torch.inference_mode():
        found = network(rows, (rows != 0).long())
    torch.testing.assert_close(found, plain, atol=1e-5, rtol=1e-5)


def test_probabilities_in_bfloat16_stay_near_those_in_float32(tmp_path: Path) -> None:
    folder = moe_model(tmp_path, initializer_range=0.05)
    batch = [sequence(length) for length in LENGTHS]
    full, half = (logits_of(load(folder, dtype=dtype), batch) for dtype in (torch.float32, torch.bfloat16))
    torch.testing.assert_close(half.softmax(-1), full.softmax(-1), atol=2e-2, rtol=0)


def test_a_neighbour_in_the_batch_changes_nothing(folder: Path) -> None:
    """Not even one whose tokens crowd the same experts: none is ever turned away."""
    model, own = load(folder), sequence(40)
    first, second = (logits_of(model, [neighbour, own])[1] for neighbour in (sequence(60), list(own[:1]) * 100))
    torch.testing.assert_close(first, second, atol=1e-6, rtol=0)


def test_another_batch_may_run_between_any_two_layers(folder: Path) -> None:
    model = load(folder)
    batch, other = [sequence(90), sequence(5)], [sequence(30)]
    seen: list[Tensor] = []
    found = model.forward(batch, between=lambda: seen.append(logits_of(model, other)))
    assert len(seen) == model.info.layers - 1
    assert found == model.forward(batch)
    assert all(torch.equal(one, logits_of(model, other)) for one in seen)


def test_the_experts_that_a_token_is_given_to_are_the_models_own_choice(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given to the two least likely, it would be told something else: the routing matters to the answer."""
    model, batch = load(folder), [sequence(50)]
    before = logits_of(model, batch)
    chosen = Router.forward

    def to_others(router: Router, rows: Tensor) -> Routing:
        routing = chosen(router, rows)
        return replace(routing, experts=routing.probabilities.topk(2, largest=False).indices)

    monkeypatch.setattr(Router, "forward", to_others)
    assert (logits_of(model, batch) - before).abs().max() > 0.01


def test_it_tells_what_its_experts_were_given_since_it_was_last_asked(folder: Path) -> None:
    model = load(folder)
    assert isinstance(model, HasExperts)
    batch = [sequence(40), sequence(9)]
    model.forward(batch)
    use = model.expert_use()
    assert use.routed == (49, 49, 2)  # The last layer is finished for the first tokens alone.
    assert [sum(given) for given in use.given] == [2 * routed for routed in use.routed]
    assert all(0 < entropy / routed < math.log(8) for entropy, routed in zip(use.entropy, use.routed, strict=True))
    assert (use.buffers_allocated, use.buffers_reused) == (2, 4)
    assert sum(map(sum, model.expert_use().given)) == 0


def test_the_given_are_the_routers_choices(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen: list[Tensor] = []
    router = Router.forward

    def noted(self: Router, rows: Tensor) -> Routing:
        chosen.append((routing := router(self, rows)).experts)
        return routing

    monkeypatch.setattr(Router, "forward", noted)
    model = load(folder)
    model.forward([sequence(60)])
    assert isinstance(model, HasExperts)
    assert model.expert_use().given == tuple(tuple((experts == n).sum().item() for n in range(8)) for experts in chosen)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"num_experts": -1}, "num_experts: Input should be greater than or equal to 1"),
        ({"num_experts": 2_000_000_000}, "num_experts: Input should be less than or equal to 4096"),
        ({"num_experts": 9}, "num_experts is 9, which is no tensor's size"),
        ({"num_experts_per_tok": 0}, "num_experts_per_tok: Input should be greater than or equal to 1"),
        ({"num_experts_per_tok": 9}, "num_experts_per_tok is 9, expected 8 at most"),
    ],
)
def test_numbers_of_experts_that_cannot_be_are_refused(tmp_path: Path, changed: dict[str, int], expected: str) -> None:
    file = moe_model(tmp_path) / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changed))
    with pytest.raises(ModelError, match=expected):
        load(tmp_path)


def test_a_text_without_finite_numbers_leaves_no_trace_in_the_entropy(tmp_path: Path) -> None:
    folder = moe_model(tmp_path)
    weights = load_file(folder / "model.safetensors")
    weights["token_embeddings.weight"][7] = math.nan
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    model = load(folder)
    assert isinstance(model, HasExperts)
    model.forward([[5, 7, 9], sequence(20)])
    assert all(math.isfinite(entropy) and entropy > 0 for entropy in model.expert_use().entropy)
