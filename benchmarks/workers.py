"""What several worker processes behind one server cost, beside as many processes that nobody feeds. Keeps the figures
in workers.json beside this file, for table.py."""

from __future__ import annotations

import json
import os
import platform
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from origin import commit, machine, packages, today
from serving.workers import SMALL, Work, measure, run_alone

FIGURES = Path(__file__).resolve().parent / "workers.json"
WORKS = (Work(8, 128), Work(1, 128))

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.command()
def compare(
    quick: Annotated[bool, typer.Option(help="Two workers and three rounds: to look, not to publish.")] = False,
    seconds: Annotated[float, typer.Option(help="Of each half of a round.")] = 2.0,
) -> None:
    """Two workers, then four: by turns with as many processes apart, in rounds."""
    load = os.getloadavg()[0]
    found = measure((2,) if quick else (2, 4), WORKS, 3 if quick else 9, seconds, tell=typer.echo)
    if quick:
        return
    document = {
        "command": " ".join(("python benchmarks/workers.py", *sys.argv[1:])),
        "date": today(),
        "machine": machine(),
        "versions": {"plimsoll": commit(), "python": platform.python_version(), **packages(("torch", "transformers"))},
        "load_average": [round(load, 1), round(os.getloadavg()[0], 1)],
        "model": SMALL.name,
        "seconds": seconds,
        "rows": [asdict(one) for one in found],
    }
    FIGURES.write_text(json.dumps(document, indent=1) + "\n")
    typer.echo(f"kept in {FIGURES.name}")


@app.command(hidden=True)
def alone(folder: str) -> None:
    """Run batches in a loop as told on standard input."""
    run_alone(folder)


if __name__ == "__main__":
    app()
