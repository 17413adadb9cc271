"""What TensorBoard shows of a training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch.utils.tensorboard import SummaryWriter

from plimsoll_server.train.attention import MeasuredPack
from plimsoll_server.train.config import TrainingConfig
from plimsoll_server.train.held_out import Examined
from plimsoll_server.train.loop import Batch, Step, whole
from plimsoll_server.train.processes import Processes


class Board:
    """Every process of a training has one, for some of what is shown takes all of them; the first one writes."""

    def __init__(self, folder: Path, config: TrainingConfig, processes: Processes, *, after_step: int) -> None:
        """What an earlier run told of steps after `after_step` is taken back."""
        self._every, self._details_every = config.board.every, config.board.details_every
        self._config = config
        self._device = processes.device
        writer: Any = SummaryWriter
        self._writer: Any = writer(str(folder), purge_step=after_step + 1) if processes.first else None

    def step(self, number: int, step: Step, network: Any, batch: Batch, *, packed: bool) -> None:
        if number % self._every == 0:
            self._scalars(
                number,
                {"loss/training": step.loss, "learning_rate": step.learning_rate, "gradient_norm": step.gradient_norm},
            )
        if number % self._details_every == 0:
            if packed:
                self._scalars(number, _entropies(network, batch, self._device))
            for name, weights in network.named_parameters():
                values = whole(weights.detach()).float().cpu()
                if self._writer is not None:
                    self._writer.add_histogram(f"weights/{name}", values, number)

    def examined(self, number: int, found: Examined, *, last: bool) -> None:
        """At the last step the settings are shown too, beside what came of them."""
        self._scalars(number, {"loss/held_out": found.loss, "accuracy/held_out": found.accuracy})
        if last and self._writer is not None:
            chosen = dict(_flat("", self._config.model_dump()))
            self._writer.add_hparams(chosen, {"held_out/accuracy": found.accuracy}, run_name=".", global_step=number)

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()

    def _scalars(self, number: int, values: dict[str, float]) -> None:
        if self._writer is not None:
            for name, value in values.items():
                self._writer.add_scalar(name, value, number)


@torch.no_grad()
def _entropies(network: Any, batch: Batch, device: torch.device) -> dict[str, float]:
    pack = MeasuredPack([example.tokens for example in batch], device)
    network.train(mode=False)
    network.read(pack)
    return {f"attention_entropy/layer_{number}": float(one) for number, one in enumerate(pack.entropies, start=1)}


def _flat(prefix: str, values: dict[str, Any]) -> list[tuple[str, Any]]:
    """TensorBoard takes no nested ones and no lists."""
    pairs: list[tuple[str, Any]] = []
    for name, value in values.items():
        if isinstance(value, dict):
            pairs += _flat(f"{prefix}{name}.", value)
        else:
            pairs.append((prefix + name, value if isinstance(value, int | float | str | bool) else ", ".join(value)))
    return pairs
