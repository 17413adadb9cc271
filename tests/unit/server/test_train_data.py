"""Rows streamed and shuffled: each once per epoch, in an order that a restart in the middle does not change."""

from __future__ import annotations

import json
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow.json
import pyarrow.parquet
import pytest

from plimsoll_server.train.config import TrainingConfig
from plimsoll_server.train.data import Example, Place, Reader, Stream, open_rows
from plimsoll_server.train.demo.tokenizer import train_tokenizer
from plimsoll_server.train.errors import TrainingError
from training_builders import ROWS, made_up_rows, tiny_config, write_rows

SOURCES = ("json", "parquet", "several files")


@pytest.fixture
def config(tmp_path: Path, request: pytest.FixtureRequest) -> TrainingConfig:
    return configured(tmp_path, getattr(request, "param", "json"))


def configured(folder: Path, source: str, **data: Any) -> TrainingConfig:
    """The same rows, in one file or in three."""
    config = tiny_config(folder, {"data": {"source": "parquet" if source == "parquet" else "json", **data}})
    if source == "json":
        return config
    names = [f"part-{number}.jsonl" for number in range(3)]
    for number, name in enumerate(names):
        write_rows(folder / name, made_up_rows()[number * 30 : number * 30 + 30])
    if source == "parquet":
        for number, name in enumerate(names):
            names[number] = f"part-{number}.parquet"
            pyarrow.parquet.write_table(pyarrow.json.read_json(folder / name), folder / names[number], row_group_size=7)
    side = config.data.training.model_copy(update={"files": tuple(names)})
    return config.model_copy(update={"data": config.data.model_copy(update={"training": side})})


def stream_of(config: TrainingConfig, folder: Path, rank: int = 0, processes: int = 1, seed: int = 0) -> Stream:
    tokenizer = train_tokenizer((row["text"] for row in made_up_rows()), 300)
    rows = open_rows(config.data, config.data.training, folder)
    reader = Reader(config.data, tokenizer, config.model.shape.max_position_embeddings)
    return Stream(rows, reader, config.data, seed=seed, rank=rank, processes=processes)


def order(examples: list[Example]) -> list[tuple[int, int]]:
    return [(example.epoch, example.row) for example in examples]


@pytest.mark.parametrize("config", SOURCES, indirect=True)
def test_an_epoch_has_every_row_once_and_each_epoch_an_order_of_its_own(config: TrainingConfig, tmp_path: Path) -> None:
    first, second = (order(half) for half in _halves(stream_of(config, tmp_path).take(2 * ROWS)))

    assert sorted(first) == [(0, row) for row in range(ROWS)]
    assert sorted(second) == [(1, row) for row in range(ROWS)]
    assert [row for _, row in first] != [row for _, row in second]
    assert {row for _, row in first[:32]} == set(range(32))


def test_a_row_is_framed_cut_to_the_window_and_labelled(config: TrainingConfig, tmp_path: Path) -> None:
    write_rows(tmp_path / "training.jsonl", [{"text": "tide " * 100, "label": "sky"}, {"text": "wave", "label": "sea"}])

    long, short = sorted(stream_of(config, tmp_path).take(2), key=lambda example: example.row)

    assert (len(long.tokens), long.label, short.label) == (32, 2, 0)
    assert [list(example.tokens)[:: len(example.tokens) - 1] for example in (long, short)] == [[2, 3], [2, 3]]


@pytest.mark.parametrize("config", SOURCES, indirect=True)
@pytest.mark.parametrize("before", [1, 32, 45, ROWS, ROWS + 33])
def test_read_on_from_any_place_the_rows_are_what_they_would_have_been(
    config: TrainingConfig, tmp_path: Path, before: int
) -> None:
    uninterrupted = stream_of(config, tmp_path)
    uninterrupted.take(before)
    place = Place.model_validate_json(uninterrupted.place.model_dump_json())

    restarted = stream_of(config, tmp_path)
    restarted.read_on(place)

    assert restarted.take(2 * ROWS) == uninterrupted.take(2 * ROWS)


@pytest.mark.parametrize("config", SOURCES, indirect=True)
def test_processes_share_the_rows_and_each_reads_on_where_it_was(config: TrainingConfig, tmp_path: Path) -> None:
    streams = [stream_of(config, tmp_path, rank, 3) for rank in range(3)]
    parts = [stream.take(20) for stream in streams]
    for rank, stream in enumerate(streams):
        restarted = stream_of(config, tmp_path, rank, 3)
        restarted.read_on(stream.place)
        rest = stream.take(10)
        assert restarted.take(10) == rest
        parts[rank] += rest

    texts = sorted(tuple(example.tokens) for example in chain.from_iterable(parts))
    assert texts == sorted(tuple(example.tokens) for example in stream_of(config, tmp_path).take(ROWS))


def test_another_seed_gives_another_order_and_blocks_of_one_row_that_of_the_data_set(tmp_path: Path) -> None:
    config, unshuffled = configured(tmp_path, "json"), configured(tmp_path, "json", shuffle_rows=1)

    assert order(stream_of(config, tmp_path).take(50)) != order(stream_of(config, tmp_path, seed=1).take(50))
    assert order(stream_of(unshuffled, tmp_path).take(50)) == [(0, row) for row in range(50)]


def test_a_label_may_be_its_place_among_the_labels(config: TrainingConfig, tmp_path: Path) -> None:
    write_rows(tmp_path / "training.jsonl", [{"text": "wave", "label": 2}])
    assert stream_of(config, tmp_path).take(1)[0].label == 2


@pytest.mark.parametrize(
    ("row", "message"),
    [
        pytest.param({"text": "wave", "label": "fire"}, "labels sea, land, sky .* of row 0, found 'fire'", id="label"),
        pytest.param({"text": "wave", "label": 3}, "of row 0, found 3", id="label beyond the list"),
        pytest.param({"text": "wave"}, "of row 0, found None; .*data.label", id="no label"),
        pytest.param({"content": "wave", "label": 0}, "found None among the columns content, label", id="no text"),
        pytest.param({"text": 7, "label": 0}, "expected a text in column 'text' of row 0, found 7", id="a number"),
    ],
)
def test_a_row_that_cannot_be_learnt_from_is_told_with_its_place(
    config: TrainingConfig, tmp_path: Path, row: dict[str, Any], message: str
) -> None:
    write_rows(tmp_path / "training.jsonl", [row])
    with pytest.raises(TrainingError, match=message):
        stream_of(config, tmp_path)


def test_files_that_are_missing_empty_or_damaged_are_told(config: TrainingConfig, tmp_path: Path) -> None:
    file = tmp_path / "training.jsonl"
    for content, message in (
        (json.dumps({"text": "wave", "label": 0})[:9], "expected rows"),
        ("", "expected"),
    ):
        file.write_text(content)
        with pytest.raises(TrainingError, match=message):
            stream_of(config, tmp_path)
    file.unlink()
    with pytest.raises(TrainingError, match=r"expected rows of json .*training\.jsonl"):
        stream_of(config, tmp_path)


def _halves(examples: list[Example]) -> tuple[list[Example], list[Example]]:
    return examples[:ROWS], examples[ROWS:]
