"""The trial of a server: what is measured of a real one, and what is said of it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from plimsoll_server.surroundings import origin
from plimsoll_server.trial.cli import report as report_command
from plimsoll_server.trial.cli import validate
from plimsoll_server.trial.errors import TrialError
from plimsoll_server.trial.figures import latency
from plimsoll_server.trial.measure import (
    BatchFigures,
    ConcurrentFigures,
    Measurements,
    Plan,
    StabilityFigures,
    processors_used,
)
from plimsoll_server.trial.reference import Reference
from plimsoll_server.trial.report import report
from plimsoll_server.trial.subject import read_subject
from plimsoll_server.trial.targets import latency_targets, load_targets, memory_target, overhead_targets
from plimsoll_server.trial.trial import Trial
from scaled_builders import scaled_model

MIB = 1 << 20
REFERENCE = Reference(
    empty_bytes=10 * MIB, torch_bytes=500 * MIB, product_seconds={1: 0.01, 4: 0.04, 8: 0.08, 16: 0.16, 32: 0.32}
)
FEW = ("--requests", "20", "--per-batch", "5", "--seconds", "1", "--tokens", "16")

app = typer.Typer()
app.command()(validate)
app.command("report")(report_command)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return scaled_model(tmp_path_factory.mktemp("scaled"), initializer_range=0.02)


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def measured(milliseconds: float = 20, **changes: Any) -> Measurements:
    """Of a server that meets every target, each sequence of a batch taking a fifth of `milliseconds`."""
    batches = tuple(
        BatchFigures(size, latency([milliseconds / 1000 * max(1, size / 5)] * 20), 5000.0, 0, 240.0, 1.84, 1.12)
        for size in (1, 4, 8, 16, 32)
    )
    few = latency([0.02] * 20)
    good = Measurements(
        window=128,
        ready_seconds=5.0,
        resident_at_start=700 * MIB,
        resident_peak=800 * MIB,
        cpu_share=1.5,
        load_average=(0.1, 2.0),
        batches=batches,
        concurrent=ConcurrentFigures(10, few, 50.0, 0, 3.0, 6.0, 40),
        stability=StabilityFigures(1000, 0, 1e-7, 0.01, 700 * MIB, 701 * MIB, few),
    )
    return replace(good, **changes)


def failed(found: Measurements) -> list[str]:
    checks = [*latency_targets(found, REFERENCE, 2), *load_targets(found), memory_target(found, REFERENCE)]
    return [check.name for check in checks if not check.passed]


def test_percentiles_are_values_that_were_seen() -> None:
    found = latency([number / 1000 for number in range(1, 101)])
    assert (found.p50, found.p90, found.p95, found.p99, found.most, found.mean) == (50, 90, 95, 99, 100, 50.5)


@pytest.mark.parametrize(
    ("found", "missed"),
    [
        pytest.param(measured(), [], id="all met"),
        pytest.param(
            measured(70),
            ["one request, p95", "batch of 16, p95", "batch of 32, p95"],
            id="slow",
        ),
        pytest.param(
            measured(stability=replace(measured().stability, errors=1)),
            ["1,000 requests"],
            id="one error in a thousand",
        ),
        pytest.param(
            measured(stability=replace(measured().stability, answer_drift=1e-3)), ["no drift of answers"], id="answers"
        ),
        pytest.param(
            measured(stability=replace(measured().stability, resident_last=800 * MIB)),
            ["no drift of memory"],
            id="leak",
        ),
        pytest.param(
            measured(concurrent=replace(measured().concurrent, queue_depth=5.0)),
            ["queue depth with 10 callers at once"],
            id="queue",
        ),
        pytest.param(measured(resident_peak=1001 * MIB), ["memory of the model's own share"], id="memory"),
    ],
)
def test_a_target_is_missed_by_what_was_measured_of_it(found: Measurements, missed: list[str]) -> None:
    assert failed(found) == missed


def test_a_missed_time_is_told_beside_the_processor_time_that_it_needs() -> None:
    [slow] = [check for check in latency_targets(measured(70), REFERENCE, 2) if check.name == "batch of 16, p95"]
    assert "240 ms of processor time, so at least 120 ms on 2 processors" in slow.why
    assert "the matrix products of 16 × 128 tokens, measured by themselves before it, take 160 ms;" in slow.why
    assert slow.why.endswith("had 1.84 processors while they ran, and 1.12 while the slowest twentieth did")


def test_the_processors_of_the_slowest_requests_are_told_apart() -> None:
    slow, quick = (1.0, 0.5), (0.1, 0.2)
    assert processors_used(*zip(*[slow, *[quick] * 38, slow], strict=True)) == (1.48, 0.5)
    assert processors_used([0.1, 0.4], [0.1, 0.2]) == (0.6, 0.5)


@pytest.mark.parametrize(
    ("rates", "passed"),
    [
        pytest.param({1: 100.0, 2: 86.0, 4: 81.0}, [True, True], id="within"),
        pytest.param({1: 100.0, 2: 84.0, 4: 79.0}, [False, False], id="beyond"),
        pytest.param({2: 84.0}, [], id="nothing to compare with"),
    ],
)
def test_workers_are_held_to_one_workers_rate(rates: dict[int, float], passed: list[bool]) -> None:
    assert [check.passed for check in overhead_targets(rates, 4)] == passed


def test_the_report_names_every_target_and_explains_the_missed_ones(folder: Path) -> None:
    found = measured(70)
    checks = latency_targets(found, REFERENCE, 2)
    trial = Trial(
        subject=read_subject(folder, 128),
        plan=Plan(),
        checks={"infrastructure": [], "inference": [], "server": [], "readiness": checks},
        measurements=found,
        reference=REFERENCE,
        requests_per_second={1: 10.0, 2: 9.0},
    )

    text = report(trial, origin("plimsoll-server report MODEL_DIR"))

    assert "## Targets: 1 of 4 met" in text
    assert "- batch of 16, p95: such a request takes 240 ms of processor time" in text
    assert "| 16 | 224 |" in text
    assert "| 2 | 9.0 |" in text
    assert "load average was 0.1 before and 2.0 after" in text
    assert max(len(line.split("|")) for line in text.splitlines()) < 20


def test_validate_measures_a_real_server_and_says_what_failed(folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "report.json"

    result = run("validate", folder, "--output", output, *FEW)

    assert output.exists(), result.output
    found = json.loads(output.read_text())
    of_the_server = [*found["infrastructure"], *found["inference"], *found["server"]]
    assert [check for check in of_the_server if not check["passed"]] == []
    assert {check["name"] for check in found["server"]} >= {"GET /health", "told to end under load"}
    assert found["measurements"]["stability"]["requests"] == 20
    assert found["measurements"]["stability"]["errors"] == 0
    assert [one["sequences"] for one in found["measurements"]["batches"]] == [1, 4, 8, 16, 32]
    assert result.exit_code == (1 if found["failed"] else 0)
    assert str(folder) not in output.read_text()
    assert f"validate MODEL_DIR {' '.join(FEW)}" in output.read_text().replace("1.0", "1"), "to be run again"


def test_a_folder_without_a_model_is_told_in_a_line(tmp_path: Path) -> None:
    result = run("validate", tmp_path, "--output", tmp_path / "report.json")

    assert result.exit_code == 2
    assert "expected the folder of a model for text-classification" in result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("command", "options", "message"),
    [
        pytest.param("validate", ("--workers", "1,x"), "such as 1,2,4, found 'x'", id="a number of workers"),
        pytest.param("validate", ("--workers", "0"), "such as 1,2,4, found '0'", id="no workers"),
        pytest.param("validate", ("--output", "missing/found.json"), "there is no folder missing", id="the findings"),
        pytest.param("report", ("--output", "."), "it is a folder", id="a folder for a file"),
        pytest.param("report", ("--validation", "missing/v.json"), "there is no folder missing", id="beside a report"),
    ],
)
def test_what_a_trial_cannot_do_is_told_before_it(
    tmp_path: Path, command: str, options: tuple[str, ...], message: str
) -> None:
    """No model is there, and nobody has looked yet."""
    result = run(command, tmp_path / "no-model", *options)
    assert result.exit_code == 2
    assert message in " ".join(result.output.replace("│", " ").split())


def test_a_model_for_another_task_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"architectures": ["ModernBertForTokenClassification"]}))

    with pytest.raises(TrialError, match="found ModernBertForTokenClassification"):
        read_subject(tmp_path, 128)


def test_a_regression_is_refused_before_anything_is_started(tmp_path: Path) -> None:
    told = {"architectures": ["ModernBertForSequenceClassification"], "problem_type": "regression"}
    (tmp_path / "config.json").write_text(json.dumps(told))
    with pytest.raises(TrialError, match="found one for regression"):
        read_subject(tmp_path, 128)
