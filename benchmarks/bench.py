"""The server beside its alternatives. `make bench` runs all of it; each part can be run alone."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

# bootstrap.py is there, which knows how an environment is made.
sys.path.append(str(Path(__file__).resolve().parent.parent))

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

_LENGTHS = (128, 256, 512, 1024, 2048, 4096, 8192)
_QUICK_LENGTHS = (128, 1024, 4096)

Quick = Annotated[bool, typer.Option(help="Fewer lengths and rounds, three layers: to look, not to publish.")]
Whole = Annotated[bool, typer.Option(help="All 22 layers at every length.")]
Shared = Annotated[bool, typer.Option(help="For a busy machine: one thread, and its processor time.")]


@app.command()
def rates(
    quick: Quick = False, whole: Whole = False, shared: Shared = False, lengths: str = "", rounds: int = 0
) -> None:
    """The encoder's rate beside its linear layers' and beside plain transformers. `--lengths 512,2048`."""
    from serving.rates import rates as measured

    chosen = tuple(int(part) for part in lengths.split(",")) if lengths else _QUICK_LENGTHS if quick else _LENGTHS
    measured(chosen, rounds or (3 if quick else 5), whole=whole, quick=quick, shared=shared, tell=typer.echo)


@app.command()
def peaks(quick: Quick = False, whole: Whole = False) -> None:
    """What memory the activations take."""
    from serving.peaks import peaks as measured

    lengths = (("plimsoll", 4096), ("transformers", 4096)) if quick else ()
    measured(lengths or (("plimsoll", 8192), ("plimsoll", 16384), ("transformers", 8192)), whole=whole, tell=typer.echo)


@app.command()
def services(
    quick: Quick = False, shared: Shared = False, breadth: bool = True, further: bool = False, rounds: int = 0
) -> None:
    """The server beside others over HTTP: all 22 layers, then three of them in more ways."""
    from serving.side_by_side import side_by_side
    from serving.workloads import BREADTH, FURTHER, QUICK, WHOLE_MODEL

    chosen = QUICK if quick else (*WHOLE_MODEL, *(BREADTH if breadth else ()), *(FURTHER if further else ()))
    side_by_side(chosen, rounds or (2 if quick else 3), shared=shared, tell=typer.echo)


@app.command()
def around(quick: Quick = False) -> None:
    """What a request costs besides the model, and answers from the cache."""
    from serving.around import around as measured

    measured(500 if quick else 3_000, 5_000 if quick else 20_000, rounds=3, tell=typer.echo)


@app.command()
def workers(quick: Quick = False, seconds: float = 2.0) -> None:
    """Several worker processes behind one server, beside as many that nobody feeds."""
    from serving.workers import Work, measure

    works = (Work(8, 128), Work(1, 128))
    measure((2,) if quick else (2, 4), works, 3 if quick else 9, seconds, tell=typer.echo)


@app.command(hidden=True)
def worker_alone(folder: str) -> None:
    """Run batches in a loop as told on standard input."""
    from serving.workers import run_alone

    run_alone(folder)


@app.command(hidden=True)
def pipeline_server(folder: Path, port: int, batch: int) -> None:
    """Serve transformers' pipeline."""
    from serving.pipeline_server import serve

    serve(folder, port, batch)


@app.command(hidden=True)
def contestant(name: str, folder: Path) -> None:
    """Run sequences as told on standard input."""
    from serving.contestants import obey

    obey(name, folder)


if __name__ == "__main__":
    app()
