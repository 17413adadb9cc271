"""Which kernels attention runs on: the best that this machine can run, or the one that was asked for."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from inspect import signature
from typing import Any

import torch

from plimsoll_server.models.errors import ModelError

log = logging.getLogger(__name__)

_AMPERE = (8, 0)
"""Compute capability of the first GPUs that the fused kernels are written for."""
_HALF = (torch.bfloat16, torch.float16)
_BY_TOKEN = (8, 2, 64)
"""Tokens, heads and width of a trial."""


@dataclass(frozen=True, slots=True)
class Kernels:
    """What can be run with one device and precision."""

    where: str
    """Device and precision, as a message names them."""
    suitable: bool
    """Whether fused kernels exist for both."""
    flash: bool = False
    """flash-attn is installed, and runs."""
    varlen: bool = False
    """torch's own attention for sequences of different lengths has windows, and runs."""


def kernels(device: torch.device, dtype: torch.dtype) -> Kernels:
    where = f"{device.type} in {str(dtype).removeprefix('torch.')}"
    if device.type != "cuda" or dtype not in _HALF or torch.cuda.get_device_capability(device) < _AMPERE:
        return Kernels(where, suitable=False)
    return Kernels(where, suitable=True, flash=_flash_runs(device, dtype), varlen=_varlen_runs(device, dtype))


def choose_attention(wanted: str, available: Kernels) -> str:
    """flash, varlen, sdpa or eager. `wanted`: auto, or one of the configuration's. Raises ModelError."""
    fused = "flash" if available.flash else "varlen" if available.varlen else None
    if wanted == "auto":
        return fused or "sdpa"
    if wanted != "flash":
        return wanted
    if not available.suitable:
        raise ModelError(
            f"attention flash runs on an NVIDIA GPU since Ampere in bfloat16 or float16; here it would run on "
            f"{available.where}. Write sdpa, or auto"
        )
    if fused is None:
        raise ModelError(
            "attention flash needs flash-attn, or a torch whose varlen_attn has windows; this image has neither that "
            "runs here. Use the flash image, or write sdpa"
        )
    return fused


def varlen_has_windows() -> bool:
    """Whether torch's attention for sequences of different lengths does what local layers need: releases before 2.11
    had the function without these arguments."""
    try:
        function = import_module("torch.nn.attention.varlen").varlen_attn
    except (ImportError, AttributeError):
        return False
    return {"window_size", "scale"} <= set(signature(function).parameters)


def _flash_runs(device: torch.device, dtype: torch.dtype) -> bool:
    if find_spec("flash_attn") is None:
        return False
    return _runs("flash-attn", lambda: import_module("flash_attn").flash_attn_varlen_func, device, dtype)


def _varlen_runs(device: torch.device, dtype: torch.dtype) -> bool:
    if not varlen_has_windows():
        return False
    return _runs("varlen_attn", lambda: import_module("torch.nn.attention.varlen").varlen_attn, device, dtype)


def _runs(name: str, kernel: Callable[[], Any], device: torch.device, dtype: torch.dtype) -> bool:
    """With a window and without: a build for other GPUs, or for another torch, fails at its first call."""
    states = torch.zeros(_BY_TOKEN, device=device, dtype=dtype)
    borders = torch.tensor([0, 3, len(states)], dtype=torch.int32, device=device)
    try:
        for window in ((-1, -1), (2, 2)):
            kernel()(states, states, states, borders, borders, 5, 5, window_size=window)
        torch.cuda.synchronize(device)
    except (ImportError, RuntimeError, ValueError, TypeError) as error:
        log.warning("%s is there but does not run on this GPU: %s", name, str(error).splitlines()[0])
        return False
    return True
