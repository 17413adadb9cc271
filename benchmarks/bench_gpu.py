"""The server on a GPU of the class of an H200. `make bench-gpu`; `require` only tells whether there is one."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

# bootstrap.py is there, which knows how an environment is made.
sys.path.append(str(Path(__file__).resolve().parent.parent))

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

_NEEDED = (
    "an NVIDIA GPU since Ampere with its driver, visible to PyTorch (nvidia-smi lists it, CUDA_VISIBLE_DEVICES does "
    "not hide it); the figures are promised for the class of an H200 with about 140 GiB"
)
_CURVE = (512, 1_024, 2_048, 4_096, 8_192, 16_384, 32_768)
Quick = Annotated[bool, typer.Option(help="Fewer rounds and requests: to look, not to publish.")]


@app.command()
def require() -> None:
    """Exit status 2, and what is needed, where there is no GPU."""
    import torch

    if not torch.cuda.is_available():
        typer.echo(f"This needs {_NEEDED}. PyTorch {torch.__version__} sees none here.", err=True)
        raise typer.Exit(2)


@app.command()
def run(quick: Quick = False) -> None:
    """Everything that is promised of a GPU, into benchmarks/server-gpu.json."""
    require()
    from origin import commit, machine, packages, today
    from serving.record import LOOKED_AT, PUBLISHED
    from serving.shapes import BASE
    from serving_gpu_table import NAME, gpu_lines

    document = {
        "command": "make bench-gpu" + (" QUICK=1" if quick else ""),
        "date": today(),
        "machine": machine() | _card(),
        "versions": {"plimsoll": commit()} | packages(("torch", "transformers")),
        "load_average": round(os.getloadavg()[0], 1),
        "shape": BASE.name,
        **_measured(quick=quick),
    }
    folder = LOOKED_AT if quick else PUBLISHED
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{NAME}.json"
    path.write_text(json.dumps(document, indent=1) + "\n")
    typer.echo("\n".join(gpu_lines(path)))


@app.command(hidden=True)
def neighbour(leave: int) -> None:
    """Hold the GPU's memory."""
    from serving.gpu_load_line import hold_memory

    hold_memory(leave)


def _measured(*, quick: bool) -> dict[str, Any]:
    from serving.folders import model_folder
    from serving.gpu_kernels import Bench, curve
    from serving.gpu_load_line import at_the_line, short_texts, with_a_neighbour
    from serving.shapes import BASE

    bench = Bench(model_folder(BASE), rounds=3 if quick else 10)
    packs = {"alone": bench.pack("auto", 32_768, 1), "eight": bench.pack("auto", 8_192, 8)}
    pairs = curve(bench, _CURVE, 16_384)
    del bench  # with its models: the servers need the memory
    _empty_cache()
    return {
        "matmul_tflops": round(_rate(packs["eight"]), 1),
        **{name: asdict(pack) for name, pack in packs.items()},
        "curve": [{"best": asdict(best), "eager": asdict(eager)} for best, eager in pairs],
        "short_texts": [asdict(found) for found in short_texts(1_000 if quick else 6_000, 256, 3)],
        "at_the_line": asdict(at_the_line(2 if quick else 5, percent=85)),
        "neighbour": {name: asdict(found) for name, found in with_a_neighbour(8 if quick else 24).items()},
    }


def _rate(pack: Any) -> float:
    """TFLOP/s of the card's matrix products, which the pack's share is of."""
    return float(pack.tflops / pack.share) if pack.share else 0.0


def _empty_cache() -> None:
    import gc

    import torch

    gc.collect()
    torch.cuda.empty_cache()


def _card() -> dict[str, str | int]:
    import torch

    card = torch.cuda.get_device_properties(0)
    return {"gpu": card.name, "gpu_memory_gib": round(card.total_memory / 2**30)}


if __name__ == "__main__":
    app()
