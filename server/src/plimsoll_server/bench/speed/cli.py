"""`plimsoll-server bench latency`, `throughput` and `memory`."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from plimsoll_server.bench.loading import loaded, tell, told_errors

if TYPE_CHECKING:
    from plimsoll_server.bench.speed.measure import Runner

_Model = Annotated[Path, typer.Argument(metavar="MODEL_DIR", help="A folder such as `train` makes.")]
_Tokens = Annotated[int, typer.Option(min=1, help="Of each text, at most the model's window.")]
_Batches = Annotated[str, typer.Option(help="Texts in a batch: sizes, with commas.")]
_Task = Annotated[str, typer.Option(help="As spec.model.task.")]
_Output = Annotated[Path | None, typer.Option("--output", help="A JSON file for the figures.", show_default=False)]
_SIZES, _TOKENS, _TASK = "1,8,16,32", 128, "text-classification"
_LARGEST = 4096


def latency(
    model: _Model,
    tokens: _Tokens = _TOKENS,
    requests: Annotated[int, typer.Option(min=2, help="Texts, one after the other.")] = 200,
    task: _Task = _TASK,
    output: _Output = None,
) -> None:
    """What one text takes: mean, median and percentiles."""
    with told_errors():
        found = _runner(model, task, tokens).latency(requests)
        _keep(output, f"latency MODEL_DIR --tokens {tokens} --requests {requests}", dataclasses.asdict(found))
    typer.echo(
        f"{tokens} tokens: mean {found.mean:.2f} ms, median {found.p50:.2f}, p95 {found.p95:.2f}, p99 {found.p99:.2f}"
    )


def throughput(
    model: _Model,
    tokens: _Tokens = _TOKENS,
    batches: _Batches = _SIZES,
    rounds: Annotated[int, typer.Option(min=1, help="Batches of each size.")] = 20,
    task: _Task = _TASK,
    output: _Output = None,
) -> None:
    """Texts and tokens per second, by the size of the batch."""
    with told_errors():
        sizes, runner = _sizes(batches), _runner(model, task, tokens)
        found = [runner.throughput(size, rounds) for size in sizes]
        command = f"throughput MODEL_DIR --tokens {tokens} --batches {batches} --rounds {rounds}"
        _keep(output, command, [dataclasses.asdict(each) for each in found])
    for each in found:
        typer.echo(
            f"batches of {each.batch}: {each.texts_per_second:,.1f} texts/s, {each.tokens_per_second:,} tokens/s"
        )


def memory(
    model: _Model,
    tokens: _Tokens = _TOKENS,
    batches: _Batches = _SIZES,
    task: _Task = _TASK,
    output: _Output = None,
) -> None:
    """What a batch takes beside the model, by its size, and the model's own size on disk."""
    with told_errors():
        sizes, runner = _sizes(batches), _runner(model, task, tokens)
        found = [runner.memory(size) for size in sizes]
        disk = sum(file.stat().st_size for file in model.rglob("*") if file.is_file())
        figures = {"disk": disk, "batches": [dataclasses.asdict(each) for each in found]}
        _keep(output, f"memory MODEL_DIR --tokens {tokens} --batches {batches}", figures)
    typer.echo(f"on disk {disk / 2**20:,.1f} MiB")
    for each in found:
        typer.echo(f"batches of {each.batch}: {each.growth / 2**20:,.1f} MiB")


def _runner(folder: Path, task: str, tokens: int) -> Runner:
    from plimsoll_server.bench.speed.measure import Runner

    return Runner(loaded(folder, task), tokens, tell)


def _sizes(text: str) -> list[int]:
    """Raises ValueError that says what to write."""
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and 1 <= int(part) <= _LARGEST for part in parts):
        raise ValueError(f"expected --batches such as {_SIZES}, each from 1 to {_LARGEST}, found {text!r}")
    return [int(part) for part in parts]


def _keep(output: Path | None, command: str, figures: Any) -> None:
    from plimsoll_server.surroundings import origin

    if output is not None:
        document = {**origin(f"plimsoll-server bench {command}"), "figures": figures}
        output.write_text(json.dumps(document, indent=1) + "\n")
