"""`plimsoll-server bench calibration`: its figures are those of the model's own answers."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer
from typer.testing import CliRunner

from bayesian_builders import bayesian_model
from moe_builders import LABELS
from plimsoll_server.bench.cli import bench
from plimsoll_server.config import ModelConfig
from plimsoll_server.models.family import Placement
from plimsoll_server.models.load import load_model
from plimsoll_server.types import LabelLogits
from server_builders import random_model

WORDS = ("tide", "tyre", "cloud", "the")


def texts(file: Path, count: int, seed: int) -> list[dict[str, str]]:
    draw = random.Random(seed)
    rows = [
        {"text": " ".join(draw.choices(WORDS, k=draw.randint(1, 9))), "label": draw.choice(LABELS)}
        for _ in range(count)
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return rows


def test_the_figures_are_those_of_the_answers_that_are_served(tmp_path: Path) -> None:
    folder = bayesian_model(tmp_path / "model", temperature=2.0)
    rows = texts(tmp_path / "own.jsonl", 60, seed=1)
    (tmp_path / "other.jsonl").write_text('{"text": "cloud cloud cloud"}\n{"text": "tyre"}\n')
    files = ["--texts", str(tmp_path / "own.jsonl"), "--outside", str(tmp_path / "other.jsonl")]
    done = CliRunner().invoke(bench, ["calibration", str(folder), *files, "--output", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    document = json.loads((tmp_path / "out" / "calibration.json").read_text())
    figures = document["figures"]

    model = load_model(
        ModelConfig(location=str(folder), family="bayesian"), Placement(torch.device("cpu"), torch.float32, "sdpa")
    )
    tokenizer = Tokenizer.from_file(model.info.tokenizer_file)
    found = model.forward([tokenizer.encode(row["text"]).ids for row in rows])
    right = [
        LABELS[output.logits.index(max(output.logits))] == row["label"]
        for output, row in zip(found, rows, strict=True)
        if isinstance(output, LabelLogits)
    ]
    assert figures["accuracy"] == pytest.approx(sum(right) / 60, abs=1e-4)
    assert sum(each["texts"] for each in figures["after"]["bins"]) == 60
    gaps = sum(each["texts"] * abs(each["right"] - each["probability"]) for each in figures["after"]["bins"])
    assert figures["after"]["expected_calibration_error"] == pytest.approx(gaps / 60, abs=1e-3)
    assert (figures["before"]["temperature"], figures["after"]["temperature"]) == (1, 2)
    assert figures["apart"]["texts"] == 2
    assert all(0 <= figures["apart"][by] <= 1 for by in ("entropy", "mutual_information", "likeliest"))
    assert str(tmp_path) not in json.dumps(document)
    assert (tmp_path / "out" / "calibration.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('{"text": "tide", "label": "moon"}', "labels moon are none of the model's: sea, land, sky"),
        ('{"label": "sea"}', "expected one JSON object with a `text` on each line"),
        ("", "expected one JSON object with a `text` on each line"),
    ],
)
def test_texts_that_cannot_be_used_are_told(tmp_path: Path, line: str, expected: str) -> None:
    (tmp_path / "own.jsonl").write_text(f"{line}\n")
    command = ["calibration", str(bayesian_model(tmp_path / "model")), "--texts", str(tmp_path / "own.jsonl")]
    done = CliRunner().invoke(bench, command)
    assert done.exit_code == 1
    assert expected in done.output


def test_a_model_of_another_family_is_refused(tmp_path: Path) -> None:
    texts(tmp_path / "own.jsonl", 2, seed=1)
    command = ["calibration", str(random_model(tmp_path / "model")), "--texts", str(tmp_path / "own.jsonl")]
    done = CliRunner().invoke(bench, command)
    assert done.exit_code == 1
    assert "modernbert" in done.output
