"""`plimsoll-server bench massive`. What needs torch is imported when it runs."""

from __future__ import annotations

import dataclasses
import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from plimsoll_server.surroundings import origin
from plimsoll_server.train.progress import Reporter

if TYPE_CHECKING:
    import torch

    from plimsoll_server.bench.massive.contenders import Contender
    from plimsoll_server.bench.massive.growth import Growth
    from plimsoll_server.bench.massive.measure import Plan, Row

_LONGEST = 65_536
"""Tokens, as of the family's own default."""


class Size(StrEnum):
    SMALL = "small"
    MEDIUM = "medium"
    LARGE = "large"
    XLARGE = "xlarge"
    XXLARGE = "xxlarge"
    ULTIMATE = "ultimate"


class Device(StrEnum):
    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"


class Precision(StrEnum):
    AUTO = "auto"
    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"


def massive(
    size: Annotated[Size, typer.Option(help="Of the spectral network.")] = Size.SMALL,
    batch_sizes: Annotated[str, typer.Option(help="Texts at once.")] = "1,8",
    seq_lengths: Annotated[str, typer.Option(help="Tokens of each text.")] = "512,1024,2048,4096",
    compare_llama: Annotated[
        bool, typer.Option("--compare-llama", help="In turns with Llama 2's architecture of as many parameters.")
    ] = False,
    count: Annotated[
        bool, typer.Option("--count", help="Only tell how many parameters each size has; nothing is measured.")
    ] = False,
    device: Annotated[Device, typer.Option(help="auto: a GPU where there is one.")] = Device.AUTO,
    dtype: Annotated[Precision, typer.Option(help="auto: bfloat16 on a GPU, float32 on a CPU.")] = Precision.AUTO,
    runs: Annotated[int, typer.Option(min=1, help="Of each model at each batch and length.")] = 5,
    most_seconds: Annotated[
        float, typer.Option(min=0.1, help="Of a pass; what would take longer is left out and says so.")
    ] = 120.0,
    output: Annotated[Path, typer.Option("--output", help="The folder for results, report and picture.")] = Path(),
) -> None:
    """Measure time and memory of a spectral network of random weights as texts get longer. Writes
    massive_model_SIZE_results.json, and beside it a report and a picture."""
    if count:
        _tell_counts()
        return
    batches = _numbers(batch_sizes, "--batch-sizes", 1024)
    lengths = _numbers(seq_lengths, "--seq-lengths", _LONGEST)
    if not output.is_dir():
        raise typer.BadParameter(f"expected a folder that is there, found {output}", param_hint="--output")

    from plimsoll_server.bench.massive.contenders import llama_like, spectral
    from plimsoll_server.bench.massive.measure import Plan

    contenders = [spectral(size)]
    if compare_llama:
        contenders.append(llama_like(contenders[0], max(lengths)))
    chosen = _chosen_device(device)
    command = (
        f"plimsoll-server bench massive --size {size} --batch-sizes {','.join(map(str, batches))} --seq-lengths "
        f"{','.join(map(str, lengths))}{' --compare-llama' if compare_llama else ''} --device {chosen.type} --dtype "
        f"{_dtype_name(dtype, chosen)} --runs {runs} --most-seconds {most_seconds:g}"
    )
    _measure_into(output, size, contenders, Plan(batches, lengths, runs, most_seconds), chosen, dtype, command)


def _measure_into(
    output: Path,
    size: Size,
    contenders: list[Contender],
    plan: Plan,
    device: torch.device,
    dtype: Precision,
    command: str,
) -> None:
    import torch

    from plimsoll_server.bench.massive.growth import growth
    from plimsoll_server.bench.massive.measure import measure
    from plimsoll_server.bench.massive.place import settled
    from plimsoll_server.bench.massive.report import page

    stem = f"massive_model_{size}"
    results = output / f"{stem}_results.json"
    reporter = Reporter(Console(stderr=True))
    rows: list[Row] = []
    precision = _dtype_name(dtype, device)
    with settled(device, getattr(torch, precision)) as place:
        told = {
            **origin(command),
            "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU",
            "dtype": precision,
            "threads": torch.get_num_threads(),
        }
        with reporter.work(stem, len(plan.batches) * len(plan.lengths)) as advance:
            for found in measure(contenders, plan, place, reporter.say):
                rows += found
                # As they come: what ends the run takes none of them with it.
                _write(results, [dataclasses.asdict(row) for row in rows])
                advance("")
    grown = growth(rows)
    _write(output / f"{stem}_growth.json", {**told, "growth": [dataclasses.asdict(one) for one in grown]})
    report = output / f"{stem}_report.md"
    report.write_text(page(f"Spectral {size}, by batch and length", told, contenders, rows, grown), encoding="utf-8")
    typer.echo(results)
    typer.echo(report)
    if grown:
        _draw(f"Spectral {size}: time of a pass", grown, output / f"{stem}_growth.png")


def _draw(title: str, grown: list[Growth], path: Path) -> None:
    from plimsoll_server.bench.massive.chart import MissingLibraryError, draw

    try:
        draw(title, grown, path)
    except MissingLibraryError as error:
        typer.echo(f"plimsoll-server: {error}", err=True)
    else:
        typer.echo(path)


def _tell_counts() -> None:
    from plimsoll_server.bench.massive.contenders import llama_like, spectral
    from plimsoll_server.bench.massive.report import shape

    for size in Size:
        own = spectral(size)
        for contender in (own, llama_like(own, _LONGEST)):
            typer.echo(f"{contender.name}: {shape(contender)}")


def _chosen_device(wanted: Device) -> torch.device:
    import torch

    there = torch.cuda.is_available()
    if wanted is Device.CUDA and not there:
        raise typer.BadParameter("expected a GPU that torch can use, found none; write cpu", param_hint="--device")
    return torch.device("cuda" if there and wanted is not Device.CPU else "cpu")


def _dtype_name(wanted: Precision, device: torch.device) -> str:
    if wanted is not Precision.AUTO:
        return wanted
    return Precision.BFLOAT16 if device.type == "cuda" else Precision.FLOAT32


def _numbers(text: str, option: str, most: int) -> tuple[int, ...]:
    named = [number.strip() for number in text.split(",") if number.strip()]
    for number in named:
        if not (number.isdecimal() and 1 <= int(number) <= most):
            raise typer.BadParameter(
                f"expected numbers from 1 to {most:,}, such as 1,8 or 512,2048, found {number!r}", param_hint=option
            )
    if not named:
        raise typer.BadParameter("expected a number or several, such as 512,2048, found none", param_hint=option)
    return tuple(sorted(set(map(int, named))))


def _write(path: Path, document: Any) -> None:
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
