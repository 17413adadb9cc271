"""The engine: recovery from real shortages of memory, honest health, and a self-test that catches what batching
would change."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from failed_frames import watched
from plimsoll_server.config import ModelConfig
from plimsoll_server.engine.cpus import usable_cpus
from plimsoll_server.engine.device import choose_placement
from plimsoll_server.engine.engine import Engine
from plimsoll_server.engine.memory import is_out_of_memory
from plimsoll_server.engine.process_memory import container_limit
from plimsoll_server.engine.recovery import run_with_recovery
from plimsoll_server.engine.self_test import SelfTestError, self_test
from plimsoll_server.models.errors import ModelError
from plimsoll_server.models.family import Between, Model, Placement
from plimsoll_server.models.load import load_model
from plimsoll_server.types import Failure, LabelLogits, ModelInfo, Outcome, Output, Tokens
from server_builders import lexicon_model

IMPOSSIBLE = 1 << 60


def needs(tokens: int) -> list[Outcome]:
    """A forward pass that asks the real allocator for more than the machine has, beyond 100 tokens."""
    torch.empty(IMPOSSIBLE if tokens > 100 else 1)
    return []


def forward(batch: Sequence[Tokens]) -> list[Outcome]:
    needs(sum(map(len, batch)))
    return [LabelLogits((float(len(tokens)),)) for tokens in batch]


def sequences(*lengths: int) -> list[list[int]]:
    return [[1] * length for length in lengths]


@pytest.mark.parametrize(
    ("lengths", "lost"),
    [
        pytest.param((10, 20), (), id="a batch that fits"),
        pytest.param((60, 60), (), id="fits in halves"),
        pytest.param((90,) * 7, (), id="fits one by one"),
        pytest.param((10, 101, 20, 30), (1,), id="one that never fits"),
        pytest.param((200, 300), (0, 1), id="none fits"),
    ],
)
def test_only_what_cannot_fit_alone_is_lost(lengths: tuple[int, ...], lost: tuple[int, ...]) -> None:
    failed: list[Sequence[Tokens]] = []
    report = run_with_recovery(forward, sequences(*lengths), failed.append)
    expected = [
        Failure.OUT_OF_MEMORY if index in lost else LabelLogits((float(length),))
        for index, length in enumerate(lengths)
    ]
    assert list(report.outcomes) == expected
    assert report.out_of_memory == bool(failed)
    assert all(sum(map(len, batch)) > 100 for batch in failed)


def test_a_sequence_that_met_a_passing_shortage_is_answered() -> None:
    """What took the memory was garbage, or another's, and is gone by the second try."""
    taken = [IMPOSSIBLE]

    def crowded(batch: Sequence[Tokens]) -> list[Outcome]:
        torch.empty(sum(taken))
        return forward(batch)

    report = run_with_recovery(crowded, sequences(10), lambda _: taken.clear())
    assert report.outcomes == (LabelLogits((10.0,)),)
    assert report.out_of_memory


def test_a_fault_that_is_no_shortage_is_not_swallowed() -> None:
    def faulty(batch: Sequence[Tokens]) -> list[Outcome]:
        raise RuntimeError("shapes cannot be multiplied")

    with pytest.raises(RuntimeError, match="shapes"):
        run_with_recovery(faulty, sequences(1), lambda _: None)


def test_the_tensors_of_a_failed_batch_are_gone_before_the_retry() -> None:
    alive: list[bool] = []
    kept: dict[str, torch.Tensor] = {}
    run_with_recovery(watched(forward, alive), sequences(60, 60), lambda _: kept.clear())
    assert alive == [False] * 3


def allocation_error() -> BaseException:
    try:
        torch.empty(IMPOSSIBLE)
    except RuntimeError as error:
        return error
    raise AssertionError("the machine has an exabyte")


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        pytest.param(allocation_error, True, id="the real allocator's"),
        pytest.param(lambda: torch.OutOfMemoryError("CUDA out of memory. Tried to allocate"), True, id="CUDA"),
        pytest.param(MemoryError, True, id="Python"),
        pytest.param(lambda: RuntimeError("std::bad_alloc"), True, id="C++"),
        pytest.param(
            lambda: RuntimeError("MKL FFT error: Intel oneMKL DFTI ERROR: Not enough memory to allocate"),
            True,
            id="MKL",
        ),
        pytest.param(lambda: RuntimeError("could not create a memory object"), True, id="oneDNN"),
        pytest.param(lambda: RuntimeError("CUDA error: out of memory"), True, id="CUDA driver"),
        pytest.param(lambda: RuntimeError("expected scalar type Float"), False, id="a fault"),
        pytest.param(lambda: ValueError("can't allocate memory"), False, id="another kind of error"),
    ],
)
def test_out_of_memory_is_told_from_faults(make: Callable[[], BaseException], expected: bool) -> None:
    assert is_out_of_memory(make()) is expected


class StubbornModel:
    """Out of memory for sequences longer than `capacity`, which the test may change."""

    def __init__(self, info: ModelInfo) -> None:
        self.info = info
        self.capacity = 10

    def forward(self, batch: Sequence[Tokens], between: Between | None = None) -> list[Output]:
        torch.empty(IMPOSSIBLE if max(map(len, batch)) > self.capacity else 1)
        return [LabelLogits((0.0,)) for _ in batch]


@pytest.fixture
def worker() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


@pytest.fixture(scope="session")
def topic_model_loaded(topic_folder: Path) -> Model:
    return load_model(ModelConfig(location=str(topic_folder)), Placement(torch.device("cpu"), torch.float32, "sdpa"))


async def test_five_lone_failures_ask_for_a_proof_and_recovery_ends_the_doubt(
    topic_model_loaded: Model, worker: ThreadPoolExecutor
) -> None:
    model = StubbornModel(topic_model_loaded.info)
    engine = Engine(model, worker)
    await engine.start(long=[1] * 4, short=[1], probe=[1] * 8)
    for _ in range(4):
        await engine.run(sequences(20))
    assert await engine.proves_itself()
    assert engine.suspect_seconds() == 0
    model.capacity = 5
    await engine.run(sequences(20))
    assert engine.suspect_seconds() > 0
    assert not await engine.proves_itself(), "the probe of 8 does not fit either"
    model.capacity = 10
    async with asyncio.timeout(60):
        while not await engine.proves_itself():
            pass
    assert engine.suspect_seconds() == 0, "what was lost came back"


async def test_texts_that_are_too_long_do_not_make_the_engine_unready(
    topic_model_loaded: Model, worker: ThreadPoolExecutor
) -> None:
    engine = Engine(StubbornModel(topic_model_loaded.info), worker)
    await engine.start(long=[1] * 4, short=[1], probe=[1] * 8)
    await engine.run(sequences(*[50] * 5))
    async with asyncio.timeout(60):
        while not await engine.proves_itself():
            pass
    assert engine.suspect_seconds() == 0, "the smallest tier still fits"


async def test_numbers_that_are_not_finite_never_become_an_answer_and_spare_the_neighbours(
    tmp_path: Path, worker: ThreadPoolExecutor
) -> None:
    folder = lexicon_model(tmp_path, {"tides": "sea", "tyre": "land"}, ("sea", "land"), poison=["cursed"])
    model = load_model(ModelConfig(location=str(folder)), Placement(torch.device("cpu"), torch.float32, "sdpa"))
    tides, cursed = 4, 6
    report = await Engine(model, worker).run([[1, tides, 2], [1, tides, cursed, 2], [1, tides, 2]])
    assert report.outcomes[1] is Failure.NON_FINITE
    assert report.outcomes[0] == report.outcomes[2] != Failure.NON_FINITE


class LeakyModel:
    """Adds up whatever is in the batch, as a model whose sequences see each other would."""

    def __init__(self, info: ModelInfo) -> None:
        self.info = info

    def forward(self, batch: Sequence[Tokens], between: Between | None = None) -> list[Output]:
        return [LabelLogits((float(sum(map(len, batch))),)) for _ in batch]


class BrokenModel(LeakyModel):
    def forward(self, batch: Sequence[Tokens], between: Between | None = None) -> list[Output]:
        return [LabelLogits((math.nan,)) for _ in batch]


def test_the_self_test_passes_a_sound_model(topic_model_loaded: Model) -> None:
    self_test(topic_model_loaded, [1, *[4] * 298, 2], [1, 4, 2])


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        pytest.param(LeakyModel, "packed with another differs", id="leaks"),
        pytest.param(BrokenModel, "not finite", id="NaN"),
    ],
)
def test_the_self_test_refuses_a_model_that(topic_model_loaded: Model, kind: type[LeakyModel], message: str) -> None:
    with pytest.raises(SelfTestError, match=message):
        self_test(kind(topic_model_loaded.info), [1] * 300, [1])


def test_a_model_that_fails_at_an_ordinary_text_is_told_in_a_sentence(topic_model_loaded: Model) -> None:
    beyond = topic_model_loaded.info.vocabulary
    with pytest.raises(SelfTestError, match=r"fails at an ordinary text \(IndexError.*save model, configuration and"):
        self_test(topic_model_loaded, [1, *[4] * 298, beyond, 2], [1, 4, 2])


async def test_the_engine_tells_how_long_it_has_been_busy(
    topic_model_loaded: Model, worker: ThreadPoolExecutor
) -> None:
    engine = Engine(topic_model_loaded, worker)
    assert engine.busy_seconds() == 0
    long = asyncio.create_task(engine.run([[4] * 1000] * 8))
    busy = 0.0
    while not busy and not long.done():
        busy = engine.busy_seconds()
        await asyncio.sleep(0)
    assert busy > 0
    await long
    assert engine.busy_seconds() == 0


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        pytest.param({"cpu.max": "max 100000\n"}, None, id="no quota"),
        pytest.param({"cpu.max": "150000 100000\n"}, 2, id="one and a half"),
        pytest.param({"cpu.max": "20000 100000\n"}, 1, id="a fifth"),
        pytest.param({"cpu/cpu.cfs_quota_us": "100000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 1, id="version 1"),
        pytest.param({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, None, id="version 1, none"),
        pytest.param({}, None, id="no cgroup"),
    ],
)
def test_threads_follow_the_quota(tmp_path: Path, files: dict[str, str], expected: int | None) -> None:
    write_files(tmp_path, files)
    everything = usable_cpus(tmp_path / "nowhere")
    assert usable_cpus(tmp_path) == (everything if expected is None else min(expected, everything))


@pytest.mark.parametrize(
    ("told", "files", "expected"),
    [
        pytest.param(None, {}, None, id="no limit"),
        pytest.param(4 << 30, {}, 4 << 30, id="as told"),
        pytest.param(4 << 30, {"memory.max": "1073741824\n"}, 1 << 30, id="the cgroup's is lower"),
        pytest.param(1 << 30, {"memory.max": "4294967296\n"}, 1 << 30, id="told is lower"),
        pytest.param(None, {"memory.max": "max\n"}, None, id="cgroup without a limit"),
        pytest.param(None, {"memory/memory.limit_in_bytes": "9223372036854771712\n"}, None, id="version 1, none"),
    ],
)
def test_the_memory_limit_is_the_lower_of_both(
    tmp_path: Path, told: int | None, files: dict[str, str], expected: int | None
) -> None:
    write_files(tmp_path, files)
    assert container_limit(told, tmp_path) == expected


def write_files(root: Path, files: dict[str, str]) -> None:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)


@pytest.mark.skipif(torch.cuda.is_available(), reason="asserts what happens without a GPU")
def test_without_a_gpu_it_is_the_cpu_in_full_precision() -> None:
    assert choose_placement(ModelConfig(location="/m")) == Placement(torch.device("cpu"), torch.float32, "sdpa")


@pytest.mark.skipif(torch.cuda.is_available(), reason="asserts what happens without a GPU")
def test_flash_attention_without_a_gpu_is_refused() -> None:
    with pytest.raises(ModelError, match="Write sdpa, or auto"):
        choose_placement(ModelConfig(location="/m", attention="flash"))


def test_an_explicit_dtype_is_kept() -> None:
    assert choose_placement(ModelConfig(location="/m", dtype="bfloat16")).dtype is torch.bfloat16


def test_bfloat16_agrees_with_itself_in_a_pack(topic_folder: Path) -> None:
    placement = replace(choose_placement(ModelConfig(location="/m")), dtype=torch.bfloat16)
    self_test(load_model(ModelConfig(location=str(topic_folder)), placement), [1, *[4] * 298, 2], [1, 4, 2])
