"""`plimsoll-server bench moe`: other ways to compute a layer of experts, and how evenly a model uses its own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from moe_builders import moe_model
from plimsoll_server.bench.cli import bench
from plimsoll_server.bench.moe import measure as module
from plimsoll_server.bench.moe.measure import DisagreementError, measure
from plimsoll_server.bench.moe.shapes import LayerShape, shape_of
from plimsoll_server.bench.moe.use import use_of
from plimsoll_server.bench.moe.ways import DENSE, EXPERT_LOOP, OURS, TOKEN_LOOP, Way, layer, ways
from plimsoll_server.config import ModelConfig
from plimsoll_server.models.family import Placement
from plimsoll_server.models.load import load_model
from server_builders import random_model

CPU = torch.device("cpu")
SMALL = LayerShape(2, 20, 32)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@torch.inference_mode()
def test_every_way_computes_the_same(dtype: torch.dtype) -> None:
    router, experts = layer(SMALL, dtype, CPU)
    rows = torch.randn(SMALL.tokens, SMALL.width).to(dtype)
    routing = router(rows)
    chosen = ways(SMALL, experts)
    assert {OURS, TOKEN_LOOP, DENSE, EXPERT_LOOP, "transformers, eager", "transformers, grouped_mm"} < set(chosen)
    expected = chosen[TOKEN_LOOP](rows, routing).float()
    for name, way in chosen.items():
        found = way(rows, routing).float()
        assert (found - expected).abs().max() < (1e-5 if dtype is torch.float32 else 2e-2) * expected.abs().max(), name


def test_a_round_times_every_way_on_the_same_rows() -> None:
    told: list[str] = []
    figures = measure(SMALL, 3, torch.float32, CPU, told.append)
    assert figures.rounds == 3
    assert figures.tokens == figures.looped_tokens == 40
    assert set(figures.ahead) == {TOKEN_LOOP, DENSE, EXPERT_LOOP, "transformers"}
    assert all(ratio.least <= ratio.median <= ratio.most for ratio in figures.ahead.values())
    fastest = min(seconds for name, seconds in figures.seconds.items() if name.startswith("transformers"))
    assert figures.seconds[f"transformers, {figures.best_of_transformers}"] == fastest
    assert told[0].endswith("warming up")
    assert told[-1].endswith("round 3 of 3")


def test_a_way_that_computes_something_else_is_not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    def one_apart(shape: LayerShape, experts: torch.nn.Module) -> dict[str, Way]:
        return {**ways(shape, experts), DENSE: lambda rows, _: rows}  # type: ignore[arg-type]

    monkeypatch.setattr(module, "ways", one_apart)
    with pytest.raises(DisagreementError, match=r"all experts for all tokens is .* from the loop over tokens"):
        measure(SMALL, 1, torch.float32, CPU, lambda _: None)


def test_the_arithmetic_is_that_of_two_experts_for_each_token() -> None:
    shape = LayerShape(32, 512, 1024)
    assert shape.flops == 2 * (32 * 512) * 2 * (3 * 1024 * 2048)


@pytest.mark.parametrize("text", ["32x512", "0x1x1", "axbxc", "1x1x1x1"])
def test_a_shape_that_is_none_says_what_to_write(text: str) -> None:
    with pytest.raises(ValueError, match="expected BATCHxSEQUENCExWIDTH such as 32x512x1024"):
        shape_of(text)


def test_a_model_tells_how_evenly_its_experts_are_used(tmp_path: Path) -> None:
    wanted = ModelConfig(location=str(moe_model(tmp_path)), family="moe")
    model = load_model(wanted, Placement(CPU, torch.float32, "sdpa"))
    use = use_of(model, [[2, 5, 6, 3], [2, 7, 3]] * 20, lambda _: None)
    assert (use.texts, use.tokens) == (40, 140)
    for each in use.layers:
        assert sum(each.shares) == pytest.approx(1, abs=1e-4)
        assert each.balance == pytest.approx(8 * max(each.shares), abs=1e-2)
        assert 0 < each.entropy < 1
        assert each.unused == sum(share < 1 / 80 for share in each.shares)
    assert use.buffers_reused == pytest.approx(4 / 6, abs=1e-3)


def test_a_model_without_experts_is_refused(tmp_path: Path) -> None:
    model = load_model(ModelConfig(location=str(random_model(tmp_path))), Placement(CPU, torch.float32, "sdpa"))
    with pytest.raises(ValueError, match=r"expected a model with experts \(family moe\), found one of .* modernbert"):
        use_of(model, [[2, 3]], lambda _: None)


def test_the_command_writes_figures_a_page_and_a_picture_and_leaves_out_what_does_not_fit(tmp_path: Path) -> None:
    model, texts = moe_model(tmp_path / "model"), tmp_path / "texts.jsonl"
    texts.write_text('{"text": "tide tyre"}\n{"text": "cloud"}\n')
    options = ["--shapes", "2x20x32,9999x99999x9999", "--rounds", "1", "--model", str(model), "--texts", str(texts)]
    done = CliRunner().invoke(bench, ["moe", "--output", str(tmp_path / "out"), *options])
    assert done.exit_code == 0, done.output
    found = json.loads((tmp_path / "out" / "moe.json").read_text())
    assert [each["shape"] for each in found["layers"]] == ["2x20x32"]
    assert "GiB, and" in found["left_out"]["9999x99999x9999"]
    assert found["use"]["texts"] == 2
    assert str(tmp_path) not in json.dumps(found)
    page = (tmp_path / "out" / "moe.md").read_text()
    assert "| 2x20x32, float32 |" in page
    assert "9999x99999x9999 was not run" in page
    assert (tmp_path / "out" / "moe.png").read_bytes().startswith(b"\x89PNG")


def test_a_model_wants_its_texts(tmp_path: Path) -> None:
    done = CliRunner().invoke(bench, ["moe", "--model", str(tmp_path)])
    assert done.exit_code == 2
    assert "--model and --texts go together" in done.output
