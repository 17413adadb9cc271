"""Everything that a training needs to go on as if it had never stopped, in folders that are complete or not there.

A folder's checksums are verified before anything of it is used: a disk may have lost what a process had written.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_model_state_dict,
    get_optimizer_state_dict,
    set_model_state_dict,
    set_optimizer_state_dict,
)
from torch.optim import Optimizer

from plimsoll_server.train.config import TrainingConfig
from plimsoll_server.train.data import Place
from plimsoll_server.train.errors import TrainingError
from plimsoll_server.train.folder import published, remove_partials
from plimsoll_server.train.processes import Processes

WEIGHTS, OPTIMISER, RANDOM, STATE = "model.safetensors", "optimiser.safetensors", "random.safetensors", "state.json"
SUMS = "SHA256SUMS"
_WHOLE = StateDictOptions(full_state_dict=True)
_GATHERED = StateDictOptions(full_state_dict=True, cpu_offload=True)


class State(BaseModel):
    """What is no tensor. The learning rate is a function of the step."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    step: int
    held_out_loss: float
    places: tuple[Place, ...]
    """Where each process reads on."""
    config: TrainingConfig


Tensors = Mapping[str, Mapping[str, Tensor]]
"""By file and name."""


class Checkpoints:
    """Those of one training: the last few, and the best by the loss on the held-out rows."""

    def __init__(self, folder: Path, keep: int, warn: Callable[[str], None]) -> None:
        self._folder = folder
        self._keep = keep
        self._warn = warn
        self._damaged: set[Path] = set()

    def save(self, state: State, tensors: Tensors) -> Path:
        """Raises OSError where the disk is full; what was there stays."""
        target = self._folder / f"step-{state.step:08d}"
        remove_partials(target)
        with published(target) as folder:
            for name, content in tensors.items():
                save_file(dict(content), folder / name)
            (folder / STATE).write_text(state.model_dump_json(indent=1), encoding="utf-8")
            (folder / SUMS).write_text(_sums(folder), encoding="utf-8")
        self._remove_old()
        return target

    def last(self) -> Path | None:
        """The last one that is whole."""
        return next(self._whole_ones(), None)

    def best(self) -> Path | None:
        whole = list(self._whole_ones())
        return min(whole, key=lambda one: read_state(one).held_out_loss) if whole else None

    def _whole_ones(self) -> Iterator[Path]:
        """The newest first."""
        for folder in sorted(self._folder.glob("step-*"), reverse=True):
            if folder in self._damaged:
                continue
            if is_whole(folder):
                yield folder
            else:
                self._damaged.add(folder)
                self._warn(f"{folder} is damaged (its files are not what {SUMS} lists): the one before is taken")

    def _remove_old(self) -> None:
        newest = sorted(self._folder.glob("step-*"), reverse=True)
        keep = {*newest[: self._keep], self.best()}
        for folder in newest:
            if folder not in keep:
                shutil.rmtree(folder)


def is_whole(folder: Path) -> bool:
    """Whether every file is what was written."""
    try:
        return (folder / SUMS).read_text(encoding="utf-8") == _sums(folder)
    except (OSError, UnicodeDecodeError):
        return False


def read_state(folder: Path) -> State:
    return State.model_validate_json((folder / STATE).read_bytes())


def tensors_of(network: Any, optimizer: Optimizer, processes: Processes) -> dict[str, dict[str, Tensor]]:
    """By file. Every process has to ask; the first one gets all of it."""
    # Empty in all processes but the first.
    state: Any = get_optimizer_state_dict(network, optimizer, options=_GATHERED).get("state", {})
    return {
        WEIGHTS: _on_their_own(get_model_state_dict(network, options=_GATHERED)),
        OPTIMISER: _on_their_own(
            {f"{kind}.{name}": value for name, kinds in state.items() for kind, value in kinds.items()}
        ),
        RANDOM: {
            f"{kind}.{rank}": generator
            for rank, generators in enumerate(processes.all_of(_generators(processes.device)))
            for kind, generator in generators.items()
        },
    }


def restore(folder: Path, network: Any, optimizer: Optimizer, processes: Processes) -> None:
    """Weights, the optimiser's state and this process's generators of random numbers."""
    weights: Any = load_file(folder / WEIGHTS)
    set_model_state_dict(network, weights, options=_WHOLE)
    state: Any = {}
    for name, value in load_file(folder / OPTIMISER).items():
        kind, _, weight = name.partition(".")
        state.setdefault(weight, {})[kind] = value
    # The choices are those of the configuration, which is the same.
    choices = get_optimizer_state_dict(network, optimizer)["param_groups"]
    set_optimizer_state_dict(network, optimizer, {"state": state, "param_groups": choices}, options=_WHOLE)
    generators = load_file(folder / RANDOM)
    torch.set_rng_state(generators[f"cpu.{processes.rank}"])
    if processes.device.type == "cuda":
        torch.cuda.set_rng_state(generators[f"cuda.{processes.rank}"])


def check_same_training(state: State, config: TrainingConfig, processes: Processes, output: Path) -> None:
    """Raises TrainingError where going on would give what neither training gives."""
    if len(state.places) != processes.count:
        raise TrainingError(
            f"expected to go on in {output} with {len(state.places)} processes, as it began, found {processes.count}; "
            "start as many, or name another folder"
        )
    before, now = (one.model_dump(exclude={"checkpoints", "board"}) for one in (state.config, config))
    if changed := [name for name in now if now[name] != before.get(name)]:
        raise TrainingError(
            f"expected to go on in {output} with the configuration that it began with, found another "
            f"{', '.join(changed)}; write what it was ({folder_hint(state)}), or name another folder"
        )


def folder_hint(state: State) -> str:
    return f"config in checkpoints/step-{state.step:08d}/{STATE}"


def _generators(device: torch.device) -> dict[str, Tensor]:
    found = {"cpu": torch.get_rng_state()}
    return {**found, "cuda": torch.cuda.get_rng_state()} if device.type == "cuda" else found


def _on_their_own(tensors: Mapping[str, Any]) -> dict[str, Tensor]:
    """safetensors takes no views."""
    return {name: value.detach().cpu().contiguous() for name, value in tensors.items()}


def _sums(folder: Path) -> str:
    """As `sha256sum` writes it."""
    lines = []
    for file in sorted(folder.iterdir()):
        if file.name != SUMS:
            with file.open("rb") as content:
                lines.append(f"{hashlib.file_digest(content, 'sha256').hexdigest()}  {file.name}\n")
    return "".join(lines)
