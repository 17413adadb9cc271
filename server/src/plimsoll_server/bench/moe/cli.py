"""`plimsoll-server bench moe`."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from plimsoll_server.bench.loading import loaded, rows_of, tell, told_errors, write_report
from plimsoll_server.bench.moe.shapes import LayerShape, shape_of

if TYPE_CHECKING:
    from plimsoll_server.bench.moe.use import Use

_DEFAULT_SHAPES = "32x512x1024,32x512x2048"
_RESERVE = 1 << 30
"""Bytes that are left to the rest of the machine."""


def moe(
    output: Annotated[Path, typer.Option("--output", help="A folder for moe.json, moe.md and moe.png.")] = Path(),
    shapes: Annotated[
        str, typer.Option(help="Layers by BATCHxSEQUENCExWIDTH, with commas; none: an empty text.")
    ] = _DEFAULT_SHAPES,
    rounds: Annotated[int, typer.Option(min=1, help="In which all ways take turns.")] = 5,
    dtype: Annotated[Literal["float32", "bfloat16"], typer.Option()] = "float32",
    device: Annotated[Literal["cpu", "cuda"], typer.Option()] = "cpu",
    model: Annotated[
        Path | None, typer.Option(help="A folder of the family moe, whose experts are looked at.", show_default=False)
    ] = None,
    texts: Annotated[
        Path | None, typer.Option(help="JSON Lines with a field `text`, read by that model.", show_default=False)
    ] = None,
) -> None:
    """A layer of experts beside four other ways to compute it, and how evenly a trained model uses its experts."""
    from plimsoll_server.bench.moe.report import draw, lines
    from plimsoll_server.surroundings import origin

    if (model is None) is not (texts is None):
        raise typer.BadParameter("--model and --texts go together: the model whose experts are looked at reads them")
    chosen = _shapes(shapes)
    output.mkdir(parents=True, exist_ok=True)
    layers, left_out = _layers(chosen, rounds, dtype, device)
    with told_errors():
        found = None if model is None or texts is None else _use(model, texts)
    command = f"plimsoll-server bench moe --shapes {shapes} --rounds {rounds} --dtype {dtype} --device {device}"
    document = {
        **origin(command + (" --model MODEL --texts TEXTS" if model else "")),
        "layers": layers,
        "left_out": left_out,
        "use": None if found is None else dataclasses.asdict(found),
    }
    write_report(output, "moe", document, "\n".join(lines(document)), draw)


def _shapes(text: str) -> list[LayerShape]:
    try:
        return [shape_of(part) for part in text.split(",") if part.strip()]
    except ValueError as error:
        raise typer.BadParameter(f"--shapes: {error}") from error


def _layers(
    shapes: list[LayerShape], rounds: int, dtype: str, device: str
) -> tuple[list[dict[str, Any]], dict[str, str]]:
    import torch

    from plimsoll_server.bench.moe.measure import measure

    found: list[dict[str, Any]] = []
    left_out: dict[str, str] = {}
    for shape in shapes:
        free = _free_bytes(device)
        if shape.least_bytes + _RESERVE > free:
            left_out[shape.name] = (
                f"it takes about {shape.least_bytes / 2**30:.0f} GiB, and {free / 2**30:.0f} are free on this {device}"
            )
            typer.echo(f"{shape.name} is left out: {left_out[shape.name]}", err=True)
            continue
        figures = measure(shape, rounds, getattr(torch, dtype), torch.device(device), tell)
        found.append(dataclasses.asdict(figures))
    return found, left_out


def _free_bytes(device: str) -> int:
    if device == "cuda":
        import torch

        return int(torch.cuda.mem_get_info()[0])
    lines = Path("/proc/meminfo").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))


def _use(folder: Path, texts: Path) -> Use:
    """Raises what told_errors tells."""
    from tokenizers import Tokenizer

    from plimsoll_server.bench.moe.use import use_of

    model = loaded(folder)
    tokenizer: Tokenizer = Tokenizer.from_file(model.info.tokenizer_file)
    read = [row["text"] for row in rows_of(texts)]
    return use_of(model, [tokenizer.encode(text).ids[: model.info.window] for text in read], tell)
