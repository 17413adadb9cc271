"""Linear layers whose weights lie as oneDNN's kernels read them, and what follows a product done while it is in cache.

A plain linear layer hands the weights to a general matrix product, which arranges them anew at each call; arranged
once, the same float32 products take a sixth to a quarter less time.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

_ROWS = 256
"""For which number of rows oneDNN arranges the weights; it takes others as well."""


def can_pack(weight: Tensor) -> bool:
    """Whether it is one of float32 on a CPU, and this torch has oneDNN and lets it be called with arranged weights."""
    operations, library = torch.ops.mkldnn, torch.backends.mkldnn
    return (
        weight.device.type == "cpu"
        and weight.dtype is torch.float32
        and library.is_available()  # type: ignore[no-untyped-call]
        and hasattr(operations, "_reorder_linear_weight")
        and hasattr(operations, "_linear_pointwise")
    )


def pack_linears(layers: Iterable[nn.Module]) -> None:
    """Puts packed linear layers in the place of plain ones within `layers`, where they can be packed."""
    for layer in layers:
        for module in list(layer.modules()):
            for name, child in list(module.named_children()):
                if type(child) is nn.Linear and can_pack(child.weight):
                    setattr(module, name, _Packed(child))


class PackedLinear:
    """Rows (n, width) times the transposed weight (out, width), plus the bias. The weight's own tensor is not kept."""

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        operations: Any = torch.ops.mkldnn
        self._linear: Any = operations._linear_pointwise  # noqa: SLF001  the name that inductor calls it by, too
        self._weight: Tensor = operations._reorder_linear_weight(weight.detach().contiguous(), _ROWS)  # noqa: SLF001
        self._bias = bias

    def __call__(self, rows: Tensor) -> Tensor:
        product: Tensor = self._linear(rows, self._weight, self._bias, "none", [], "")
        return product

    def gelu(self, rows: Tensor) -> Tensor:
        """The product through GELU by the error function."""
        product: Tensor = self._linear(rows, self._weight, self._bias, "gelu", [], "none")
        return product

    def times(self, rows: Tensor, other: Tensor) -> Tensor:
        """The product times `other`, element by element."""
        product: Tensor = self._linear.binary(rows, other, self._weight, self._bias, "mul")
        return product

    def plus(self, rows: Tensor, other: Tensor) -> Tensor:
        product: Tensor = self._linear.binary(rows, other, self._weight, self._bias, "add")
        return product


class _Packed(nn.Module):
    """In the place of a plain linear layer: its `forward` and nothing else."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self._packed = PackedLinear(linear.weight, linear.bias)

    def forward(self, rows: Tensor) -> Tensor:
        return self._packed(rows)
