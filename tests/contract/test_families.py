"""Families with more to tell than a label tell it to callers and to Prometheus, from the model to the wire."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from pathlib import Path

import numpy
import pytest
import pytest_asyncio
import tritonclient.http as triton

from bayesian_builders import bayesian_model
from moe_builders import moe_model
from server_builders import server_config
from server_process import Server, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")

LAYERS, EXPERTS, CHOSEN = 3, 8, 2


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def experts(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    folder = moe_model(tmp_path_factory.mktemp("moe"), max_position_embeddings=256)
    async with serving(server_config(folder, model={"family": "moe"}), PLIMSOLL_CACHE_BYTES="0") as ready:
        yield ready


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def uncertain(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    folder = bayesian_model(tmp_path_factory.mktemp("bayesian"), max_position_embeddings=256)
    async with serving(server_config(folder, model={"family": "bayesian"})) as ready:
        yield ready


async def test_a_server_of_experts_counts_the_tokens_of_each_and_nobody_elses(experts: Server) -> None:
    """Not those of its own start, either."""
    answer = await experts.predict("tide tyre cloud")
    tokens = int(answer.headers["X-Plimsoll-Tokens"])
    counts = await experts.metrics()
    routed = [counts["plimsoll_routed_tokens_total", str(layer)] for layer in range(LAYERS)]
    assert routed == [tokens, tokens, 1]
    for layer, expected in enumerate(routed):
        given = [counts["plimsoll_expert_tokens_total", str(layer), str(expert)] for expert in range(EXPERTS)]
        assert sum(given) == CHOSEN * expected
        assert 0 < counts["plimsoll_routing_entropy_nats_total", str(layer)] < expected * math.log(EXPERTS)
    assert counts["plimsoll_expert_buffers_total", "allocated"] == 2
    assert counts["plimsoll_expert_buffers_total", "reused"] == 2 * (LAYERS - 1)


async def test_workers_of_their_own_tell_of_their_experts_as_well(tmp_path: Path) -> None:
    folder = moe_model(tmp_path, max_position_embeddings=256)
    config = server_config(folder, model={"family": "moe"})
    async with serving(config, PLIMSOLL_CACHE_BYTES="0", PLIMSOLL_DEVICES="2") as server:
        answer = await server.predict("tide tyre cloud")
        counts = await server.metrics()
    assert counts["plimsoll_routed_tokens_total", "0"] == int(answer.headers["X-Plimsoll-Tokens"])


async def test_a_server_of_another_family_has_no_series_of_experts(uncertain: Server) -> None:
    assert not [name for name, *_ in await uncertain.metrics() if "expert" in name or "routed" in name]


async def test_every_protocol_tells_the_same_uncertainty(uncertain: Server) -> None:
    text = "tide tyre cloud"
    told = (await uncertain.client.post("/classify", json={"input": [text]})).json()["data"][0]["uncertainty"]
    entropy, mutual = told["predictive_entropy"], told["mutual_information"]
    assert 0 < mutual < entropy < math.log(3)

    headers = (await uncertain.predict(text)).headers
    assert float(headers["X-Plimsoll-Predictive-Entropy"]) == pytest.approx(entropy, rel=1e-3)
    assert float(headers["X-Plimsoll-Mutual-Information"]) == pytest.approx(mutual, rel=1e-3)

    ids = (await uncertain.client.post("/infer", json={"tokens": [[2, 5, 6, 3]]})).json()
    assert 0 < ids["uncertainty"][0]["mutual_information"] < ids["uncertainty"][0]["predictive_entropy"]


async def test_tritons_client_reads_it_as_a_tensor(uncertain: Server) -> None:
    client = triton.InferenceServerClient("{}:{}".format(*uncertain.address), network_timeout=60)
    texts = triton.InferInput("text", [2], "BYTES")
    texts.set_data_from_numpy(numpy.array([b"tide", b"tyre cloud"], dtype=object))
    found = await asyncio.to_thread(client.infer, "domains", [texts])
    uncertainty = found.as_numpy("uncertainty")
    assert uncertainty.shape == (2, 2)
    assert (uncertainty[:, 1] < uncertainty[:, 0]).all()
    described = await asyncio.to_thread(client.get_model_metadata, "domains")
    assert {"name": "uncertainty", "datatype": "FP32", "shape": [-1, 2]} in described["outputs"]
    await asyncio.to_thread(client.close)


async def test_a_remembered_answer_is_as_uncertain_as_the_first(uncertain: Server) -> None:
    first, second = [(await uncertain.predict("cloud cloud tide")).headers for _ in range(2)]
    assert first["X-Plimsoll-Mutual-Information"] == second["X-Plimsoll-Mutual-Information"]
    assert (await uncertain.metrics())["plimsoll_answers_total", "memory"] > 0


async def test_a_model_without_it_tells_nothing_of_the_kind(experts: Server) -> None:
    answer = await experts.client.post("/classify", json={"input": ["tide"]})
    assert "uncertainty" not in answer.json()["data"][0]
    assert not [name for name in answer.headers if "entropy" in name]
