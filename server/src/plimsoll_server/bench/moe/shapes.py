"""Layers by their numbers: BATCHxSEQUENCExWIDTH."""

from __future__ import annotations

import re
from dataclasses import dataclass

EXPERTS, CHOSEN = 8, 2
_INNER_PER_WIDTH = 2
_BYTES = 4
_COPIES_OF_WEIGHTS = 2
"""As they are, and as oneDNN's kernels read them."""
_ROWS_OF_THE_WIDEST = 16
"""Rows as long as the width that the way with the most memory holds for each token at once: gate and input of the
feed-forward for both of its experts, whole, and what is made of them."""
FORM = re.compile(r"([1-9]\d{0,3})x([1-9]\d{0,5})x([1-9]\d{0,4})")


@dataclass(frozen=True, slots=True)
class LayerShape:
    """Of 8 experts, of which a token is given to 2, each a gated feed-forward twice as wide as the states."""

    batch: int
    sequence: int
    width: int

    @property
    def name(self) -> str:
        return f"{self.batch}x{self.sequence}x{self.width}"

    @property
    def tokens(self) -> int:
        return self.batch * self.sequence

    @property
    def inner(self) -> int:
        return _INNER_PER_WIDTH * self.width

    @property
    def flops(self) -> int:
        """Of the chosen experts' three matrices: two for each weight and token."""
        return 2 * self.tokens * CHOSEN * 3 * self.width * self.inner

    @property
    def least_bytes(self) -> int:
        """In float32: all weights, and the rows of the way with the most memory."""
        weights = EXPERTS * 3 * self.width * self.inner * _COPIES_OF_WEIGHTS
        return _BYTES * (weights + self.tokens * self.width * _ROWS_OF_THE_WIDEST)


def shape_of(text: str) -> LayerShape:
    """Raises ValueError that says what to write."""
    found = FORM.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"expected BATCHxSEQUENCExWIDTH such as 32x512x1024, found {text!r}")
    return LayerShape(*map(int, found.groups()))
