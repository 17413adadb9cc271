"""The bayesian family: its probabilities are the mean over samples of its weights, the same whatever else is in the
batch, and it tells how sure it is."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch
from torch import Tensor

from bayesian_builders import bayesian_model
from family_builders import sequence
from moe_builders import LABELS
from plimsoll_server.config import ModelConfig
from plimsoll_server.models.bayesian import BayesianForSequenceClassification, noise_of, samples, uncertainty
from plimsoll_server.models.errors import ModelError
from plimsoll_server.models.family import Model, Placement
from plimsoll_server.models.load import load_model
from plimsoll_server.types import LabelLogits, Tokens, Uncertainty

LENGTHS = (1, 2, 17, 127, 128)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bayesian_model(tmp_path_factory.mktemp("bayesian"))


def load(folder: Path, dtype: torch.dtype = torch.float32) -> Model:
    wanted = ModelConfig(location=str(folder), family="bayesian")
    return load_model(wanted, Placement(torch.device("cpu"), dtype, "sdpa"))


def outputs(model: Model, batch: list[Tokens]) -> list[LabelLogits]:
    return [output for output in model.forward(batch) if isinstance(output, LabelLogits)]


def told(output: LabelLogits) -> Uncertainty:
    assert output.uncertainty is not None
    return output.uncertainty


def test_a_loaded_model_tells_that_it_is_uncertain(folder: Path) -> None:
    info = load(folder).info
    assert (info.family, info.uncertain, info.labels, info.packing) == ("bayesian", True, LABELS, "packed")


@torch.inference_mode()
def test_probabilities_are_those_of_weights_drawn_one_set_after_the_other(folder: Path) -> None:
    """Weights in the place of logits: as many sets as the noise has, each through the whole last layer."""
    network = BayesianForSequenceClassification.from_pretrained(folder, attn_implementation="eager")
    text = sequence(40)
    inputs = torch.tensor([text]), torch.ones(1, 40)
    plain = network(*inputs)[0]
    kept: list[Tensor] = []
    network.classifier.register_forward_pre_hook(lambda _, given: kept.append(given[0][0]))
    network(*inputs)
    [features] = kept
    drawn = 200_000
    noise = torch.randn(drawn, 3, 32, generator=torch.Generator().manual_seed(1))
    logits = plain + torch.einsum("slw,vw,v->sl", noise, network.spread, features)
    expected = logits.softmax(-1).mean(0)
    many = torch.randn(drawn, 3, generator=torch.Generator().manual_seed(2))
    deviation = network.deviations(features.unsqueeze(0))
    found, _, _ = uncertainty(samples(plain.unsqueeze(0), deviation, many, 1.0))
    assert float(deviation) > 0.2
    torch.testing.assert_close(found[0].exp(), expected, atol=5e-3, rtol=0)


def test_what_is_served_is_the_mean_over_the_models_own_samples(folder: Path) -> None:
    model = load(folder)
    network = BayesianForSequenceClassification.from_pretrained(folder, attn_implementation="eager")
    text = sequence(30)
    with torch.inference_mode():
        kept: list[Tensor] = []
        network.classifier.register_forward_pre_hook(lambda _, given: kept.append(given[0]))
        logits = network(torch.tensor([text]), torch.ones(1, 30))
        spread = (kept[0] @ network.spread).norm()
        each = (logits + noise_of(network.config, torch.device("cpu")) * spread).softmax(-1)
    mean = each.mean(0)
    entropy = float(-(mean * mean.log()).sum())
    conditional = float(-(each * each.log()).sum(-1).mean())
    [found] = outputs(model, [text])
    assert found.logits == pytest.approx(mean.log().tolist(), abs=1e-5)
    assert told(found).entropy == pytest.approx(entropy, abs=1e-5)
    assert told(found).mutual_information == pytest.approx(entropy - conditional, abs=1e-5)
    assert 0.001 < told(found).mutual_information < told(found).entropy < math.log(3)


def test_a_neighbour_in_the_batch_changes_nothing(folder: Path) -> None:
    model = load(folder)
    batch = [sequence(length) for length in LENGTHS]
    alone = [outputs(model, [text])[0].numbers for text in batch]
    for found, expected in zip(outputs(model, batch), alone, strict=True):
        assert found.numbers == pytest.approx(expected, abs=1e-5)


def test_without_a_spread_the_answer_is_the_plain_networks_and_nothing_is_left_to_learn(tmp_path: Path) -> None:
    folder = bayesian_model(tmp_path)
    network = BayesianForSequenceClassification.from_pretrained(folder)
    with torch.no_grad():
        network.spread.zero_()
    network.save_pretrained(folder)
    text = sequence(20)
    with torch.inference_mode():
        expected = network(torch.tensor([text]), torch.ones(1, 20)).log_softmax(-1)[0]
    [found] = outputs(load(folder), [text])
    assert found.logits == pytest.approx(expected.tolist(), abs=1e-5)
    assert told(found).mutual_information == pytest.approx(0, abs=1e-6)


def test_a_temperature_divides_the_logits_of_every_sample(tmp_path: Path) -> None:
    cold, hot = (bayesian_model(tmp_path / str(value), temperature=value) for value in (1.0, 8.0))
    text = sequence(20)
    [first], [second] = (outputs(load(folder), [text]) for folder in (cold, hot))
    assert told(second).entropy > told(first).entropy
    assert told(second).mutual_information < told(first).mutual_information


def test_in_bfloat16_probabilities_stay_near_float32(tmp_path: Path) -> None:
    folder = bayesian_model(tmp_path, initializer_range=0.05)
    full, half = (
        torch.tensor([output.logits for output in outputs(load(folder, dtype), [sequence(n) for n in LENGTHS])])
        for dtype in (torch.float32, torch.bfloat16)
    )
    torch.testing.assert_close(half.exp(), full.exp(), atol=2e-2, rtol=0)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"num_samples": 1}, "num_samples 1, expected a whole number from 2 to 256"),
        ({"num_samples": 1000}, "num_samples 1000, expected a whole number from 2 to 256"),
        ({"temperature": 0}, "temperature 0, expected a number above 0"),
        ({"problem_type": "multi_label_classification"}, "expected two labels or more, and single_label"),
    ],
)
def test_a_config_that_cannot_be_meant_is_refused(tmp_path: Path, changed: dict[str, object], expected: str) -> None:
    file = bayesian_model(tmp_path) / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changed))
    with pytest.raises(ModelError, match=expected):
        load(tmp_path)
