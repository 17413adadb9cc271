"""Who runs a forward pass: each in a process of its own, which does what it is told on its standard input.

One line of JSON asks, one line answers: {"do": "time", "tokens": 512, "times": 3} → {"seconds": 0.2, …}.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

Run = Callable[[Sequence[int]], Sequence[float]]
"""Runs one sequence of token ids; returns the logits, or nothing."""


def plimsoll(folder: Path) -> Run:
    """The server's own model with the threads that its engine gives it, without the server."""
    import torch

    from plimsoll_server.config import ModelConfig
    from plimsoll_server.engine.threads import threads_for
    from plimsoll_server.models.family import Placement
    from plimsoll_server.models.load import load_model

    model: Any = load_model(ModelConfig(location=str(folder)), Placement(torch.device("cpu"), torch.float32, "sdpa"))

    def run(tokens: Sequence[int]) -> Sequence[float]:
        with threads_for(len(tokens), model.info.width):
            logits: Sequence[float] = model.forward([tokens])[0].logits
        return logits

    return run


def transformers(folder: Path) -> Run:
    """Plain transformers with SDPA, as its documentation shows it: the tokenizer's mask of ones goes along."""
    import torch

    network = _network(folder)

    @torch.inference_mode()
    def run(tokens: Sequence[int]) -> Sequence[float]:
        ids = torch.tensor([tokens])
        logits: list[float] = network(input_ids=ids, attention_mask=torch.ones_like(ids)).logits[0].tolist()
        return logits

    return run


def linear_layers(folder: Path) -> Run:
    """Nothing but the four linear layers of each block: what the machine can do with these sizes."""
    import torch

    network = _network(folder)

    @torch.inference_mode()
    def run(tokens: Sequence[int]) -> Sequence[float]:
        for layer in network.model.layers:
            for linear in (layer.attn.Wqkv, layer.attn.Wo, layer.mlp.Wi, layer.mlp.Wo):
                linear(inputs[(len(tokens), linear.in_features)])
        return ()

    inputs = _Inputs()
    return run


class _Inputs(dict[tuple[int, int], Any]):
    """Random inputs by their shape, made once."""

    def __missing__(self, shape: tuple[int, int]) -> Any:
        import torch

        self[shape] = torch.randn(*shape)
        return self[shape]


def _network(folder: Path) -> Any:
    from transformers import AutoModelForSequenceClassification

    return AutoModelForSequenceClassification.from_pretrained(folder, attn_implementation="sdpa").eval()


CONTESTANTS: Mapping[str, Callable[[Path], Run]] = {
    "plimsoll": plimsoll,
    "transformers": transformers,
    "linear layers": linear_layers,
}


def obey(name: str, folder: Path) -> None:
    """Answers until standard input ends."""
    run = CONTESTANTS[name](folder)
    for line in sys.stdin:
        order = json.loads(line)
        sys.stdout.write(json.dumps(_ORDERS[order.pop("do")](run, **order)) + "\n")
        sys.stdout.flush()


def sequence(tokens: int) -> list[int]:
    """The same ids for everyone, none of them special."""
    draw = random.Random(tokens)  # noqa: S311
    return [draw.randrange(4, 2_000) for _ in range(tokens)]


def _time(run: Run, tokens: int, times: int) -> dict[str, Any]:
    ids = sequence(tokens)
    began, began_on_cpu = time.perf_counter(), time.process_time()
    for _ in range(times):
        logits = run(ids)
    seconds, on_cpu = time.perf_counter() - began, time.process_time() - began_on_cpu
    return {"seconds": seconds / times, "cpu_seconds": on_cpu / times, "logits": list(logits)}


def _peak(run: Run, tokens: int) -> dict[str, int]:
    """Bytes of this process: at the highest while one sequence ran, and once what it freed was given back."""
    from serving.marks import highest_mark, reset_highest_mark, resident, return_free_memory

    run(sequence(128))  # what is made once is made by it
    return_free_memory()
    reset_highest_mark()
    run(sequence(tokens))
    peak = highest_mark()
    return_free_memory()
    return {"peak": peak, "resident": resident()}


_ORDERS: Mapping[str, Callable[..., dict[str, Any]]] = {"time": _time, "peak": _peak}
