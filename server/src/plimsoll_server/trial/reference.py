"""What no server can do without, measured on the same machine in the same run: torch's own memory, and the time of the
matrix products. A target that is missed is judged beside them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from plimsoll_server.trial.subject import Subject

_SECONDS = 300.0
_IMPORT = "import torch"
_RESIDENT = """
from pathlib import Path
lines = Path("/proc/self/status").read_text().splitlines()
print(next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:")))
"""
_PRODUCTS = """
import json, statistics, sys, time
import torch
width, feed_forward, layers, threads, *counts = map(int, sys.argv[1:])
torch.set_num_threads(threads)
shapes = [(width, 3 * width), (width, width), (width, feed_forward), (feed_forward, width)]
def once(operands):
    began = time.process_time()
    for states, weight in operands:
        torch.nn.functional.linear(states, weight)
    return time.process_time() - began
def product_seconds(tokens):
    operands = [(torch.randn(tokens, inner), torch.randn(outer, inner)) for inner, outer in shapes]
    once(operands)
    return layers * statistics.median(once(operands) for _ in range(9))
with torch.inference_mode():
    print(json.dumps([product_seconds(tokens) for tokens in counts]))
"""


@dataclass(frozen=True, slots=True)
class Reference:
    empty_bytes: int
    """Resident memory of a Python that has imported nothing."""
    torch_bytes: int
    """Of one that has imported torch and nothing else."""
    product_seconds: dict[int, float]
    """By the number of full sequences: the processor time of the matrix products of all layers by themselves."""


def measure_reference(subject: Subject, sequences: Sequence[int], threads: int) -> Reference:
    return Reference(
        empty_bytes=int(_python(_RESIDENT)),
        torch_bytes=int(_python(f"{_IMPORT}\n{_RESIDENT}")),
        product_seconds=_products(subject, sequences, threads),
    )


def _products(subject: Subject, sequences: Sequence[int], threads: int) -> dict[int, float]:
    tokens = [count * subject.window for count in sequences]
    shape = (subject.width, subject.feed_forward, subject.layers, threads, *tokens)
    return dict(zip(sequences, json.loads(_python(_PRODUCTS, *map(str, shape))), strict=True))


def _python(program: str, *arguments: str) -> str:
    done = subprocess.run(  # noqa: S603  our own interpreter
        [sys.executable, "-c", program, *arguments],
        capture_output=True,
        text=True,
        check=True,
        timeout=_SECONDS,
        # A thread that spins while it waits would count as work.
        env={**os.environ, "OMP_WAIT_POLICY": "PASSIVE"},
    )
    return done.stdout
