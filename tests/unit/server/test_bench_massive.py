"""The suite `massive`: what is measured, what is not and why, and which law the times follow."""

from __future__ import annotations

import json
import resource
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import typer
from typer.testing import CliRunner, Result

from plimsoll_server.bench.cli import bench
from plimsoll_server.bench.massive.cli import Size
from plimsoll_server.bench.massive.contenders import Contender, llama_like, spectral
from plimsoll_server.bench.massive.growth import LAWS, growth
from plimsoll_server.bench.massive.measure import Plan, Row, measure
from plimsoll_server.bench.massive.place import Place, settled
from plimsoll_server.engine.process_memory import private_bytes
from plimsoll_server.models.spectral import SIZES, SpectralConfig, SpectralForSequenceClassification

app = typer.Typer()
app.add_typer(bench, name="bench")
CPU = torch.device("cpu")
MIB = 1 << 20


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["bench", "massive", *map(str, arguments)])


def small(**overrides: int) -> Contender:
    shape: dict[str, Any] = {
        "hidden_size": 64,
        "num_frequencies": 12,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        **overrides,
    }
    config = SpectralConfig(vocab_size=100, **shape)
    weights = sum(weight.numel() for weight in SpectralForSequenceClassification(config).parameters())
    made = spectral("small")
    return Contender("tiny", made.network, config, made.mixing_flops, weights)


def row(tokens: int, seconds: float | None, model: str = "one", batch: int = 1) -> Row:
    time = None if seconds is None else seconds * 1e3
    status: Any = "measured" if seconds else "out of memory"
    return Row(model, 1, 1.0, batch, tokens, status=status, mean_time_ms=time, min_time_ms=time)


def rows_of(contender: Contender, place: Place, batch: int, tokens: int, most_seconds: float = 60.0) -> list[Row]:
    plan = Plan((batch,), (tokens,), runs=1, most_seconds=most_seconds)
    return [found for cell in measure([contender], plan, place, lambda text: None) for found in cell]


@pytest.fixture
def place_of_little(monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """With 420 MiB more than the process has."""
    monkeypatch.setattr(
        "plimsoll_server.bench.massive.place._memory_limit", lambda: (private_bytes() + 420 * MIB) * 100 // 95
    )
    with settled(CPU, torch.float32) as place:
        yield place


def test_results_report_and_picture_are_written(tmp_path: Path) -> None:
    lengths = (16, 32, 64)
    result = run(
        *("--batch-sizes", "1", "--seq-lengths", ",".join(map(str, lengths)), "--compare-llama"),
        *("--runs", "1", "--device", "cpu", "--output", tmp_path),
    )
    assert result.exit_code == 0, result.output
    rows = json.loads((tmp_path / "massive_model_small_results.json").read_text())
    assert [(row["model"], row["batch_size"], row["seq_len"]) for row in rows] == [
        (model, 1, length) for length in lengths for model in ("spectral small", "Llama 2")
    ]
    for row in rows:
        assert row["status"] == "measured"
        assert row["throughput_tokens_per_sec"] == pytest.approx(row["seq_len"] / row["mean_time_ms"] * 1e3, rel=0.01)
        assert row["peak_memory_mb"] >= row["weights_mb"] == pytest.approx(row["parameters"] * 4 / MIB, abs=0.1)
    report = (tmp_path / "massive_model_small_report.md").read_text()
    assert (
        "`plimsoll-server bench massive --size small --batch-sizes 1 --seq-lengths 16,32,64 --compare-llama" in report
    )
    assert report.count("| Llama 2 | 1 |") == 4, "three lengths and how time grows"
    assert (tmp_path / "massive_model_small_growth.png").read_bytes().startswith(b"\x89PNG")


def test_limits_of_the_process_are_afterwards_as_before() -> None:
    before = (resource.getrlimit(resource.RLIMIT_DATA), torch.get_num_threads())
    with settled(CPU, torch.float32):
        assert resource.getrlimit(resource.RLIMIT_DATA) != before[0]
    assert (resource.getrlimit(resource.RLIMIT_DATA), torch.get_num_threads()) == before


def test_a_shortage_of_memory_is_a_row_and_the_next_one_is_measured(place_of_little: Place) -> None:
    [lost] = rows_of(small(hidden_size=256), place_of_little, 1, 65_536)
    assert (lost.status, lost.mean_time_ms, lost.runs) == ("out of memory", None, 0)
    assert lost.detail
    [found] = rows_of(small(), place_of_little, 1, 512)
    assert (found.status, found.runs) == ("measured", 1)


@pytest.mark.parametrize(
    ("make", "batch"),
    [
        pytest.param(small, 8, id="states"),
        pytest.param(lambda: spectral("large"), 1, id="weights"),
    ],
)
def test_what_cannot_fit_is_told_before_it_is_tried(
    place_of_little: Place, make: Callable[[], Contender], batch: int
) -> None:
    [lost] = rows_of(make(), place_of_little, batch, 65_536)
    assert lost.status == "does not fit"
    assert "MiB more at least" in lost.detail


def test_what_would_take_too_long_is_left_out(place_of_little: Place) -> None:
    [lost] = rows_of(small(), place_of_little, 1, 8_192, most_seconds=1e-6)
    assert lost.status == "takes too long"
    assert "at most 1e-06 s are wanted" in lost.detail


@pytest.mark.parametrize("size", SIZES)
def test_llama_is_made_as_large_as_the_spectral_network(size: str) -> None:
    own = spectral(size)
    other = llama_like(own, 65_536)
    assert other.parameters == pytest.approx(own.parameters, rel=0.005)
    assert 2 < other.config.intermediate_size / other.config.hidden_size < 3.5
    assert other.config.head_dim == 128


def test_flops_grow_as_each_architecture_mixes() -> None:
    own = spectral("small")
    other = llama_like(own, 65_536)
    assert own.flops(1, 65_536) / own.flops(1, 32_768) == pytest.approx(2, abs=0.05)
    assert other.flops(1, 65_536) / other.flops(1, 32_768) > 3.5
    assert other.flops(8, 512) == pytest.approx(8 * other.flops(1, 512))


@pytest.mark.parametrize("law", LAWS)
def test_times_that_follow_a_law_are_fitted_by_it(law: str) -> None:
    lengths = [512 << step for step in range(8)]
    [found] = growth([row(tokens, 3e-9 * LAWS[law](tokens)) for tokens in lengths])
    assert found.fits[law].off == pytest.approx(0, abs=1e-9)
    assert found.fits[law].seconds == pytest.approx(3e-9)
    assert all(fit.off > 0.3 for name, fit in found.fits.items() if name != law)
    assert found.exponent == pytest.approx(2 if law == "n²" else 1.1, abs=0.05)


def test_growth_is_of_the_smallest_batch_with_enough_lengths() -> None:
    enough = [row(tokens, tokens / 1e4, batch=2) for tokens in (512, 1024, 2048)]
    few = [row(512, 0.1), row(1024, 0.2), row(2048, None)]
    other = [row(tokens, 0.1, model="other", batch=8) for tokens in (512, 1024)]
    [found] = growth([*few, *enough, *other])
    assert (found.model, found.batch_size, len(found.times)) == ("one", 2, 3)
    assert found.last_exponent == pytest.approx(1)


def test_the_sizes_that_can_be_named_are_those_of_the_family() -> None:
    assert [str(size) for size in Size] == list(SIZES)


def test_every_size_is_counted_without_memory() -> None:
    result = run("--count")
    assert result.exit_code == 0, result.output
    told = result.stdout.splitlines()
    assert len(told) == 2 * len(SIZES)
    assert told[0].startswith("spectral small: 48,")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        pytest.param(("--batch-sizes", "1,x"), "expected numbers from 1 to 1,024, such as 1,8 or", id="no number"),
        pytest.param(("--batch-sizes", "0"), "found '0'", id="none at once"),
        pytest.param(("--seq-lengths", "65537"), "expected numbers from 1 to 65,536", id="too long"),
        pytest.param(("--seq-lengths", ","), "expected a number or several, such as 512,2048, found none", id="none"),
        pytest.param(("--size", "huge"), "'huge' is not one of 'small', 'medium'", id="no size"),
        pytest.param(("--output", "/nowhere/at/all"), "expected a folder that is there", id="no folder"),
    ],
)
def test_options_that_cannot_be_are_refused(arguments: tuple[str, ...], told: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert told in " ".join(result.stderr.replace("│", " ").split())
