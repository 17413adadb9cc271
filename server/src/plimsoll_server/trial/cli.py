"""`plimsoll-server validate` and `report`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from plimsoll_server.surroundings import origin
from plimsoll_server.trial.errors import TrialError
from plimsoll_server.trial.measure import Plan
from plimsoll_server.trial.report import report as written
from plimsoll_server.trial.subject import read_subject
from plimsoll_server.trial.trial import Trial, run_trial
from plimsoll_server.trial.validation import validation

_Model = Annotated[Path, typer.Argument(metavar="MODEL_DIR", help="A folder such as `train` makes.")]
_Requests = Annotated[int, typer.Option(min=20, help="Of the trial of stability.")]
_PerBatch = Annotated[int, typer.Option(min=5, help="Requests of each batch size.")]
_Seconds = Annotated[float, typer.Option(min=1, help="Of callers at once.")]
_Tokens = Annotated[int, typer.Option(min=8, help="Of each sequence, at most the model's window.")]
_Workers = Annotated[str, typer.Option(help="Also compare so many workers, such as 1,2,4.")]

_PLAN = Plan()
_TOKENS = 128


def validate(
    model: _Model,
    output: Annotated[Path, typer.Option("--output")] = Path("deployment_validation_report.json"),
    requests: _Requests = _PLAN.requests,
    per_batch: _PerBatch = _PLAN.per_batch,
    seconds: _Seconds = _PLAN.concurrent_seconds,
    tokens: _Tokens = _TOKENS,
    workers: _Workers = "",
) -> None:
    """Start the real server on a model, check what it is to be relied on for, and write the findings. Exit code 1 when
    a check failed."""
    plan = Plan(per_batch=per_batch, concurrent_seconds=seconds, requests=requests)
    _check_place(output, "--output")
    trial = _tried(model, plan, tokens, workers)
    document = validation(trial, origin(f"plimsoll-server validate MODEL_DIR{_given(plan, tokens, workers)}"))
    _write(output, document)
    for name in document["failed"]:
        typer.echo(f"failed: {name}")
    typer.echo(output)
    raise typer.Exit(0 if trial.passed else 1)


def report(
    model: _Model,
    output: Annotated[Path, typer.Option("--output")] = Path("production_benchmark_report.md"),
    requests: _Requests = _PLAN.requests,
    per_batch: _PerBatch = _PLAN.per_batch,
    seconds: _Seconds = _PLAN.concurrent_seconds,
    tokens: _Tokens = _TOKENS,
    workers: _Workers = "",
    findings: Annotated[
        Path | None,
        typer.Option("--validation", help="Also what `validate` writes, of the same run.", show_default=False),
    ] = None,
) -> None:
    """Start the real server on a model, measure it over HTTP, and write a report with what was aimed at."""
    plan = Plan(per_batch=per_batch, concurrent_seconds=seconds, requests=requests)
    _check_place(output, "--output")
    if findings is not None:
        _check_place(findings, "--validation")
    trial = _tried(model, plan, tokens, workers)
    told = origin(f"plimsoll-server report MODEL_DIR{_given(plan, tokens, workers)}")
    output.write_text(written(trial, told), encoding="utf-8")
    if findings is not None:
        _write(findings, validation(trial, told))
    typer.echo(output)


def _check_place(output: Path, option: str) -> None:
    """Before minutes of measuring, whose findings would be lost."""
    if output.is_dir() or not output.parent.is_dir():
        found = "it is a folder" if output.is_dir() else f"there is no folder {output.parent}"
        raise typer.BadParameter(
            f"expected a file in a folder that is there, found {output}: {found}", param_hint=option
        )


def _given(plan: Plan, tokens: int, workers: str) -> str:
    """The options that were not left as they are."""
    options = {
        "--requests": (plan.requests, _PLAN.requests),
        "--per-batch": (plan.per_batch, _PLAN.per_batch),
        "--seconds": (plan.concurrent_seconds, _PLAN.concurrent_seconds),
        "--tokens": (tokens, _TOKENS),
        "--workers": (workers, ""),
    }
    return "".join(f" {name} {value}" for name, (value, usual) in options.items() if value != usual)


def _write(output: Path, document: dict[str, Any]) -> None:
    output.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def _tried(model: Path, plan: Plan, tokens: int, workers: str) -> Trial:
    counts = _counts(workers)
    try:
        return run_trial(read_subject(model, tokens), plan, counts, lambda text: typer.echo(text, err=True))
    except TrialError as error:
        typer.echo(f"plimsoll-server: {error}", err=True)
        raise typer.Exit(2) from error


def _counts(workers: str) -> list[int]:
    named = [count.strip() for count in workers.split(",") if count.strip()]
    for count in named:
        if not (count.isdecimal() and int(count) >= 1):
            raise typer.BadParameter(
                f"expected numbers of workers from 1 up, such as 1,2,4, found {count!r}", param_hint="--workers"
            )
    return [int(count) for count in named]
