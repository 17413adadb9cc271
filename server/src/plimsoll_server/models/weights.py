"""Whether the weights beside a configuration are there and whole, by their headers alone: nothing is loaded."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

from plimsoll_server.models.errors import ModelError

_HEADER_LENGTH = struct.Struct("<Q")
_LONGEST_HEADER = 100_000_000
"""The format's own limit, in bytes."""
_POINTER = b"version https://git-lfs"
_INDEX = "*.safetensors.index.json"


def inspect_weights(folder: Path) -> None:
    """Raises ModelError when `folder` does not hold whole weights in safetensors."""
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise ModelError(_none(folder))
    for index in sorted(folder.glob(_INDEX)):
        _require_shards(index)
    for file in files:
        _require_whole(file)


def _none(folder: Path) -> str:
    if (folder / "adapter_config.json").is_file():
        return (
            f"{folder} holds an adapter and no whole model; merge it into its base (merge_and_unload) and save that "
            "with save_pretrained"
        )
    pickles = sorted(entry.name for pattern in ("*.bin", "*.pt", "*.pth") for entry in folder.glob(pattern))
    found = f"found {', '.join(pickles)}, which can run code when loaded" if pickles else "found no weights at all"
    return f"{folder} has no *.safetensors: {found}; save the weights with model.save_pretrained(...)"


def _require_shards(index: Path) -> None:
    try:
        named = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"{index} is no index of weights that can be read: {error!r}; copy the model again") from error
    if missing := sorted(str(name) for name in named if not (index.parent / str(name)).is_file()):
        names = ", ".join(missing[:5])
        raise ModelError(f"{index} names {names}: not there; copy all of the model's files")


def _require_whole(file: Path) -> None:
    """A safetensors file is as long as its header says: the header, and the last tensor's end."""
    try:
        with file.open("rb") as content:
            start = content.read(_HEADER_LENGTH.size)
            if start and _POINTER.startswith(start):
                raise ModelError(
                    f"{file} is a pointer of Git LFS and not the weights; run git lfs pull where it was cloned"
                )
            length = _HEADER_LENGTH.unpack(start)[0]
            if length > _LONGEST_HEADER:
                raise ModelError(f"{file} is no safetensors file: its header would have {length} bytes")
            header = json.loads(content.read(length))
        expected = _HEADER_LENGTH.size + length + _data_bytes(header)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, struct.error) as error:
        raise ModelError(f"{file} is no safetensors file that can be read: {error!r}; copy it again") from error
    if (size := file.stat().st_size) != expected:
        raise ModelError(f"{file} has {size} bytes, its header speaks of {expected}: it was cut short; copy it again")


def _data_bytes(header: dict[str, Any]) -> int:
    return max((int(tensor["data_offsets"][1]) for name, tensor in header.items() if name != "__metadata__"), default=0)
