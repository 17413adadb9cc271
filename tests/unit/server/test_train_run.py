"""A whole training: killed and started again it ends as if nothing had been, and what it ends with is served."""

from __future__ import annotations

import math
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
import typer
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tokenizers import Tokenizer
from typer.testing import CliRunner

from plimsoll_server.config import ModelConfig
from plimsoll_server.models.bayesian import BayesianForSequenceClassification
from plimsoll_server.models.family import Placement
from plimsoll_server.models.load import load_model
from plimsoll_server.train.commands import docstrings
from plimsoll_server.train.commands import train as train_command
from plimsoll_server.train.config import read_config
from plimsoll_server.train.errors import TrainingError
from plimsoll_server.train.families import FAMILIES
from plimsoll_server.train.record import FILE, TrainingRecord, read_record
from plimsoll_server.train.run import train
from train_builders import quiet
from training_builders import LABELS, steps_of, write_config, write_rows

PROGRAM = Path(sys.executable).parent / "plimsoll-server"
KILLED_STEPS = 150
"""Four rows of ninety a step: the kill is in the middle of an epoch, and the end in the seventh."""
DEADLINE_SECONDS = 120.0

app = typer.Typer()
app.command("train")(train_command)
app.command()(docstrings)


@pytest.fixture(scope="module", params=sorted(FAMILIES))
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, TrainingRecord]:
    folder = tmp_path_factory.mktemp(request.param)
    file = write_config(folder, {"model": {"family": request.param}}, least_margin=0.3)
    return folder / "output", train(file, folder / "output", quiet())


def test_what_was_trained_is_served_and_tells_what_it_was_made_of(trained: tuple[Path, TrainingRecord]) -> None:
    output, record = trained
    family = record.config.model.family
    model = load_model(
        ModelConfig(location=str(output / "model"), family=family),
        Placement(torch.device("cpu"), torch.float32, "sdpa"),
    )

    assert record.accuracy > 0.9 > record.majority_share
    assert (model.info.family, model.info.window, model.info.labels) == (family, 32, LABELS)
    card = (output / "model" / "README.md").read_text()
    assert f"accuracy {record.accuracy:.1%}" in card
    assert f"{record.majority_share:.1%}" in card
    assert read_record(output / "model") == record
    assert sorted(path.name for path in output.iterdir() if not path.name.startswith(".")) == [
        *("checkpoints", "model", "steps.jsonl", "tensorboard", "tokenizer.json")
    ]


def test_the_served_model_gives_the_answers_that_were_counted(trained: tuple[Path, TrainingRecord]) -> None:
    output, record = trained
    files = {path.name for path in (output / "model").iterdir()}

    assert files >= {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "README.md", FILE}
    assert all(path.stat().st_mode & 0o777 == 0o644 for path in (output / "model").iterdir())
    losses = [step["loss"] for step in steps_of(output)]
    assert len(losses) == record.config.schedule.steps
    assert sum(losses[-5:]) / 5 < 0.5 * losses[0]


def test_the_board_shows_the_steps_the_weights_the_attention_and_the_choices(
    trained: tuple[Path, TrainingRecord],
) -> None:
    output, record = trained
    steps, board = steps_of(output), board_of(output)

    for tag, name in (
        ("loss/training", "loss"),
        ("learning_rate", "learning_rate"),
        ("gradient_norm", "gradient_norm"),
    ):
        shown = board.Scalars(tag)
        assert [event.step for event in shown] == [step["step"] for step in steps]
        assert [event.value for event in shown] == pytest.approx([step[name] for step in steps])
    for layer in (1, 2):
        entropies = [event.value for event in board.Scalars(f"attention_entropy/layer_{layer}")]
        assert len(entropies) == 2
        assert all(0 < one < math.log(record.config.model.shape.max_position_embeddings) for one in entropies)
    assert [event.step for event in board.Scalars("loss/held_out")] == [10, 20, 30]
    [first, second] = board.Histograms("weights/classifier.weight")
    assert (first.step, second.step) == (15, 30)
    assert first.histogram_value.num == 3 * 32
    assert first.histogram_value.sum_squares != second.histogram_value.sum_squares
    hyper = board.PluginTagToContent("hparams")["_hparams_/session_start_info"]
    assert b"optimiser.learning_rate" in hyper
    assert board.Scalars("held_out/accuracy")[0].value == pytest.approx(record.accuracy, abs=0.2)


def board_of(output: Path) -> Any:
    board = EventAccumulator(str(output / "tensorboard"), size_guidance={"scalars": 0, "histograms": 0})
    board.Reload()
    return board


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("uninterrupted")
    train(killed_config(folder), folder / "output", quiet())
    return folder / "output"


def killed_config(folder: Path) -> Path:
    return write_config(
        folder,
        {
            "schedule": {"steps": KILLED_STEPS},
            "optimiser": {"accumulation": 1},
            "board": {"details_every": 1000},
        },
    )


def test_killed_in_the_middle_of_an_epoch_and_started_again_it_is_as_if_nothing_had_been(
    uninterrupted: Path, tmp_path: Path
) -> None:
    config, output = killed_config(tmp_path), tmp_path / "output"
    with subprocess.Popen([PROGRAM, "train", config, output], stderr=subprocess.PIPE) as process:
        try:
            wait_for_steps(output, 32, process)
        finally:
            process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    before = len(steps_of(output))
    assert 32 <= before < KILLED_STEPS
    assert not (output / "model").exists()

    again = subprocess.run(
        [PROGRAM, "train", config, output], capture_output=True, text=True, timeout=DEADLINE_SECONDS, check=False
    )

    assert again.returncode == 0, again.stderr
    assert "Goes on from" in again.stderr
    assert steps_of(output) == steps_of(uninterrupted)
    for name in ("model.safetensors", "tokenizer.json", FILE):
        assert (output / "model" / name).read_bytes() == (uninterrupted / "model" / name).read_bytes()
    assert [event.step for event in board_of(output).Scalars("loss/training")] == list(range(1, KILLED_STEPS + 1))


def wait_for_steps(output: Path, count: int, process: subprocess.Popen[bytes]) -> None:
    """Until `count` steps are told, which is after a checkpoint or several."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    log = output / "steps.jsonl"
    while not log.exists() or log.read_bytes().count(b"\n") < count:
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline, "no steps were told in time"
        time.sleep(0.002)


def test_a_truncated_checkpoint_is_skipped_with_a_warning_and_the_steps_since_the_one_before_are_done_again(
    uninterrupted: Path, tmp_path: Path
) -> None:
    config, output = killed_config(tmp_path), tmp_path / "output"
    shutil.copytree(uninterrupted, output)
    shutil.rmtree(output / "model")
    weights = output / "checkpoints" / f"step-{KILLED_STEPS:08d}" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])

    result = CliRunner().invoke(app, ["train", str(config), str(output)])

    assert result.exit_code == 0, result.output
    assert f"{weights.parent} is damaged" in result.stderr
    assert f"step-{KILLED_STEPS - 10:08d}, after step {KILLED_STEPS - 10}" in result.stderr.replace("\n", "")
    assert result.stdout.splitlines()[-1] == str(output / "model")
    assert steps_of(output) == steps_of(uninterrupted)


def test_a_finished_training_is_kept(uninterrupted: Path, tmp_path: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in uninterrupted.rglob("*") if path.is_file()}

    result = CliRunner().invoke(app, ["train", str(killed_config(tmp_path)), str(uninterrupted)])

    assert result.exit_code == 0, result.output
    assert "is there already: kept" in result.stderr
    assert "held-out accuracy" in result.stdout
    assert {path: path.stat().st_mtime_ns for path in uninterrupted.rglob("*") if path.is_file()} == before


def test_a_model_that_learnt_nothing_is_not_saved_and_its_checkpoints_stay(tmp_path: Path) -> None:
    file = write_config(tmp_path, {"schedule": {"steps": 1}}, least_margin=0.9)

    with pytest.raises(TrainingError, match=r"at least 90% above.*no model was saved"):
        train(file, tmp_path / "output", quiet())

    assert not (tmp_path / "output" / "model").exists()
    assert (tmp_path / "output" / "checkpoints" / "step-00000001").is_dir()


def test_a_text_that_makes_the_loss_no_number_ends_the_command_in_one_sentence(tmp_path: Path) -> None:
    file = write_config(tmp_path, {"optimiser": {"learning_rate": 1e38, "largest_gradient_norm": 1e38}})

    result = CliRunner().invoke(app, ["train", str(file), str(tmp_path / "output")])

    assert result.exit_code == 1
    assert "plimsoll-server: expected a finite" in result.stderr
    assert "(epoch 0)" in result.stderr
    assert "Traceback" not in result.output


def test_the_docstrings_are_a_data_set_of_two_sides(library: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["docstrings", str(tmp_path / "rows"), "--library", str(library)])

    assert result.exit_code == 0, result.output
    training, held_out = (
        (tmp_path / "rows" / f"{name}.jsonl").read_text().splitlines() for name in ("training", "held-out")
    )
    assert f"{len(training):,} rows to learn from, {len(held_out):,} held out" in result.stdout
    assert not set(training) & set(held_out)
    again = CliRunner().invoke(app, ["docstrings", str(tmp_path / "rows")])
    assert again.exit_code == 1
    assert "to be a new folder" in again.stderr


def test_no_row_held_out_is_told(tmp_path: Path) -> None:
    file = write_config(tmp_path, {"data": {"held_out_rows": 1}})
    write_rows(tmp_path / "held-out.jsonl", [{"text": "wave", "label": "fire"}])
    assert read_config(file).data.held_out_rows == 1
    with pytest.raises(TrainingError, match="found 'fire'"):
        train(file, tmp_path / "output", quiet())


def test_without_its_libraries_the_command_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)

    result = CliRunner().invoke(app, ["train", str(write_config(tmp_path)), str(tmp_path / "output")])

    assert result.exit_code == 1
    assert "found no datasets; install plimsoll-server[train]" in result.stderr


def test_a_bayesian_training_ends_with_a_spread_and_a_temperature_of_its_own(tmp_path: Path) -> None:
    file = write_config(tmp_path, {"model": {"family": "bayesian", "posterior_rows": 60}})
    train(file, tmp_path / "output", quiet())
    network = BayesianForSequenceClassification.from_pretrained(tmp_path / "output" / "model")
    covariance = (network.spread @ network.spread.T).detach()
    assert torch.linalg.eigvalsh(covariance).min() > 0
    assert network.config.temperature != 1

    wanted = ModelConfig(location=str(tmp_path / "output" / "model"), family="bayesian")
    model = load_model(wanted, Placement(torch.device("cpu"), torch.float32, "sdpa"))
    known, unknown = (
        model.forward([tokens])[0].uncertainty  # type: ignore[union-attr]
        for tokens in (tokens_of(tmp_path / "output", "the tide wave keel reef"), [9, 9, 9, 9])
    )
    assert known is not None
    assert unknown is not None
    assert known.entropy < 0.5 * math.log(3)
    assert unknown.mutual_information > known.mutual_information


def tokens_of(output: Path, text: str) -> list[int]:
    return list(Tokenizer.from_file(str(output / "model" / "tokenizer.json")).encode(text).ids)
