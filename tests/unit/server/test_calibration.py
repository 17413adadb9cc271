"""The load line as the server measures it: real memory, really touched."""

from __future__ import annotations

import asyncio
import itertools
import resource
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from held_memory import AMPLE, MEBIBYTE, Heap, counted_as_untouched, untouched
from plimsoll_server.config import ModelConfig
from plimsoll_server.engine.calibration import Calibrator
from plimsoll_server.engine.calibration_file import recall, remember
from plimsoll_server.engine.engine import Engine
from plimsoll_server.engine.fit import fitted, steps_agree
from plimsoll_server.engine.memory import return_large_blocks
from plimsoll_server.engine.meter import ProcessMeter
from plimsoll_server.engine.process_memory import ProcessBudget
from plimsoll_server.engine.trials import Patience, Trials
from plimsoll_server.models.family import Between, Placement
from plimsoll_server.models.load import load_model
from plimsoll_server.types import Activation, Calibration, ModelInfo, Output, Tokens, Trial
from server_builders import random_model
from serving.folders import model_folder
from serving.shapes import BASE

INFO = ModelInfo(
    location="/m", revision=None, family="modernbert", task="text-classification", dtype="float32", attention="sdpa",
    device="cpu", window=8192, vocabulary=6, width=8, layers=22, pooling="mean", packing="packed", labels=("sea",),
    activation=Activation.SOFTMAX, tokenizer_file="",
)  # fmt: skip
PATIENCE, AMPLE_SECONDS = "plimsoll_server.engine.trials._MOST_SECONDS", 600.0
"""No trial ends because the machine was busy with something else."""


@pytest.fixture(autouse=True, scope="module")
def as_the_server_does() -> Iterator[None]:
    """What it does to its own process is taken back from this one, as far as that goes."""
    limits = resource.getrlimit(resource.RLIMIT_DATA)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(PATIENCE, AMPLE_SECONDS)
        return_large_blocks(64 << 20)
        yield
    resource.setrlimit(resource.RLIMIT_DATA, limits)


def alone() -> None:
    """As the server does, in a process of its own."""
    pytest.MonkeyPatch().setattr(PATIENCE, AMPLE_SECONDS)
    return_large_blocks(64 << 20)
    # As by the server's self-test: code comes into memory with its first use and counts, and the kernel takes it back
    # where others want the room.
    Taking(1).forward([[1] * 512])


class Taking:
    """A model whose layers touch so many bytes per token and so many whatever the batch; beyond `fits` tokens the real
    allocator is asked for more than the machine has."""

    def __init__(self, per_token: int, per_batch: int = 0, fits: int = 1 << 60) -> None:
        self.info = INFO
        self.batches: list[list[int]] = []
        self.layers_run = 0
        self._per_token, self._per_batch, self._fits = per_token, per_batch, fits

    def forward(self, batch: Sequence[Tokens], between: Between | None = None) -> list[Output]:
        self.batches.append([len(tokens) for tokens in batch])
        tokens = sum(self.batches[-1])
        for layer in range(self.info.layers):
            if layer and between:
                between()
            self.layers_run += 1
            torch.empty(1 << 60 if tokens > self._fits else 1)
            torch.ones(self._per_batch + tokens * self._per_token, dtype=torch.uint8)
        return []

    @property
    def sizes(self) -> list[int]:
        return sorted({sum(lengths) for lengths in self.batches})


def trials(model: Taking, longest: int = 8192) -> Trials:
    return Trials(model, ProcessMeter(), lambda: None, [1, 4, 5, 2], longest)


def seen_by_the_kernel(per_token: int, per_batch: int) -> tuple[float, float, int]:
    """What it takes per token and per batch, and the most tokens that were tried."""
    alone()
    model = Taking(per_token, per_batch)
    model.forward([[1] * 512])
    return *fitted(trials(model).run(1 << 15, AMPLE).trials, ProcessMeter.telling), max(model.sizes)


@pytest.mark.parametrize(
    ("per_token", "per_batch"),
    [
        pytest.param(3_000, 0, id="a small model"),
        pytest.param(40_000, 0, id="a large one"),
        pytest.param(20_000, 12 * MEBIBYTE, id="one that takes something for each batch"),
    ],
)
def test_what_a_token_takes_is_what_the_kernel_saw(fresh: Executor, per_token: int, per_batch: int) -> None:
    of_token, of_batch, most = fresh.submit(seen_by_the_kernel, per_token, per_batch).result(timeout=240)
    assert of_token == pytest.approx(per_token, rel=0.1)
    assert of_batch == pytest.approx(per_batch, abs=4 * MEBIBYTE)
    assert most * per_token < 200 * MEBIBYTE, "no more than it takes to tell"


def test_one_sequence_and_many_are_tried_and_only_their_first_layers() -> None:
    model = Taking(20_000)
    trials(model, longest=1024).run(4096, AMPLE)
    assert [1024] in model.batches
    assert all(max(lengths) <= 1024 for lengths in model.batches)
    assert any(len(set(lengths)) > 4 for lengths in model.batches), "of many lengths"
    assert model.layers_run == 3 * len(model.batches)


def test_a_model_that_runs_its_sequences_one_by_one_is_tried_so() -> None:
    model = Taking(20_000)
    model.info = replace(INFO, packing="alone")
    trials(model).run(2048, AMPLE)
    assert model.batches == [[512], [1024], [2048]]


def sizes_tried(per_token: int, room: int) -> list[int]:
    alone()
    model = Taking(per_token)
    trials(model).run(1 << 15, room)
    return model.sizes


def test_a_batch_that_might_not_fit_is_not_tried(fresh: Executor) -> None:
    sizes = fresh.submit(sizes_tried, 80_000, 60 * MEBIBYTE).result(timeout=240)
    assert sizes == [512], "forty megabytes of sixty: twice as much has no room"


@pytest.mark.parametrize(
    ("seconds", "sizes"),
    [
        pytest.param((0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4), 7, id="twice as long for twice the size"),
        pytest.param((0.1, 0.4, 1.6, 6.4), 4, id="four times as long: attention over all of it"),
        pytest.param((0.1, 2.0, 0.4, 0.8, 1.6, 3.2, 6.4), 7, id="one was kept waiting for two seconds"),
        pytest.param((16.0,), 1, id="one took all the time there is"),
    ],
)
def test_trials_go_on_while_the_next_is_likely_to_end_in_time(seconds: tuple[float, ...], sizes: int) -> None:
    moments = itertools.accumulate(seconds, initial=100.0)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(PATIENCE, 15.0)
        patience = Patience(lambda: next(moments))
        asked = [patience.lasts_for_the_next() for _ in seconds]
    assert asked == [True] * (sizes - 1) + [False]


class Interrupted(Taking):
    """Its layers take a tenth of a second, and from so many tokens on a minute: others want the machine."""

    now, from_tokens = 0.0, 0

    def forward(self, batch: Sequence[Tokens], between: Between | None = None) -> list[Output]:
        def border() -> None:
            self.now += 0.1 if sum(map(len, batch)) < self.from_tokens else 60.0
            if between:
                between()

        return super().forward(batch, border)


@pytest.mark.parametrize(
    ("from_tokens", "sizes", "layers", "sufficed"),
    [
        pytest.param(512, [512, 512], 3 + 3, True, id="at first, without which nothing would be known"),
        pytest.param(1024, [512, 512], 3 + 3 + 1, False, id="after one size, of which no line is drawn for good"),
        pytest.param(2048, [512, 512, 1024, 1024], 4 * 3 + 1, True, id="after two"),
    ],
)
def test_a_batch_that_outlasts_the_time_ends_before_its_next_layer(
    monkeypatch: pytest.MonkeyPatch, from_tokens: int, sizes: list[int], layers: int, sufficed: bool
) -> None:
    monkeypatch.setattr(PATIENCE, 15.0)
    model = Interrupted(20_000)
    model.from_tokens = from_tokens
    tried = replace(trials(model), clock=lambda: model.now).run(4096, AMPLE)
    assert [trial.tokens for trial in tried.trials] == sizes
    assert model.layers_run == layers
    assert tried.sufficed == sufficed


def test_no_more_is_tried_than_could_ever_run() -> None:
    model = Taking(100)
    trials(model, longest=100).run(700, AMPLE)
    assert model.sizes == [512]


@pytest.mark.parametrize(("fits", "tried"), [(600, 2), (100, 0)], ids=["after one that fitted", "at once"])
def test_a_trial_that_runs_out_of_memory_is_no_reason_not_to_start(fits: int, tried: int) -> None:
    assert len(trials(Taking(20_000, fits=fits)).run(4096, AMPLE).trials) == tried


def test_a_fault_of_the_model_is_not_taken_for_a_shortage() -> None:
    class Faulty(Taking):
        def forward(self, batch: Sequence[Tokens], between: Between | None = None) -> list[Output]:
            raise RuntimeError("shapes cannot be multiplied")

    with pytest.raises(RuntimeError, match="shapes"):
        trials(Faulty(1)).run(512, AMPLE)


def growth_of_labels(folder: Path) -> int:
    alone()
    placement = Placement(torch.device("cpu"), torch.float32, "sdpa")
    model = load_model(ModelConfig(location=str(folder), task="token-classification"), placement)
    batch = [[1] * 1024] * 8
    model.forward(batch[:1])
    return ProcessMeter().growth(lambda: model.forward(batch))


def test_the_labels_of_thousands_take_no_more_than_the_layers_that_are_tried(fresh: Executor, tmp_path: Path) -> None:
    """The trials end before the head: whole, these logits and their probabilities were 130 megabytes."""
    labels = dict(enumerate(["O", *(f"B-{number}" for number in range(1_999))]))
    folder = random_model(tmp_path, "token-classification", id2label=labels, label2id={})
    assert fresh.submit(growth_of_labels, folder).result(timeout=240) < 60 * MEBIBYTE


def seen(*rows: tuple[int, int, int]) -> list[Trial]:
    return [Trial(*row) for row in rows]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        pytest.param([(1, 100, 5_000)], (50, 0), id="one that tells"),
        pytest.param([(1, 100, 7)], (1, 0), id="next to nothing"),
        pytest.param([(1, 100, 3_000), (1, 200, 5_000)], (20, 1_000), id="a step, and what comes on top"),
        pytest.param([(1, 100, 9_000), (1, 200, 9_500), (1, 400, 13_500)], (20, 7_000), id="the last step counts"),
        pytest.param(
            [(1, 100, 2_000), (9, 100, 1_000), (1, 200, 3_000), (9, 200, 4_000)], (30, 0), id="the steeper shape counts"
        ),
        pytest.param([(1, 100, 900), (1, 200, 5_000)], (25, 0), id="what does not tell makes no step"),
    ],
)
def test_no_trial_lies_above_the_line_through_them(rows: list[tuple[int, int, int]], expected: tuple[int, int]) -> None:
    found = fitted(seen(*rows), telling=1_000)
    assert found == expected
    assert all(growth <= found[0] * tokens + found[1] for _, tokens, growth in rows)


@pytest.mark.parametrize(
    ("rows", "enough"),
    [
        pytest.param([(1, 100, 5_000), (1, 200, 10_000)], False, id="one step"),
        pytest.param([(1, 100, 5_000), (1, 200, 10_000), (1, 400, 20_000)], True, id="two that agree"),
        pytest.param([(1, 100, 5_000), (1, 200, 10_000), (1, 400, 30_000)], False, id="two that do not"),
        pytest.param([(1, 100, 5), (1, 200, 10), (1, 400, 20)], False, id="too small to tell"),
        pytest.param(
            [(1, 100, 5_000), (9, 200, 10_000), (9, 400, 20_000), (9, 800, 40_000)], True, id="one shape ended before"
        ),
        pytest.param(
            [(1, 100, 5_000), (1, 200, 10_000), (1, 400, 20_000), (9, 400, 20_000)], False, id="the other shape is new"
        ),
    ],
)
def test_larger_batches_are_tried_until_two_steps_agree(rows: list[tuple[int, int, int]], enough: bool) -> None:
    assert steps_agree(seen(*rows), telling=1_000) is enough


def budget() -> ProcessBudget:
    """More than any trial takes, so that this process is not held below what it uses."""
    return ProcessBudget(AMPLE, AMPLE)


class Touching(Taking):
    """Each batch touches the heap as well."""

    def __init__(self, heap: Heap) -> None:
        super().__init__(per_token=20_000)
        self._heap = heap

    def forward(self, batch: Sequence[Tokens], between: Between | None = None) -> list[Output]:
        self._heap.touch()
        return super().forward(batch, between)


def kept_for_a_heap(size: int) -> int:
    """What is given back of it and not counted as untouched."""
    alone()
    heap = Heap(size)
    Calibrator(budget(), None).calibrate(replace(trials(Touching(heap)), free=heap.give_back), 512)
    return untouched() - counted_as_untouched()


def test_what_is_given_back_after_the_trials_is_for_the_first_batch_and_not_above_the_ceiling(fresh: Executor) -> None:
    """Heaps of 30 to 45 MiB: beyond the 5 % of a small container that are left above the ceiling."""
    kept = fresh.submit(kept_for_a_heap, 100 * MEBIBYTE).result(timeout=240)
    assert kept == pytest.approx(100 * MEBIBYTE, abs=8 * MEBIBYTE)


def test_the_next_start_finds_the_trials_and_measures_the_room_anew(tmp_path: Path) -> None:
    file = tmp_path / "calibration-1.json"
    model = Taking(20_000)
    first = Calibrator(budget(), file).calibrate(trials(model), 2048)
    tried = len(model.batches)
    second = Calibrator(ProcessBudget(AMPLE // 2, AMPLE), file).calibrate(trials(model), 2048)
    assert tried > 0
    assert len(model.batches) == tried, "nothing is run again"
    assert first
    assert second
    assert (second.bytes_per_token, second.trials) == (first.bytes_per_token, first.trials)
    assert second.room < first.room
    assert [entry.name for entry in tmp_path.iterdir()] == ["calibration-1-8192-2048.json"], "no unfinished file stays"


@pytest.mark.parametrize(
    ("longest", "most"),
    [pytest.param(2048, 1024, id="longer sequences"), pytest.param(1024, 2048, id="more at once")],
)
def test_trials_of_other_tiers_are_made_anew(tmp_path: Path, longest: int, most: int) -> None:
    """What a batch of the small ones took is no measure of the large ones: seen fifteen times off."""
    model = Taking(20_000)
    Calibrator(budget(), tmp_path / "calibration-1.json").calibrate(trials(model, longest=1024), 1024)
    tried = len(model.batches)
    Calibrator(budget(), tmp_path / "calibration-1.json").calibrate(trials(model, longest=longest), most)
    assert len(model.batches) > tried


def found_in_a_narrow_room(folder: Path, per_token: int, fits: int, room: int) -> bool:
    """Whether anything was found, with `room` for batches."""

    class Narrow(ProcessBudget):
        def room(self) -> int:
            return room

    alone()
    narrow = Calibrator(Narrow(AMPLE, AMPLE), folder / "calibration-1.json")
    return narrow.calibrate(trials(Taking(per_token, fits=fits)), 4096) is not None


@pytest.mark.parametrize(
    ("per_token", "fits", "room"),
    [
        pytest.param(80_000, 1 << 60, 60 * MEBIBYTE, id="the next batch might not have fitted"),
        pytest.param(20_000, 600, AMPLE, id="a batch did not fit"),
    ],
)
def test_trials_that_ended_for_want_of_memory_are_not_kept(
    fresh: Executor, tmp_path: Path, per_token: int, fits: int, room: int
) -> None:
    """A start that has more of it measures more."""
    assert fresh.submit(found_in_a_narrow_room, tmp_path, per_token, fits, room).result(timeout=240)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "content", [b"", b"{", b'[{"sequences": 1}]', b"\xff\xfe"], ids=["empty", "cut off", "another shape", "no text"]
)
def test_a_damaged_file_is_made_anew(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "calibration-1-8192-512.json"
    file.write_bytes(content)
    assert Calibrator(budget(), tmp_path / "calibration-1.json").calibrate(trials(Taking(20_000)), 512)
    assert recall(file)


def test_a_directory_that_cannot_be_written_costs_nothing_but_time(tmp_path: Path) -> None:
    (tmp_path / "a-file").touch()
    remember(tmp_path / "a-file" / "calibration-1.json", seen((1, 1, 1)))


@pytest.mark.parametrize(
    ("attention", "limited", "measured"),
    [
        pytest.param("sdpa", True, True, id="as usual"),
        pytest.param("eager", True, False, id="scores that grow with the square"),
        pytest.param("sdpa", False, False, id="no limit"),
    ],
)
def test_an_engine_tells_its_line(fresh: Executor, attention: str, limited: bool, measured: bool) -> None:
    calibrated, bytes_per_token, has_tokens = fresh.submit(line_told, attention, limited).result(timeout=240)
    assert calibrated is measured
    assert (bytes_per_token == pytest.approx(20_000, rel=0.1)) is measured
    assert has_tokens is measured


def line_told(attention: str, limited: bool) -> tuple[bool, float | None, bool]:
    """Whether an engine was calibrated, its bytes for a token, and whether it knows how many tokens fit."""
    alone()
    model = Taking(20_000)
    model.info = replace(model.info, attention=attention)
    with ThreadPoolExecutor(1) as worker:
        engine = Engine(model, worker, budget() if limited else None)
        calibration = asyncio.run(engine.calibrate([1, 4, 2], longest=2048, together=4096))
    return calibration is not None, engine.line().bytes_per_token, engine.line().tokens is not None


def calibrated(folder: Path) -> tuple[float, Calibration | None]:
    """The seconds of all processors together that it takes, and what it finds. With the time that a server gives it."""
    return_large_blocks(64 << 20)
    placement = Placement(torch.device("cpu"), torch.float32, "sdpa")
    model = load_model(ModelConfig(location=str(folder)), placement)
    with ThreadPoolExecutor(1) as worker:
        engine = Engine(model, worker, budget())
        began = time.process_time()
        calibration = asyncio.run(engine.calibrate(range(4, 260), longest=32_768, together=32_768))
        return time.process_time() - began, calibration


@pytest.mark.thorough
@pytest.mark.timeout(900)
def test_the_base_shape_is_calibrated_within_twenty_seconds(fresh: Executor) -> None:
    """Of one processor, whatever else the machine does: on a quiet one of two cores it waits for two or three."""
    taken, calibration = fresh.submit(calibrated, model_folder(BASE)).result(timeout=840)
    assert taken < 20
    assert calibration
    assert calibration.bytes_per_token > 0
