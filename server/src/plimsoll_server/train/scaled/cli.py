"""`plimsoll-server compare-training`. What needs torch is imported when a command runs."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from plimsoll_server.train.demo.corpus import standard_library
from plimsoll_server.train.errors import told_errors
from plimsoll_server.train.progress import Reporter
from plimsoll_server.train.scaled.recipe import LoopName, ScaledRecipe, read_recipe

if TYPE_CHECKING:
    from plimsoll_server.train.scaled.compare import Comparison

_Recipe = Annotated[
    Path | None,
    typer.Option("--recipe", help="A TOML file; what it leaves out is as published.", show_default=False),
]
_Library = Annotated[
    Path | None,
    typer.Option(help="The sources of a Python, to read in the place of this one's.", show_default=False),
]
_Examples = Annotated[int | None, typer.Option(min=1, help="Learn from so many only.", show_default=False)]
_Threads = Annotated[int | None, typer.Option(min=1, help="In the place of the recipe's.", show_default=False)]


def compare_training(
    output: Annotated[
        Path | None, typer.Option("--output", help="Where the figures go, as JSON.", show_default=False)
    ] = None,
    recipe: _Recipe = None,
    examples: _Examples = None,
    threads: _Threads = None,
    library: _Library = None,
) -> None:
    """Run a plain and an optimised loop in turn on the same examples, and tell time and loss of both."""
    from plimsoll_server.surroundings import origin
    from plimsoll_server.train.scaled.compare import compare, full_length
    from plimsoll_server.train.scaled.material import read_material

    reporter = Reporter(Console(stderr=True))
    found: dict[str, Comparison] = {}
    with told_errors():
        chosen = _chosen(recipe, examples=examples, threads=threads)
        material = read_material(library or standard_library(), chosen)
        # One epoch tells what a step without padding takes; what is learnt is told by the examples as they come.
        sides = {
            "as they come": (material, chosen),
            "all as long as the window": (full_length(material, chosen), chosen.model_copy(update={"epochs": 1})),
        }
        for name, (side, own) in sides.items():
            steps = own.epochs * -(-len(side.training) // (own.batch * own.accumulation))
            with reporter.work(f"Examples {name}", steps) as advance:
                found[name] = compare(side, own, advance)
            typer.echo(_told(name, found[name]))
    if output is not None:
        run = origin(f"plimsoll-server compare-training{_options(recipe, examples, threads)}")
        figures = {name: _figures(comparison) for name, comparison in found.items()}
        output.write_text(json.dumps({**run, "recipe": chosen.model_dump(), "sides": figures}, indent=1) + "\n")


def _chosen(recipe: Path | None, **given: LoopName | int | None) -> ScaledRecipe:
    read = ScaledRecipe() if recipe is None else read_recipe(recipe)
    return read.model_copy(update={name: value for name, value in given.items() if value is not None})


def _options(recipe: Path | None, examples: int | None, threads: int | None) -> str:
    given = {"--recipe": recipe and recipe.name, "--examples": examples, "--threads": threads}
    return "".join(f" {name} {value}" for name, value in given.items() if value is not None)


def _told(name: str, found: Comparison) -> str:
    return (
        f"examples {name}: the optimised loop takes {found.time_ratio:.0%} of the plain loop's time (median of "
        f"{found.steps} pairs of steps), its loss is within {found.largest_loss_gap:.2%}; "
        f"{1 - found.tokens / found.padded_tokens:.0%} of what the plain loop reads is padding"
    )


def _figures(found: Comparison) -> dict[str, object]:
    told = dataclasses.asdict(found)
    for name in ("plain", "optimised"):
        for kind in ("seconds", "cpu_seconds"):
            told[name][kind] = [round(second, 3) for second in told[name][kind]]
    return {**told, "time_ratio": round(found.time_ratio, 3), "largest_loss_gap": found.largest_loss_gap}
