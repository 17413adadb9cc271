"""Convolutions as long as the text: filters that are learned at a number of frequencies, and applied by FFT.

A filter is a sum of waves, each of its own length and fading out with distance; how much of a wave's cosine and of its
sine is in it is learned. Wave lengths lie as far apart as notes do (Brown 1991, "Calculation of a constant Q spectral
transform"), and each reaches some turns of its own: what is near is told apart finely, what is far coarsely. In the
spectrum a fading wave is a Gaussian as wide as the step to its neighbour. So what is learned is the filter's spectrum
at those frequencies, and a text of any length finds it interpolated between them.

A text is filled up with zeros to twice its length, for else its end would reach its beginning: this is the convolution
as it is written, y[i] = Σ h[i − j] · x[j], in O(n log n).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, fft, nn

_SHORTEST, _LONGEST = 1, 17
"""Of wave lengths in tokens, as powers of two: the longest wave turns once in two texts of 65,536 tokens."""
_FADED = 6.0
"""Standard deviations, beyond which a wave is less than float32 can tell beside its height."""
_AT_ONCE = 1 << 22
"""Numbers of a slice of channels: 16 MiB, of which a convolution holds a few times as much, whatever the width."""


def fft_length(tokens: int) -> int:
    """Of a transform in which the end of a text of `tokens` does not reach its beginning: at least 2 · tokens − 1, and
    4, 5, 6, 7 or 8 times a power of two, at which transforms are quick."""
    least = 2 * tokens - 1
    step = 1 << max(0, least.bit_length() - 3)
    return -(-least // step) * step


def waves(frequencies: int, length: int, device: torch.device) -> Tensor:
    """Cosines and sines (2, frequencies, lags) in float32, each of energy 1, from lag 0 to the farthest of a transform
    of `length`."""
    lags = torch.arange((length + 1) // 2, dtype=torch.float32, device=device)
    lengths = torch.logspace(_SHORTEST, _LONGEST, frequencies, base=2.0, dtype=torch.float32, device=device)
    step = (_LONGEST - _SHORTEST) * math.log(2) / max(1, frequencies - 1)
    deviations = (lengths / (2 * math.pi * step)).unsqueeze(1)
    faded = lags / deviations
    heights = (deviations * math.sqrt(math.pi) / 2).rsqrt() * torch.exp(faded.square() / -2)
    heights.masked_fill_(faded > _FADED, 0.0)
    angles = lags * (2 * math.pi / lengths).unsqueeze(1)
    return torch.stack((angles.cos().mul_(heights), angles.sin().mul_(heights)))


class LongConvolution(nn.Module):
    """Each channel by a filter of its own, to both sides."""

    def __init__(self, width: int, frequencies: int) -> None:
        super().__init__()
        self.spectrum = nn.Parameter(torch.empty(2, frequencies, width))

    def forward(self, states: Tensor, basis: Tensor, length: int) -> Tensor:
        """States (rows, tokens, width) to states. `basis`: `waves` of a transform of `length`, which is `fft_length` of
        the tokens or more. In float32 whatever the states are in: there is no transform in less on a CPU."""
        channels = max(1, _AT_ONCE // (len(states) * length))
        slices = zip(torch.split(states, channels, -1), torch.split(self.spectrum, channels, -1), strict=True)
        with torch.autocast(states.device.type, enabled=False):
            return torch.cat([_convolved(part, spectrum, basis, length) for part, spectrum in slices], -1)


def _convolved(states: Tensor, spectrum: Tensor, basis: Tensor, length: int) -> Tensor:
    even, odd = spectrum.float().mT @ basis
    between = even.new_zeros(len(even), length + 1 - 2 * even.shape[1])
    taps = torch.cat((even + odd, between, (even - odd)[:, 1:].flip(1)), 1)
    product = fft.rfft(states.float().mT, n=length) * fft.rfft(taps)
    found: Tensor = fft.irfft(product, n=length)[..., : states.shape[1]]
    return found.mT.to(states.dtype)
