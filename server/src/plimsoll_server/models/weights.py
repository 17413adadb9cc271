"""Which files a model's weights are, and whether they are whole, by their headers alone: nothing is loaded."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from plimsoll_server.models.errors import ModelError
from plimsoll_server.models.json_files import read_json, told

_HEADER_LENGTH = struct.Struct("<Q")
_LONGEST_HEADER = 100_000_000
"""The format's own limit, in bytes."""
_POINTER = b"version https://git-lfs"
_SINGLE = "model.safetensors"
_INDEX = "model.safetensors.index.json"


class _Index(BaseModel):
    model_config = ConfigDict(extra="ignore")

    metadata: dict[str, Any]
    weight_map: dict[str, str]
    """From each tensor to its shard."""


class _Tensor(BaseModel):
    model_config = ConfigDict(extra="ignore")

    dtype: str
    shape: tuple[int, ...]
    data_offsets: tuple[int, int]


_HEADER = TypeAdapter(dict[str, _Tensor])
_NUMBERS = ("F64", "F32", "F16", "BF16", "I64")
"""I64: positions, which older releases of transformers saved beside the weights."""
_METADATA = "__metadata__"


def weight_files(folder: Path) -> tuple[Path, ...]:
    """What transformers reads of `folder`, and nothing else: one file, or an index and its shards. Raises ModelError.

    A shard lies in the folder itself, though it may be a link, as it is in the hub's cache: one named by a path would
    be read wherever that leads.
    """
    single, index = folder / _SINGLE, folder / _INDEX
    if single.is_file():
        return (single,)
    if index.is_file():
        return (index, *_shards(index))
    raise ModelError(_none(folder))


def inspect_weights(folder: Path) -> frozenset[int]:
    """Every size that a dimension of a tensor has. Raises ModelError when `folder` does not hold whole weights."""
    files = [file for file in weight_files(folder) if file.name != _INDEX]
    return frozenset(size for file in files for tensor in _whole(file) for size in tensor.shape)


def _none(folder: Path) -> str:
    if (folder / "adapter_config.json").is_file():
        return (
            f"{folder} holds an adapter and no whole model; merge it into its base (merge_and_unload) and save that "
            "with save_pretrained"
        )
    if named := sorted(entry.name for entry in folder.glob("*.safetensors")):
        return (
            f"{folder} holds {', '.join(named[:5])}, but neither a file {_SINGLE} nor a file {_INDEX}; name a single "
            f"file of weights {_SINGLE}, or save them with model.save_pretrained(...)"
        )
    pickles = sorted(entry.name for pattern in ("*.bin", "*.pt", "*.pth") for entry in folder.glob(pattern))
    found = f"found {', '.join(pickles)}, which can run code when loaded" if pickles else "found no weights at all"
    return f"{folder} has no *.safetensors: {found}; save the weights with model.save_pretrained(...)"


def _shards(index: Path) -> list[Path]:
    named = sorted(set(read_json(index, _Index).weight_map.values()))
    for name in named:
        if Path(name).name != name or not name.endswith(".safetensors"):
            raise ModelError(
                f"{index} names {name!r}, expected *.safetensors in the same folder; save the weights with "
                "model.save_pretrained(...)"
            )
    # A name that no file system takes is not there either, and Path would raise.
    if missing := [name for name in named if not os.path.isfile(index.parent / name)]:  # noqa: PTH113
        raise ModelError(f"{index} names {', '.join(missing[:5])}: not there; copy all of the model's files")
    return [index.parent / name for name in named]


def _whole(file: Path) -> list[_Tensor]:
    """The tensors of a safetensors file, which is as long as its header says: the header, and the last tensor's end."""
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
            header = TypeAdapter(dict[str, Any]).validate_json(content.read(length))
        header.pop(_METADATA, None)
        named = _HEADER.validate_python(header)
    except ValidationError as error:
        raise ModelError(
            f"{file} is no safetensors file that can be read: its header {told(error)}; copy it again"
        ) from error
    except (OSError, struct.error) as error:
        raise ModelError(f"{file} is no safetensors file that can be read: {error!r}; copy it again") from error
    _refuse_quantised(file, named)
    tensors = list(named.values())
    expected = _HEADER_LENGTH.size + length + _data_bytes(tensors)
    if (size := file.stat().st_size) != expected:
        raise ModelError(f"{file} has {size} bytes, its header speaks of {expected}: it was cut short; copy it again")
    return tensors


def _refuse_quantised(file: Path, tensors: Mapping[str, _Tensor]) -> None:
    """Read as ordinary numbers, without the scales that belong to them, they would give other answers in silence."""
    for name, tensor in tensors.items():
        if tensor.dtype not in _NUMBERS:
            raise ModelError(
                f"{file} holds {name} as {tensor.dtype}, expected one of {', '.join(_NUMBERS)}: quantised weights are "
                "not run here; serve the model as it was before that"
            )


def _data_bytes(tensors: Iterable[_Tensor]) -> int:
    return max((tensor.data_offsets[1] for tensor in tensors), default=0)
