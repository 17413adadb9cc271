"""Families of the project's own, through real servers: what the network says of a text is what a caller is told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer
from transformers import PreTrainedModel

from moe_builders import moe_model
from plimsoll_server.models.registry import FAMILIES
from scaled_builders import scaled_model
from server_builders import server_config
from server_process import serving
from spectral_builders import LABELS, spectral_model

TEXTS = ("the tide", "the cloud " * 30, "tyre")
TIERS = [{"name": "short", "maxTokens": 128, "concurrency": 4}]


@pytest.mark.parametrize(
    ("family", "make"), [("moe", moe_model), ("scaled", scaled_model), ("spectral", spectral_model)]
)
async def test_a_caller_is_told_what_the_network_says(
    tmp_path: Path, family: str, make: Callable[[Path], Path]
) -> None:
    folder = make(tmp_path)
    network: PreTrainedModel = FAMILIES[family].networks["text-classification"].from_pretrained(folder)
    async with serving(server_config(folder, model={"family": family}, tiers=TIERS)) as server:
        for text in TEXTS:
            answer = await server.predict(text)
            assert answer.status_code == 200, answer.text
            found = {one["label"]: one["score"] for one in answer.json()}
            assert found == pytest.approx(probabilities(network, folder, text), abs=1e-4)


def probabilities(network: PreTrainedModel, folder: Path, text: str) -> dict[str, float]:
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    tokens = torch.tensor([tokenizer.encode(text).ids])
    with torch.inference_mode():
        scores = network(tokens, torch.ones_like(tokens)).softmax(-1)[0].tolist()
    return dict(zip(LABELS, scores, strict=True))
