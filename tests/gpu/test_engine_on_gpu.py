"""The load line of a real GPU: nothing is short as deep as it says, and what is deeper is recovered from."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch

from plimsoll_server.config import ModelConfig
from plimsoll_server.engine.build import build_engine
from plimsoll_server.engine.engine import Engine
from plimsoll_server.engine.order import EngineOrder
from plimsoll_server.models.location import locate
from plimsoll_server.types import Failure
from server_builders import random_model

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")]

PERCENT = 3
"""Of a large card: the line is reached in seconds."""
LONGEST = 8_192
SHAPE: dict[str, Any] = {
    "hidden_size": 768,
    "intermediate_size": 1_152,
    "num_hidden_layers": 4,
    "num_attention_heads": 12,
    "local_attention": 128,
    "max_position_embeddings": LONGEST,
}
SAMPLE = [1, *range(4, 250), 2]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    folder = str(random_model(tmp_path_factory.mktemp("base"), **SHAPE))
    order = EngineOrder(model=ModelConfig(location=folder), located=locate(folder), memory_percent=PERCENT, threads=2)
    with ThreadPoolExecutor(1) as worker:
        yield build_engine(order, worker)
    torch.cuda.set_per_process_memory_fraction(1.0)


def document(tokens: int) -> list[int]:
    return (SAMPLE * (tokens // len(SAMPLE) + 1))[:tokens]


async def test_as_deep_as_the_line_nothing_is_short_and_deeper_is_recovered_from(engine: Engine) -> None:
    calibration = await engine.calibrate(SAMPLE, LONGEST, together=1 << 22)
    assert calibration is not None
    assert engine.line().factor == 1.0, "the one batch as deep as the line has fitted"
    sequences = engine.line().sequences(4_096, LONGEST)
    assert sequences > 1
    fits = await engine.run([document(LONGEST)] * sequences)
    assert not fits.out_of_memory
    deeper = await engine.run([document(LONGEST)] * (8 * sequences))
    assert deeper.out_of_memory
    assert Failure.OUT_OF_MEMORY not in deeper.outcomes, "in parts all of it fits"
    assert engine.line().factor < 1.0
