"""Two processes, each with a part of the weights, learn what one does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from free_ports import free_port
from plimsoll_server.train.run import train
from train_builders import quiet
from training_builders import steps_of, write_config

FOLDER = Path(sys.executable).parent
DEADLINE_SECONDS = 480
STEPS = 12


def config_file(folder: Path, batch: int) -> Path:
    """Rows in the order of the data set: so two processes read by turns what one reads, step by step."""
    changes: dict[str, dict[str, Any]] = {
        "data": {"shuffle_rows": 1},
        "optimiser": {"batch": batch},
        "schedule": {"steps": STEPS},
        "checkpoints": {"every": 4},
        "board": {"details_every": 6},
    }
    return write_config(folder, changes, least_margin=0.0)


def train_in_two(config: Path, output: Path) -> None:
    launched = subprocess.run(
        [
            FOLDER / "torchrun",
            *("--nproc-per-node", "2", "--master-addr", "127.0.0.1", "--master-port", str(free_port()), "--no-python"),
            *(FOLDER / "plimsoll-server", "train", config, output),
        ],
        env={**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"},
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
        check=False,
    )
    assert launched.returncode == 0, launched.stderr


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_two_processes_learn_what_one_does(tmp_path: Path) -> None:
    train(config_file(tmp_path / "one", batch=4), tmp_path / "one" / "output", quiet())
    config, output = config_file(tmp_path / "two", batch=2), tmp_path / "two" / "output"
    train_in_two(config, output)
    alone, together = steps_of(tmp_path / "one" / "output"), steps_of(output)

    for kind in ("loss", "gradient_norm", "learning_rate"):
        assert [step[kind] for step in together] == pytest.approx([step[kind] for step in alone], rel=2e-3)
    assert together[-1]["loss"] < 0.9 * together[0]["loss"]
    weights = [load_file(tmp_path / count / "output" / "model" / "model.safetensors") for count in ("one", "two")]
    assert weights[0].keys() == weights[1].keys()
    assert max((one - weights[1][name]).abs().max().item() for name, one in weights[0].items()) < 0.01
    assert all(one.dtype == torch.float32 for one in weights[1].values())
