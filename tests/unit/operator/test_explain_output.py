"""What `kubectl plimsoll explain` writes for scripts and into files, and what it refuses."""

from __future__ import annotations

import json
import struct
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from matplotlib.figure import Figure
from typer.testing import CliRunner

import trials
from plimsoll_operator.cli.errors import CliError, WrongInputError
from plimsoll_operator.cli.explanation.trial import parse_trial
from plimsoll_operator.cli.explanation.verdict_rows import draw_rows
from plimsoll_operator.cli.main import app
from trials import make_object

DOCS = Path(__file__).parents[3] / "docs"


def saved(folder: Path, found: dict[str, Any]) -> str:
    path = folder / "domains.json"
    path.write_text(json.dumps(found))
    return str(path)


def test_scripts_get_the_figures_as_numbers(tmp_path: Path) -> None:
    run = CliRunner().invoke(app, ["explain", "-f", saved(tmp_path, trials.rolled_back()), "-o", "json"])
    told = json.loads(run.stdout)
    assert (told["phase"], told["verdict"], told["decidedAt"]) == ("RolledBack", "rolled back", "2026-05-04T03:01:40Z")
    assert told["name"] == "guardrails/domains"
    assert (told["trial"]["requests"], told["trial"]["signals"][1]["evidence"]) == (500, 530)
    assert told["trial"]["points"][-1] == {
        "at": "2026-05-04T03:01:40Z",
        "step": 1,
        "weight": 10,
        "evidence": {"errors": 530, "latency": 0.7},
    }


@pytest.mark.parametrize("found", [trials.analysing(), trials.rolled_back()], ids=["under analysis", "rolled back"])
def test_a_picture_is_drawn_beside_the_words(tmp_path: Path, found: dict[str, Any]) -> None:
    png = tmp_path / "plot.png"
    run = CliRunner().invoke(app, ["explain", "-f", saved(tmp_path, found), "--png", str(png)])
    assert "EVIDENCE" in run.stdout
    content = png.read_bytes()
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", content[16:24])
    assert width >= 1200
    assert height >= 700
    assert len(content) > 20_000, "a picture with nothing on it is smaller"


def test_the_recorded_rollout_of_the_documentation_can_be_explained() -> None:
    run = CliRunner().invoke(app, ["explain", "-f", str(DOCS / "explain-rollback.yaml")])
    assert "rollouts/slow  rolled back" in run.stdout
    assert "HigherLatency: slower than 25 ms: 100 % of 161 canary requests" in run.stdout
    assert (DOCS / "explain-rollback.png").read_bytes()[:4] == b"\x89PNG"


def test_a_bound_is_drawn_with_its_own_figures_and_not_with_those_of_the_bucket_that_tells_most() -> None:
    """145 of 161 took longer than the objective; all of them took longer than 25 ms, as 44 % of stable's did."""
    trial = parse_trial(yaml.safe_load((DOCS / "explain-rollback.yaml").read_text())["status"])
    assert trial is not None
    axes = Figure().subplots()
    draw_rows(axes, trial, {}, ("black", "o"))
    told = [text.get_text() for text in axes.texts]
    assert told[1:] == [
        "canary 0 %; at most 1.9 %; stable 0 %; allowed 1 %",
        "slow answers (above the objective): canary 90 %; at most 100 %; allowed 73 %",
    ]


def test_without_the_extra_the_command_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    arguments = ["explain", "-f", saved(tmp_path, trials.analysing()), "--png", str(tmp_path / "plot.png")]
    run = CliRunner().invoke(app, arguments)
    assert isinstance(run.exception, CliError)
    assert "pip install 'plimsoll-operator[plot]'" in str(run.exception)


def test_a_picture_of_nothing_is_refused_with_the_reason(tmp_path: Path) -> None:
    found = make_object("Surging", message="waiting for the first pod")
    arguments = ["explain", "-f", saved(tmp_path, found), "--png", str(tmp_path / "plot.png")]
    run = CliRunner().invoke(app, arguments)
    assert isinstance(run.exception, CliError)
    assert "no evidence to draw" in str(run.exception)
    assert "waiting for the first pod" in str(run.exception)


@pytest.mark.parametrize("arguments", [[], ["domains", "-f", "domains.yaml"]], ids=["neither", "both"])
def test_either_a_name_or_a_file_is_asked_for(arguments: list[str]) -> None:
    run = CliRunner().invoke(app, ["explain", *arguments])
    assert isinstance(run.exception, WrongInputError)


@pytest.mark.parametrize("option", ["--namespace", "--context", "--kubeconfig"])
def test_a_cluster_that_a_file_does_not_ask_is_refused(tmp_path: Path, option: str) -> None:
    run = CliRunner().invoke(app, ["explain", "-f", saved(tmp_path, trials.analysing()), option, "other"])
    assert isinstance(run.exception, WrongInputError)
    assert "without a cluster" in str(run.exception)
