"""The server beside its alternatives. `make bench` runs all of it; each part can be run alone.

A whole part on a machine of its own is kept in benchmarks/server.json, with a chart beside it; a quick one, or one on a
shared machine, in .local/benchmarks.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

# bootstrap.py is there, which knows how an environment is made.
sys.path.append(str(Path(__file__).resolve().parent.parent))

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

_LENGTHS = (128, 256, 512, 1024, 2048, 4096, 8192)
_QUICK_LENGTHS = (128, 1024, 4096)
_MINUTES = 45
"""Of a whole run."""

Quick = Annotated[bool, typer.Option(help="Fewer of everything, three layers: to look, not to publish.")]
Whole = Annotated[bool, typer.Option(help="All 22 layers at every length.")]
Shared = Annotated[bool, typer.Option(help="For a busy machine: one thread, and its processor time.")]


@app.command()
def rates(
    quick: Quick = False, whole: Whole = False, shared: Shared = False, lengths: str = "", rounds: int = 0
) -> None:
    """The encoder's rate beside its linear layers' and beside plain transformers'. `--lengths 512,2048`."""
    from serving.rates import rates as measured

    chosen = tuple(int(part) for part in lengths.split(",")) if lengths else _QUICK_LENGTHS if quick else _LENGTHS
    found = measured(chosen, rounds or (3 if quick else 5), whole=whole, quick=quick, shared=shared, tell=typer.echo)
    _keep("rates", found, quick=quick or bool(lengths), shared=shared)


@app.command()
def services(quick: Quick = False, shared: Shared = False, rounds: int = 0) -> None:
    """The server beside others over HTTP, with all 22 layers."""
    from serving.workloads import QUICK, WHOLE_MODEL

    _side_by_side("services", QUICK if quick else WHOLE_MODEL, rounds, quick=quick, shared=shared)


@app.command()
def breadth(shared: Shared = False, rounds: int = 0) -> None:
    """As `services`, with three layers in more ways: each length, and mixed ones, with 1, 8 and 32 texts at once."""
    from serving.workloads import BREADTH

    _side_by_side("breadth", BREADTH, rounds, quick=False, shared=shared)


@app.command()
def crowds(shared: Shared = False, rounds: int = 0) -> None:
    """As `breadth`, with many long texts at once, at which a service may end."""
    from serving.workloads import CROWDS

    _side_by_side("crowds", CROWDS, rounds, quick=False, shared=shared)


@app.command()
def peaks(quick: Quick = False, whole: Whole = False) -> None:
    """What memory the activations take."""
    from serving.peaks import peaks as measured

    full = (("plimsoll", 8192), ("plimsoll", 16384), ("transformers", 8192))
    pairs = (("plimsoll", 4096), ("transformers", 4096)) if quick else full
    _keep("peaks", measured(pairs, whole=whole, tell=typer.echo), quick=quick, shared=False)


@app.command()
def around(quick: Quick = False) -> None:
    """What a request costs besides the model, and answers from the cache."""
    from serving.around import around as measured

    found = measured(500 if quick else 3_000, 5_000 if quick else 20_000, rounds=1 if quick else 5, tell=typer.echo)
    _keep("around", [found], quick=quick, shared=False)


@app.command(name="all")
def everything(quick: Quick = False) -> None:
    """All parts, one after the other. One that fails is told, and the others run."""
    from serving.contest import ContestError
    from serving.running import ServiceError

    parts: dict[str, Callable[[], None]] = {
        part.__name__: partial(part, quick=quick) for part in (rates, peaks, around, services)
    }
    if not quick:
        parts |= {"breadth": breadth, "crowds": crowds}
    began, failed = time.monotonic(), []
    for number, (name, measure) in enumerate(parts.items(), 1):
        minutes = (time.monotonic() - began) / 60
        typer.echo(
            f"\n{name}: part {number} of {len(parts)}, {minutes:.0f} of about {3 if quick else _MINUTES} minutes over"
        )
        try:
            measure()
        except (ContestError, ServiceError) as error:
            typer.echo(f"{name} failed: {error}", err=True)
            failed.append(name)
    if failed:
        typer.echo(f"not measured: {', '.join(failed)}", err=True)
        raise typer.Exit(1)


@app.command(hidden=True)
def pipeline_server(folder: Path, port: int, batch: int) -> None:
    """Serve transformers' pipeline."""
    from serving.pipeline_server import serve

    serve(folder, port, batch)


@app.command()
def chunking(quick: Quick = False, output: Path = Path("benchmarks/chunking.json")) -> None:
    """Long texts in one pass and in chunks: how often either is right, and what it costs."""
    from chunking.run import run

    texts = {4_096: 4} if quick else {16_384: 32, 40_960: 16}
    run(texts, output, f"python benchmarks/bench.py chunking{' --quick' if quick else ''}", typer.echo)


@app.command(hidden=True)
def contestant(name: str, folder: Path) -> None:
    """Run sequences as told on standard input."""
    from serving.contestants import obey

    obey(name, folder)


def _side_by_side(part: str, workloads: Sequence[Any], rounds: int, *, quick: bool, shared: bool) -> None:
    from serving.side_by_side import side_by_side

    found = side_by_side(workloads, rounds or (2 if quick else None), shared=shared, tell=typer.echo)
    _keep(part, found, quick=quick, shared=shared)


def _keep(part: str, figures: Sequence[Any], *, quick: bool, shared: bool) -> None:
    """On disk, as tables and as a chart."""
    from serving.chart import draw
    from serving.record import LOOKED_AT, NAME, PUBLISHED, keep
    from serving_table import serving_lines

    folder = LOOKED_AT if quick or shared else PUBLISHED
    keep(part, figures, " ".join(("python benchmarks/bench.py", *sys.argv[1:])), folder, shared=shared)
    path = folder / f"{NAME}.json"
    picture = path.with_suffix(".png")
    draw(json.loads(path.read_text()), picture)
    path.with_suffix(".md").write_text("\n".join(serving_lines(path, picture.name)))
    typer.echo(f"kept in {path.with_suffix('')}.json, .md and .png")


if __name__ == "__main__":
    app()
