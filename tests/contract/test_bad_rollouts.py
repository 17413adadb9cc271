"""The recipes for bad rollouts do what they say: real server processes, real memory, this machine's own processor."""

from __future__ import annotations

import itertools
import re
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import torch
from prometheus_client.parser import text_string_to_metric_families

from bad_rollouts import BAD_ROLLOUTS, FULL_BATCH, SQUEEZED, slow_dtype
from plimsoll_sandbox.node.memory import bytes_in_use, process_trees
from plimsoll_server.config import ModelConfig
from plimsoll_server.engine.device import choose_placement
from plimsoll_server.engine.process_memory import ceiling_percent
from plimsoll_server.models.load import load_model
from server_builders import random_model, server_config
from server_process import ServerProcess, environment, process

MEBIBYTE = 1 << 20
MARGIN = 16 * MEBIBYTE
"""What use varies by from one start to the next."""
REQUESTS = 3
PATIENCE_SECONDS = 300
RECIPES = {recipe.name: recipe for recipe in BAD_ROLLOUTS}
_NUMBERS = itertools.count()
PROGRAMS = Path(__file__).parents[1] / "programs"
GROWING = (sys.executable, str(PROGRAMS / "server_that_grows.py"))
WITH_AGENT = (sys.executable, str(PROGRAMS / "server_with_agent.py"))


@pytest.fixture(scope="module")
def demo_shaped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As large as the demo's model, and with as much of a window; its weights do not matter here."""
    shape: dict[str, Any] = {
        "hidden_size": 128,
        "intermediate_size": 192,
        "num_hidden_layers": 4,
        "local_attention": 64,
    }
    return random_model(tmp_path_factory.mktemp("demo-shaped"), **shape)


def pod(recipe: str, percent: int, model: Path) -> tuple[int, dict[str, str]]:
    """The limit and the environment of a pod of the recipe."""
    before = RECIPES[recipe].before
    limit = int(before["server"]["resources"]["limits"]["memory"].removesuffix("Mi")) * MEBIBYTE
    config = server_config(model, tiers=before["tiers"], memoryUtilizationPercent=percent)
    # Nobody is timed here: a busy machine takes as long as it takes.
    patience = str(PATIENCE_SECONDS)
    return limit, environment(
        config,
        PLIMSOLL_MEMORY_LIMIT_BYTES=str(limit),
        PLIMSOLL_CACHE_BYTES=before["server"]["cache"]["maxSize"],
        PLIMSOLL_REQUEST_DEADLINE_SECONDS=patience,
    )


def ask(server: ServerProcess) -> int:
    """Texts that all but fill the tier, a full batch of them, none asked before: such a one would be no load. 0 when no
    answer came."""
    body = {"inputs": [[f"{number:04}{'x' * 1011}"] for number in itertools.islice(_NUMBERS, FULL_BATCH)]}
    try:
        return httpx.post(f"{server.url}/predict", json=body, timeout=PATIENCE_SECONDS).status_code
    except httpx.TransportError:
        return 0


def total(metrics: str, name: str) -> float:
    families = text_string_to_metric_families(metrics)
    return sum(sample.value for family in families for sample in family.samples if sample.name == name)


@dataclass(frozen=True)
class Served:
    """What became of full batches; `highest`: use of all processes of the container, as the node agent counts it."""

    statuses: list[int]
    highest: int


def serve(server: ServerProcess, limit: int, processes: int) -> Served:
    """Full batches one after the other. Above `limit` the container ends there and then."""
    highest, end = 0, time.monotonic() + PATIENCE_SECONDS
    with ThreadPoolExecutor(1) as caller:
        answers = caller.submit(lambda: [ask(server) for _ in range(REQUESTS)])
        while not answers.done() and highest <= limit and time.monotonic() < end:
            tree = process_trees([server.process.pid])[server.process.pid]
            assert len(tree) == processes, "the server and what runs beside it"
            highest = max(highest, bytes_in_use(tree, limit))
            time.sleep(0.02)
        if highest > limit:
            server.process.kill()
        return Served(answers.result(), highest)


@pytest.mark.parametrize(
    ("percent", "runs_out"),
    [(85, False), (SQUEEZED["server"]["memoryUtilizationPercent"], True)],
    ids=["the default", "squeezed"],
)
def test_under_one_load_memory_runs_out_in_full_batches_where_it_was_squeezed(
    tmp_path: Path, demo_shaped: Path, percent: int, runs_out: bool
) -> None:
    limit, variables = pod("squeezed", percent, demo_shaped)
    with process(tmp_path, variables, command=GROWING) as server:
        server.until_ready()
        served = serve(server, limit, processes=1)
        metrics = httpx.get(f"http://127.0.0.1:{variables['PLIMSOLL_METRICS_PORT']}/metrics").text
        assert server.process.poll() is None
    # Once at least: each shortage lowers the line, and below it no batch runs out.
    assert (total(metrics, "plimsoll_oom_total") > 0) is runs_out
    # Once its memory is full, the squeezed one may have no room to read a text in: callers are told to come again.
    assert set(served.statuses[1:]) <= ({200, 429} if runs_out else {200})
    assert served.statuses[0] == 200, "halved, the batches fit"
    assert total(metrics, "plimsoll_incidents_total") == 0
    # Where it runs out, an exception and no kill; where it does not, neither is near.
    farthest = limit if runs_out else limit * ceiling_percent(percent) // 100
    assert served.highest + MARGIN < farthest, f"{served.highest >> 20} of {farthest >> 20} MiB"


@pytest.mark.parametrize(("percent", "killed"), [(85, False), (100, True)], ids=["the default", "squeezed"])
def test_beside_an_agent_the_squeezed_server_passes_the_containers_limit(
    tmp_path: Path, demo_shaped: Path, percent: int, killed: bool
) -> None:
    limit, variables = pod("squeezed beside an agent", percent, demo_shaped)
    with process(tmp_path, variables, command=WITH_AGENT) as server:
        server.until_ready()
        assert (serve(server, limit, processes=2).highest > limit) is killed


@pytest.fixture
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("one_thread")
def test_the_slow_number_format_is_slow_on_this_processor(demo_shaped: Path) -> None:
    """In processor time of one thread, by turns: threads that wait for each other spin, and that would count."""
    passes = {dtype: _pass_of(demo_shaped, dtype) for dtype in ("float32", slow_dtype())}
    takes: dict[str, list[float]] = {dtype: [] for dtype in passes}
    for _ in range(7):
        for dtype, run in passes.items():
            began = time.process_time()
            run()
            takes[dtype].append(time.process_time() - began)
    assert min(takes[slow_dtype()]) > 1.5 * min(takes["float32"]), takes


def _pass_of(model: Path, dtype: str) -> Callable[[], object]:
    config = ModelConfig(location=str(model), dtype=dtype)  # type: ignore[arg-type]
    loaded = load_model(config, choose_placement(config))
    return lambda: loaded.forward([[token % 200 for token in range(200)]] * 4)


def test_a_model_that_is_not_there_is_told_at_once(tmp_path: Path) -> None:
    with process(tmp_path, environment(server_config(tmp_path / "no-such-folder"))) as server:
        assert server.ends_with() == 1
        assert "no-such-folder does not exist" in last_line(server)


def test_less_memory_than_the_server_takes_is_told_with_both_numbers(tmp_path: Path, demo_shaped: Path) -> None:
    assert "memory limit of 384 MiB is 326 MiB, but the server needs" in last_line_with_memory(
        384 * MEBIBYTE, tmp_path, server_config(demo_shaped)
    )


def test_a_limit_that_little_more_than_the_model_fits_ends_the_start_with_what_to_do(tmp_path: Path) -> None:
    """At 95 percent, batches are planned up to where allocations fail: nothing is left for a thread's stack."""
    config = server_config(random_model(tmp_path), memoryUtilizationPercent=95)
    needed = re.search(r"the server needs (\d+) MiB", last_line_with_memory(384 * MEBIBYTE, tmp_path, config))
    assert needed
    barely = (int(needed[1]) + 6) * MEBIBYTE * 100 // 95
    told = last_line_with_memory(barely, tmp_path, config)
    assert "with the model loaded" in told
    assert "raise spec.server.resources.limits.memory" in told


def last_line_with_memory(limit: int, folder: Path, config: dict[str, Any]) -> str:
    """Of a server that cannot start with `limit` bytes."""
    with process(folder, environment(config, PLIMSOLL_MEMORY_LIMIT_BYTES=str(limit))) as server:
        assert server.ends_with() == 1
        return last_line(server)


def last_line(server: ServerProcess) -> str:
    return server.log.read_text().splitlines()[-1]
