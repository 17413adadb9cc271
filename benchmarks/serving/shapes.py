"""Models by their numbers, and what a forward pass of one costs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Shape:
    """An encoder as ModernBERT is one: gated feed-forwards, and global attention in every third layer."""

    name: str
    layers: int
    width: int
    heads: int
    feed_forward: int
    vocabulary: int
    window: int = 32_768
    local_attention: int = 128
    global_every: int = 3

    def linear_flops(self, tokens: int) -> int:
        """Of the four linear layers of one block: two for each weight and token."""
        return 2 * tokens * self._linear_weights

    def flops(self, tokens: int) -> int:
        """Of one sequence: linear layers, and 4 · queries · keys · width for each attention's two products."""
        attention = sum(4 * tokens * self._keys(layer, tokens) * self.width for layer in range(self.layers))
        return self.layers * self.linear_flops(tokens) + attention

    def weight_bytes(self, bytes_each: int = 4) -> int:
        """Of the encoder: embeddings and linear layers. Norms and the classifier's head are less than a percent."""
        return bytes_each * (self.vocabulary * self.width + self.layers * self._linear_weights)

    @property
    def _linear_weights(self) -> int:
        """Query, key and value; their output; gate and input of the feed-forward; its output."""
        width, inner = self.width, self.feed_forward
        return 3 * width * width + width * width + 2 * width * inner + inner * width

    def _keys(self, layer: int, tokens: int) -> int:
        is_global = layer % self.global_every == 0
        return tokens if is_global else min(tokens, self.local_attention + 1)


BASE = Shape("ModernBERT-base", layers=22, width=768, heads=12, feed_forward=1152, vocabulary=50_368)
PERIOD = Shape("3 layers of ModernBERT-base", layers=3, width=768, heads=12, feed_forward=1152, vocabulary=50_368)
"""One global layer and two local ones: what ModernBERT-base repeats seven times. A layer costs the same in both."""
TRIVIAL = Shape("1 layer of width 32", layers=1, width=32, heads=2, feed_forward=48, vocabulary=2_048)
"""Next to no work: what is left of a request's time is everything around the model."""
