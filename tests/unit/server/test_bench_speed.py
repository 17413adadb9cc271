"""`plimsoll-server bench latency`, `throughput` and `memory`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from moe_builders import moe_model
from plimsoll_server.bench.cli import bench
from server_builders import random_model


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return random_model(tmp_path_factory.mktemp("model"), max_position_embeddings=256)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(bench, arguments)


def test_latencies_of_as_many_texts_as_asked_are_told_and_kept(model: Path, tmp_path: Path) -> None:
    done = run("latency", str(model), "--tokens", "32", "--requests", "20", "--output", str(tmp_path / "found.json"))
    assert done.exit_code == 0, done.output
    document = json.loads((tmp_path / "found.json").read_text())
    found = document["figures"]
    assert found["count"] == 20
    assert 0 < found["p50"] <= found["p95"] <= found["p99"] <= found["most"]
    assert document["command"] == "plimsoll-server bench latency MODEL_DIR --tokens 32 --requests 20"
    assert "32 tokens: mean" in done.output


def test_rates_are_by_the_size_of_the_batch(model: Path, tmp_path: Path) -> None:
    options = ["--tokens", "16", "--batches", "1,8", "--rounds", "3", "--output", str(tmp_path / "found.json")]
    assert run("throughput", str(model), *options).exit_code == 0
    small, large = json.loads((tmp_path / "found.json").read_text())["figures"]
    assert (small["batch"], large["batch"]) == (1, 8)
    assert large["texts_per_second"] > small["texts_per_second"]
    assert large["tokens_per_second"] == pytest.approx(16 * large["texts_per_second"], rel=0.01)


def test_memory_grows_with_the_batch_and_the_disk_holds_the_files(model: Path, tmp_path: Path) -> None:
    options = ["--tokens", "256", "--batches", "1,256", "--output", str(tmp_path / "found.json")]
    assert run("memory", str(model), *options).exit_code == 0
    found = json.loads((tmp_path / "found.json").read_text())["figures"]
    one, many = (each["growth"] for each in found["batches"])
    # Hidden states alone, of 32 numbers in float32 for each token.
    assert many > 256 * 256 * 32 * 4
    assert many > one
    assert found["disk"] == sum(file.stat().st_size for file in model.iterdir())


def test_a_model_of_any_family_is_read_by_its_own_config(tmp_path: Path) -> None:
    done = run("latency", str(moe_model(tmp_path)), "--tokens", "8", "--requests", "2")
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["latency", "--tokens", "257"], "expected texts of 1 to 256 tokens, the model's window, found 257"),
        (
            ["throughput", "--batches", "1,two"],
            "expected --batches such as 1,8,16,32, each from 1 to 4096, found '1,two'",
        ),
        (["memory", "--batches", "0"], "expected --batches such as"),
    ],
)
def test_what_cannot_be_meant_is_told(model: Path, arguments: list[str], expected: str) -> None:
    command, *options = arguments
    done = run(command, str(model), *options)
    assert done.exit_code == 1
    assert expected in done.output


def test_a_folder_without_a_model_is_told(tmp_path: Path) -> None:
    done = run("latency", str(tmp_path))
    assert done.exit_code == 1
    assert "config.json" in done.output
