"""Linear layers whose weights lie as oneDNN's kernels read them, and what follows a product done while it is in cache.

A plain linear layer hands the weights to a general matrix product, which arranges them anew at each call; arranged
once, the same float32 products take a sixth to a quarter less time.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

_ROWS = 256
"""For which number of rows oneDNN arranges the weights; it takes others as well."""


def can_pack_linears() -> bool:
    """Whether this torch has oneDNN, and lets it be called with weights that are arranged already."""
    operations, library = torch.ops.mkldnn, torch.backends.mkldnn
    return (
        library.is_available()  # type: ignore[no-untyped-call]
        and hasattr(operations, "_reorder_linear_weight")
        and hasattr(operations, "_linear_pointwise")
    )


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
