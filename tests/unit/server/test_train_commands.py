"""The commands: arguments, what is kept and what is refused, and the texts for the demonstration."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from tokenizers import Tokenizer
from typer.testing import CliRunner, Result

from plimsoll_server.train.cli import demo_texts as demo_texts_command
from plimsoll_server.train.cli import spoil_demo, train_demo
from plimsoll_server.train.demo.record import read_record, summary
from plimsoll_server.train.demo.texts import demo_texts

app = typer.Typer()
app.command()(train_demo)
app.command("demo-texts")(demo_texts_command)
app.command()(spoil_demo)


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_the_texts_are_of_unseen_modules_of_three_topics_and_ordered_by_length(
    trained_folder: Path, library: Path
) -> None:
    record = read_record(trained_folder)
    short, medium, long = texts = demo_texts(trained_folder, library)

    assert short.tokens < 200 <= medium.tokens < 1000
    assert long.tokens >= 3000
    assert len({text.topic for text in texts}) == 3
    assert {short.name, medium.name} <= set(record.held_out_modules)
    for text in texts:
        assert text.tokens == len(Tokenizer.from_file(str(trained_folder / "tokenizer.json")).encode(text.text).ids)


def test_demo_texts_prints_one_object_per_line(trained_folder: Path, library: Path) -> None:
    result = run("demo-texts", trained_folder, "--library", library)

    assert result.exit_code == 0, result.output
    assert [sorted(json.loads(line)) for line in result.stdout.splitlines()] == [
        ["name", "text", "tokens", "topic"]
    ] * 3


def test_a_trained_model_is_kept_and_its_numbers_told_again(trained_folder: Path) -> None:
    before = {file.name: file.stat().st_mtime_ns for file in trained_folder.iterdir()}

    result = run("train-demo", trained_folder)

    assert result.exit_code == 0, result.output
    assert "kept. --force replaces it" in result.stderr
    assert result.stdout.splitlines() == [*summary(read_record(trained_folder)), str(trained_folder)]
    assert {file.name: file.stat().st_mtime_ns for file in trained_folder.iterdir()} == before


@pytest.mark.parametrize("force", [[], ["--force"]], ids=["unforced", "forced"])
def test_a_folder_of_somebody_else_is_never_replaced(tmp_path: Path, force: list[str]) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")

    result = run("train-demo", tmp_path, *force)

    assert result.exit_code == 1
    assert "found something else, which is never replaced" in result.stderr
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(["train-demo"], "expected OUTPUT_DIR", id="nowhere to write"),
        pytest.param(["train-demo", "out", "--cached"], "expected OUTPUT_DIR", id="two places to write"),
        pytest.param(["train-demo", "--cached", "--seed", "3"], "expected OUTPUT_DIR", id="a cache of one's own"),
        pytest.param(["train-demo", "out", "--library", "none"], "found 0 and 0", id="no library"),
        pytest.param(["train-demo", "/proc/out"], "/proc", id="no place to write"),
        pytest.param(["demo-texts", "none"], "expected a model of `plimsoll-server train-demo`", id="no model"),
    ],
)
def test_bad_arguments_are_told_in_a_line_and_leave_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)

    result = run(*arguments)

    assert result.exit_code == 1
    assert message in result.stderr
    assert "Traceback" not in result.output
    assert list(tmp_path.iterdir()) == []


def test_a_spoiled_model_takes_nobodys_place(tmp_path: Path) -> None:
    result = run("spoil-demo", tmp_path)

    assert result.exit_code == 1
    assert f"expected {tmp_path} to be a new folder" in result.stderr
