"""Which attention runs is decided by what the machine can run."""

from __future__ import annotations

import pytest
import torch

from plimsoll_server.models.backends import Kernels, choose_attention, kernels, varlen_has_windows
from plimsoll_server.models.errors import ModelError

CPU = Kernels("cpu in float32", suitable=False)
BOTH = Kernels("cuda in bfloat16", suitable=True, flash=True, varlen=True)
TORCH_ONLY = Kernels("cuda in bfloat16", suitable=True, varlen=True)
NEITHER = Kernels("cuda in bfloat16", suitable=True)


@pytest.mark.parametrize(
    ("wanted", "available", "expected"),
    [
        pytest.param("auto", CPU, "sdpa", id="on a CPU"),
        pytest.param("auto", BOTH, "flash", id="flash-attn is installed"),
        pytest.param("auto", TORCH_ONLY, "varlen", id="torch brings its own"),
        pytest.param("auto", NEITHER, "sdpa", id="an older torch on a GPU"),
        pytest.param("flash", BOTH, "flash", id="flash is wanted"),
        pytest.param("flash", TORCH_ONLY, "varlen", id="flash is wanted and torch has it"),
        pytest.param("sdpa", BOTH, "sdpa", id="sdpa is wanted"),
        pytest.param("eager", BOTH, "eager", id="eager is wanted"),
    ],
)
def test_the_attention_is_chosen_where(wanted: str, available: Kernels, expected: str) -> None:
    assert choose_attention(wanted, available) == expected


@pytest.mark.parametrize(
    ("available", "message"),
    [
        pytest.param(CPU, "it would run on cpu in float32. Write sdpa", id="on a CPU"),
        pytest.param(NEITHER, "needs flash-attn, or a torch whose varlen_attn", id="nothing is there"),
    ],
)
def test_flash_is_refused_with_what_to_do(available: Kernels, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        choose_attention("flash", available)


def test_a_cpu_has_no_fused_kernels() -> None:
    assert kernels(torch.device("cpu"), torch.bfloat16) == Kernels("cpu in bfloat16", suitable=False)


def test_the_torch_that_is_locked_has_windows() -> None:
    assert varlen_has_windows()
