"""What is said of a measurement follows from it: lengths, FLOPs, promises."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from preemption_table import preemption_lines
from serving.shapes import BASE, PERIOD
from serving.texts import Lengths, texts
from serving_gpu_table import gpu_lines
from serving_targets import verdicts


@pytest.mark.parametrize(("tokens", "tera"), [(512, 0.122), (8_192, 3.5), (32_768, 33.8)], ids=["512", "8K", "32K"])
def test_the_flops_of_modernbert_base_are_those_that_are_known(tokens: int, tera: float) -> None:
    assert BASE.flops(tokens) / 1e12 == pytest.approx(tera, rel=0.03)


def test_the_weights_of_modernbert_base_are_those_that_are_known() -> None:
    assert BASE.weight_bytes() / 4 == pytest.approx(149e6, rel=0.01)


def test_texts_have_lengths_that_are_spread_over_the_whole_range_and_are_all_different() -> None:
    made = texts(PERIOD, Lengths(32, 1_024), 16, seed=0)
    sizes = sorted(len(text.split()) + 2 for text in made)
    assert len(set(made)) == 16
    assert (sizes[0], sizes[-1]) == (63, 993)
    assert sum(sizes) / 16 == pytest.approx(Lengths(32, 1_024).mean, abs=1)


def test_each_round_has_texts_of_its_own() -> None:
    one, other = (texts(PERIOD, Lengths(64, 128), 8, seed=seed) for seed in (0, 1))
    assert not set(one) & set(other)


def rate(tokens: int, share: float, ahead: float) -> dict[str, Any]:
    return {"tokens": tokens, "share": {"median": share}, "ahead": {"median": ahead}}


@pytest.mark.parametrize(
    ("part", "figures", "met"),
    [
        ("rates", rate(512, 0.75, 0.95), [True, True]),
        ("rates", rate(512, 0.74, 0.94), [False, False]),
        ("rates", rate(2_048, 0.75, 1.29), [True, False]),
        ("rates", rate(8_192, 0.75, 1.9), [True, True]),
        ("peaks", {"name": "plimsoll", "tokens": 8_192, "activations": 51, "weights": 100}, [False]),
        ("peaks", {"name": "plimsoll", "tokens": 16_384, "activations": 99, "weights": 100}, [True]),
        ("peaks", {"name": "transformers", "tokens": 8_192, "activations": 900, "weights": 100}, []),
        ("around", {"hits_per_second": 2_500, "added": {"median": 0.0016}}, [True, False]),
        (
            "services",
            {
                "layers": 22,
                "lengths": "64 to 128",
                "at_once": 8,
                "services": [{"service": "Infinity", "ahead": {"median": 1.39}}],
            },
            [False],
        ),
    ],
)
def test_a_promise_is_missed_by_a_little_as_well(part: str, figures: dict[str, Any], met: list[bool]) -> None:
    assert [verdict.met for verdict in verdicts({part: {"figures": [figures]}})] == met


def packed(tokens: int, seconds: float | None) -> dict[str, Any]:
    best = {"tokens": tokens, "sequences": 1, "attention": "flash", "seconds": 0.01, "tflops": 1.0, "share": 0.4}
    return {"best": best, "eager": {**best, "attention": "eager", "seconds": seconds}}


def test_the_table_of_a_gpu_tells_a_shortage_of_memory_from_a_time(tmp_path: Path) -> None:
    answers = {"at_once": 4, "answered": 8, "refused": {}, "per_second": 1_499.0, "out_of_memory": 0}
    document = {
        "command": "make bench-gpu",
        "date": "2026-01-01",
        "machine": {"cores": 1, "cpu": "c", "memory_gib": 1, "system": "s", "gpu": "g", "gpu_memory_gib": 1},
        "versions": {},
        "alone": packed(32_768, None)["best"],
        "eight": packed(8_192, None)["best"],
        "curve": [packed(1_024, 0.0175), packed(8_192, None)],
        "short_texts": [answers],
        "at_the_line": answers,
        "neighbour": {"beside": answers, "after": answers},
    }
    path = tmp_path / "server-gpu.json"
    path.write_text(json.dumps(document))
    lines = list(gpu_lines(path))
    missed = [line.split(" | ")[0].strip("| ") for line in lines if "**missed**" in line]
    assert missed == ["512 tokens over HTTP, per second"]
    assert "| 8,192 | 1 | flash | 10.00 ms | 1.0 | 40.0% | out of memory |  |" in lines


def test_a_short_text_is_promised_the_longest_layer_and_its_own_time(tmp_path: Path) -> None:
    found = {
        "shorts": 200,
        "p50": 0.9,
        "p95": 1.1,
        "p99": 1.1,
        "worst": 1.2,
        "as_promised": 0.98,
        "longs_per_minute": 6,
    }
    run = {
        "command": "bench", "date": "2026-11-22", "versions": {},
        "machine": {"cores": 2, "cpu": "a CPU", "memory_gib": 24, "system": "Linux"},
        "layers": 22, "width": 384, "long_tokens": 8192, "short_tokens": 512, "every": 2.0,
        "long_alone": 8.8, "longest_layer": 0.8, "short_alone": 0.3, "ways": {"within the long one": found},
    }  # fmt: skip
    (path := tmp_path / "preemption.json").write_text(json.dumps(run))
    lines = "\n".join(preemption_lines(path))
    assert "takes 8.80 s, 0.80 s its longest layer" in lines
    assert "within 1.10 s" in lines
    assert "| within the long one | 200 | 0.90 | 1.10 | 1.10 | 1.20 | 98% | 6.0 |" in lines
