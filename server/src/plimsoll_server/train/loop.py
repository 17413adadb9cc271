"""One change of the weights after the other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor
from torch.nn import functional
from torch.optim import AdamW

from plimsoll_server.models.pack import Pack
from plimsoll_server.train.config import TrainingConfig
from plimsoll_server.train.data import Example
from plimsoll_server.train.demo.loop import learning_rate_share
from plimsoll_server.train.errors import TrainingError
from plimsoll_server.train.families import FAMILIES
from plimsoll_server.train.processes import Processes

Batch = Sequence[Example]


@dataclass(frozen=True, slots=True)
class Step:
    loss: float
    """The mean over all rows of all processes, with what the family adds to it."""
    learning_rate: float
    gradient_norm: float
    """Before it was bounded."""


class Loop:
    def __init__(self, network: Any, config: TrainingConfig, processes: Processes) -> None:
        family = FAMILIES[config.model.family]
        self._network = network
        self._config = config
        self._processes = processes
        self._packed = family.packed
        self._extra_loss = family.extra_loss and family.extra_loss(network, config.model)
        learning = [one for one in network.parameters() if one.requires_grad]
        self.optimizer = AdamW(learning, weight_decay=config.optimiser.weight_decay, fused=True)

    def step(self, number: int, batches: Sequence[Batch]) -> Step:
        """The step `number`, from 1 on. Raises TrainingError on a loss or a gradient that is no finite number; the
        weights are then as they were before."""
        self._network.train()
        losses = torch.stack([self._add_gradients(batch, len(batches)) for batch in batches])
        for loss, batch in zip(losses.tolist(), batches, strict=True):
            self._check("loss", loss, number, batch)
        found = nn.utils.clip_grad_norm_(self._network.parameters(), self._config.optimiser.largest_gradient_norm)
        norm = float(whole(found))
        self._check("gradient norm", norm, number, [example for batch in batches for example in batch])
        rate = self._learning_rate(number)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.step()
        self.optimizer.zero_grad()
        return Step(float(self._processes.mean(losses.mean())), rate, norm)

    def _add_gradients(self, batch: Batch, batches: int) -> Tensor:
        half = self._config.precision.autocast == "bfloat16"
        with torch.autocast(self._processes.device.type, torch.bfloat16, enabled=half):
            logits, mask = read(self._network, batch, self._processes.device, packed=self._packed)
        loss = functional.cross_entropy(logits.float(), labels_of(batch, self._processes.device))
        if self._extra_loss is not None:
            loss = loss + self._extra_loss(mask)
        (loss / batches).backward()  # type: ignore[no-untyped-call]
        return loss.detach()

    def _learning_rate(self, number: int) -> float:
        schedule = self._config.schedule
        share = learning_rate_share(number - 1, schedule.steps, schedule.warm_up)
        return self._config.optimiser.learning_rate * share

    def _check(self, what: str, value: float, number: int, batch: Batch) -> None:
        if math.isfinite(value):
            return
        rows = ", ".join(f"{example.row} (epoch {example.epoch})" for example in batch)
        own = f" that process {self._processes.rank} reads" if self._processes.count > 1 else ""
        raise TrainingError(
            f"expected a finite {what}, found {value} at step {number} in the batch of the rows {rows}{own}; the "
            "weights of the last checkpoint stay. Look at these rows, or begin in another folder with another seed or "
            f"a lower optimiser.learning_rate than {self._config.optimiser.learning_rate:g}"
        )


def read(network: Any, batch: Batch, device: torch.device, *, packed: bool) -> tuple[Tensor, Tensor | None]:
    """Logits (rows, labels), and the mask (rows, tokens) of what was no padding; None where there was none."""
    if packed:
        return network.read(Pack([example.tokens for example in batch], device)), None
    rows, mask = padded(batch, network.config.pad_token_id)
    return network(rows.to(device), mask.to(device)), mask.to(device)


def padded(batch: Batch, pad: int) -> tuple[Tensor, Tensor]:
    """Ids and mask, both (rows, longest)."""
    pad_rows = nn.utils.rnn.pad_sequence
    rows = pad_rows([torch.tensor(example.tokens) for example in batch], batch_first=True, padding_value=pad)
    mask = pad_rows([torch.ones(len(example.tokens), dtype=torch.long) for example in batch], batch_first=True)
    return rows, mask


def labels_of(batch: Batch, device: torch.device) -> Tensor:
    return torch.tensor([example.label for example in batch], device=device)


def whole(tensor: Tensor) -> Tensor:
    """All of a tensor of which each process may have a part. Every process has to ask."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor
