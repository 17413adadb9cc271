"""The model that a training ends with, in the files that the hub's libraries and the server read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file
from tokenizers import Tokenizer
from transformers.utils import logging as transformers_logging

from plimsoll_server.train.checkpoints import WEIGHTS, read_state
from plimsoll_server.train.config import TrainingConfig
from plimsoll_server.train.data import Example
from plimsoll_server.train.demo.tokenizer import save_tokenizer
from plimsoll_server.train.errors import TrainingError
from plimsoll_server.train.families import FAMILIES, build_network
from plimsoll_server.train.folder import published
from plimsoll_server.train.held_out import examine, majority_share
from plimsoll_server.train.processes import Processes
from plimsoll_server.train.record import FILE, TrainingRecord, model_card


def save_model(
    output: Path,
    checkpoint: Path,
    config: TrainingConfig,
    tokenizer: Tokenizer,
    learnt: Sequence[Example],
    held_out: Sequence[Example],
    processes: Processes,
) -> TrainingRecord:
    """Of the weights of `checkpoint`, examined once more. `learnt`: some of the rows that they were learnt from, for a
    family that ends by them. Raises TrainingError on a model that has not learnt."""
    network = build_network(config.model, tokenizer.get_vocab_size(), config.data.labels)
    network.load_state_dict(load_file(checkpoint / WEIGHTS))
    network.to(processes.device)
    found = examine(network, held_out, processes.device, packed=FAMILIES[config.model.family].packed)
    record = TrainingRecord(
        config=config,
        processes=processes.count,
        weights=sum(one.numel() for one in network.parameters()),
        step=read_state(checkpoint).step,
        held_out=len(held_out),
        held_out_loss=found.loss,
        accuracy=found.accuracy,
        majority_share=majority_share(held_out),
    )
    _check_learnt(record)
    finish = FAMILIES[config.model.family].finish
    if finish is not None:
        finish(network, learnt, held_out)
    _write(output, network.to("cpu"), tokenizer, record)
    return record


def _check_learnt(record: TrainingRecord) -> None:
    if record.margin < record.config.least_margin:
        raise TrainingError(
            f"expected a held-out accuracy at least {record.config.least_margin:.0%} above the "
            f"{record.majority_share:.1%} of always giving the most frequent label, found {record.accuracy:.1%}; no "
            "model was saved. Train in another folder with more steps, more rows or another learning rate"
        )


def _write(output: Path, network: Any, tokenizer: Tokenizer, record: TrainingRecord) -> None:
    chatter: Any = transformers_logging
    chatter.disable_progress_bar()
    try:
        with published(output) as folder:
            network.save_pretrained(folder)
            save_tokenizer(tokenizer, folder, record.config.model.shape.max_position_embeddings)
            (folder / "README.md").write_text(model_card(record), encoding="utf-8")
            (folder / FILE).write_text(record.model_dump_json(indent=2) + "\n", encoding="utf-8")
            for file in folder.iterdir():
                # safetensors keeps its file to its owner; a pod runs as somebody else.
                file.chmod(0o644)
    except (OSError, SafetensorError) as error:
        raise TrainingError(
            f"expected to write the model beside its place in {output.parent}, but: {error}; make room there and "
            "start again: the checkpoints are kept"
        ) from error
