"""The spectral family on a GPU: the same answers as in float32 on the CPU."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import torch

from plimsoll_server.config import ModelConfig
from plimsoll_server.models.family import Placement
from plimsoll_server.models.load import load_model
from plimsoll_server.types import LabelLogits, Tokens
from spectral_builders import spectral_model

SHAPE = {"hidden_size": 256, "num_frequencies": 64, "intermediate_size": 256, "num_gate_blocks": 8}


@pytest.mark.parametrize(
    ("dtype", "tolerance"),
    [pytest.param(torch.float32, 1e-4, id="float32"), pytest.param(torch.bfloat16, 2e-2, id="bfloat16")],
)
def test_probabilities_are_those_of_the_cpu(tmp_path: Path, dtype: torch.dtype, tolerance: float) -> None:
    draw = random.Random(3)
    batch: list[Tokens] = [[draw.randrange(4, 300) for _ in range(length)] for length in (1, 17, 128, 2000)]
    folder = spectral_model(tmp_path, initializer_range=0.05, **SHAPE)
    expected, found = probabilities(folder, "cpu", torch.float32, batch), probabilities(folder, "cuda", dtype, batch)
    torch.testing.assert_close(found, expected, atol=tolerance, rtol=0)


def probabilities(folder: Path, device: str, dtype: torch.dtype, batch: list[Tokens]) -> torch.Tensor:
    wanted = ModelConfig(location=str(folder), family="spectral")
    outputs = load_model(wanted, Placement(torch.device(device), dtype, "sdpa")).forward(batch)
    return torch.tensor([output.logits for output in outputs if isinstance(output, LabelLogits)]).softmax(-1)
