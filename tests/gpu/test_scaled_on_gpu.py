"""The scaled family on a GPU: the same answers as the plain network in float32 on the CPU."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import torch

from plimsoll_server.config import ModelConfig
from plimsoll_server.models.family import Placement
from plimsoll_server.models.load import load_model
from plimsoll_server.types import LabelLogits
from scaled_builders import scaled_model, scaled_network

SHAPE = {"vocab_size": 2048, "hidden_size": 512, "num_hidden_layers": 4, "intermediate_size": 1024}


@pytest.mark.parametrize(
    ("dtype", "tolerance"),
    [pytest.param(torch.float32, 1e-4, id="float32"), pytest.param(torch.bfloat16, 2e-2, id="bfloat16")],
)
def test_probabilities_are_those_of_the_plain_network(tmp_path: Path, dtype: torch.dtype, tolerance: float) -> None:
    draw = random.Random(3)
    batch = [[draw.randrange(4, 2048) for _ in range(length)] for length in (1, 17, 127, 128)]
    folder = scaled_model(tmp_path, initializer_range=0.05, **SHAPE)
    network = scaled_network(initializer_range=0.05, **SHAPE)
    with torch.inference_mode():
        expected = torch.cat([network(torch.tensor([tokens]), torch.ones(1, len(tokens))) for tokens in batch])

    model = load_model(
        ModelConfig(location=str(folder), family="scaled"), Placement(torch.device("cuda"), dtype, "sdpa")
    )
    found = torch.tensor([output.logits for output in model.forward(batch) if isinstance(output, LabelLogits)])

    torch.testing.assert_close(found.softmax(-1), expected.softmax(-1), atol=tolerance, rtol=0)
