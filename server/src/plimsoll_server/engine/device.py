"""Which device runs the model, and in which precision and attention there."""

from __future__ import annotations

import logging

import torch

from plimsoll_server.config import ModelConfig
from plimsoll_server.models.backends import choose_attention, kernels
from plimsoll_server.models.family import Placement

log = logging.getLogger(__name__)

_DTYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16, "float32": torch.float32}


def choose_placement(wanted: ModelConfig) -> Placement:
    """A GPU when there is one that works, else the CPU. Raises ModelError for an attention that cannot run there."""
    device = _usable_device()
    dtype = _dtype(wanted.dtype, device)
    return Placement(device, dtype, choose_attention(wanted.attention, kernels(device, dtype)))


def device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"


def _usable_device() -> torch.device:
    if not torch.cuda.is_available():
        return torch.device("cpu")
    try:
        torch.zeros(1, device="cuda").add_(1).item()
    except RuntimeError as error:
        log.warning("a GPU is visible but does not work, running on the CPU: %s", str(error).splitlines()[0])
        return torch.device("cpu")
    return torch.device("cuda")


def _dtype(wanted: str, device: torch.device) -> torch.dtype:
    if wanted != "auto":
        return _DTYPES[wanted]
    if device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False):
        return torch.bfloat16
    return torch.float32
