"""The trials of an earlier start, kept on disk: the same model on the same device takes what it took."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import torch
from pydantic import TypeAdapter, ValidationError

from plimsoll_server.engine.device import device_name
from plimsoll_server.models.location import Located
from plimsoll_server.types import ModelInfo, Trial

log = logging.getLogger(__name__)

_TRIALS = TypeAdapter(tuple[Trial, ...])
_MEASURING = ("plimsoll-server", "torch", "transformers")
"""Whose versions decide what a token takes."""


def calibration_file(directory: str, info: ModelInfo, located: Located) -> Path | None:
    """Where the trials of this model on this device belong; None without a directory.

    The model is known by its configuration, for its weights' values take no part in it.
    """
    if not directory:
        return None
    identity = {
        "model": [info.location, info.revision, info.family, info.task],
        "configuration": hashlib.sha256((located.folder / "config.json").read_bytes()).hexdigest(),
        "device": [device_name(torch.device(info.device)), platform.machine()],
        "numbers": [info.dtype, info.attention, info.packing],
        "threads": torch.get_num_threads(),
        "versions": {name: version(name) for name in _MEASURING},
    }
    digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
    return Path(directory) / f"calibration-{digest[:32]}.json"


def sized(file: Path | None, longest: int, together: int) -> Path | None:
    """Where those belong that were made for sequences of up to `longest` tokens and batches of up to `together`: what
    short ones took says little of long ones."""
    return file and file.with_stem(f"{file.stem}-{longest}-{together}")


def recall(file: Path | None) -> tuple[Trial, ...]:
    """Empty where there are none, or none that can be read."""
    if file is None:
        return ()
    try:
        return _TRIALS.validate_json(file.read_bytes())
    except FileNotFoundError:
        return ()
    except (OSError, ValidationError) as error:
        log.warning("the calibration in %s cannot be read and is made anew: %s", file, str(error).splitlines()[0])
        return ()


def remember(file: Path | None, trials: Sequence[Trial]) -> None:
    """A directory that cannot be written costs the next start its seconds, and nothing else."""
    if file is None:
        return
    unfinished = file.with_suffix(f".{os.getpid()}")
    try:
        unfinished.write_bytes(_TRIALS.dump_json(tuple(trials)))
        unfinished.replace(file)
    except OSError as error:
        log.warning("the calibration cannot be kept in %s: %s", file.parent, error.strerror)
