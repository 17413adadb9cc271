"""What few kernels cost: texts of all lengths by an encoder on a CPU, as it is served, and with what the libraries keep
by default and packs as long as their texts. In turns, each in a process of its own; writes benchmarks/kernels.json.

    python benchmarks/kernels.py               # ten minutes on two cores
    python benchmarks/kernels.py --quick       # to look, kept nowhere
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
# bootstrap.py is there, which the benchmarks beside this one take things from.
sys.path.append(str(ROOT))

from origin import stamp  # noqa: E402
from serving.contest import SERVED, TIED  # noqa: E402
from serving.folders import model_folder  # noqa: E402
from serving.shapes import PERIOD, Shape  # noqa: E402

OUTPUT = Path(__file__).with_suffix(".json")
SMALL = Shape("4 layers of width 128", layers=4, width=128, heads=4, feed_forward=192, vocabulary=4096)
CASES = ((SMALL, 4, 60, 1500), (SMALL, 8, 512, 400), (PERIOD, 4, 60, 300), (PERIOD, 8, 512, 100))
"""Shape, least and greatest number of tokens, texts that are timed; twice as many go before them."""
AS_SERVED, BY_DEFAULT = "as served", "by default"
_OF_KERNELS = ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "LRU_CACHE_CAPACITY")
_MEBIBYTE = 1 << 20
_PATIENCE_SECONDS = 600


def run(way: str, folder: Path, low: int, high: int, texts: int) -> dict[str, float]:
    """In this process: milliseconds of a text, and MiB that the process has grown by since the first one."""
    import torch

    from plimsoll_server.config import ModelConfig
    from plimsoll_server.engine.cpus import usable_cpus
    from plimsoll_server.engine.device import choose_placement
    from plimsoll_server.engine.memory import free_memory
    from plimsoll_server.engine.process_memory import private_bytes
    from plimsoll_server.engine.threads import start_threads, threads_for
    from plimsoll_server.models import packed_model
    from plimsoll_server.models.load import load_model

    if way == BY_DEFAULT:
        vars(packed_model)["filled_up"] = lambda batch, *_: list(batch)
    start_threads(usable_cpus())
    config = ModelConfig(location=str(folder))
    model = load_model(config, choose_placement(config))
    draw = random.Random(3)  # noqa: S311 - lengths

    def held() -> int:
        free_memory(torch.device("cpu"))
        return private_bytes()

    def read() -> None:
        length = draw.randint(low, high)
        with threads_for(length, model.info.width):
            model.forward([[4 + place % 50 for place in range(length)]])

    read()
    before = held()
    for _ in range(2 * texts):
        read()
    began = time.perf_counter()
    for _ in range(texts):
        read()
    seconds = time.perf_counter() - began
    return {"milliseconds": 1000 * seconds / texts, "mebibytes": (held() - before) / _MEBIBYTE}


def asked(way: str, folder: Path, low: int, high: int, texts: int) -> dict[str, float]:
    """The same in a process of its own, which ends with this one."""
    settings = {name: value for name, value in SERVED.items() if way == AS_SERVED or name not in _OF_KERNELS}
    done = subprocess.run(  # noqa: S603 - our own program
        [*TIED, sys.executable, __file__, "--child", way, str(folder), str(low), str(high), str(texts)],
        env={**os.environ, **settings},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=_PATIENCE_SECONDS,
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def compare(shape: Shape, low: int, high: int, texts: int, rounds: int) -> dict[str, Any]:
    folder, order = model_folder(shape), [BY_DEFAULT, AS_SERVED]
    found: dict[str, list[dict[str, float]]] = {way: [] for way in order}
    for number in range(rounds):
        for way in order:
            sys.stderr.write(f"{shape.name}, {low} to {high} tokens, round {number + 1} of {rounds}: {way}\n")
            found[way].append(asked(way, folder, low, high, texts))
        order.reverse()
    pairs = zip(found[AS_SERVED], found[BY_DEFAULT], strict=True)
    ratios = [served["milliseconds"] / default["milliseconds"] for served, default in pairs]
    return {
        "model": shape.name,
        "tokens": [low, high],
        "ways": {way: {name: _median(takes, name) for name in takes[0]} for way, takes in found.items()},
        "time_ratio": [round(number, 3) for number in (statistics.median(ratios), min(ratios), max(ratios))],
    }


def _median(takes: list[dict[str, float]], name: str) -> float:
    return round(statistics.median(take[name] for take in takes), 2)


def main() -> None:
    if sys.argv[1:2] == ["--child"]:
        way, folder, *numbers = sys.argv[2:]
        sys.stdout.write(json.dumps(run(way, Path(folder), *map(int, numbers))) + "\n")
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--rounds", type=int, default=5)
    wanted = parser.parse_args()
    cases = [(shape, low, high, texts // 10) for shape, low, high, texts in CASES[:2]] if wanted.quick else CASES
    document = {
        **stamp(" ".join(("python benchmarks/kernels.py", *sys.argv[1:]))),
        "cases": [compare(*case, rounds=1 if wanted.quick else wanted.rounds) for case in cases],
    }
    text = json.dumps(document, indent=1) + "\n"
    sys.stdout.write(text)
    if not wanted.quick:
        OUTPUT.write_text(text)


if __name__ == "__main__":
    main()
