"""Convolutions by FFT: the sum over all pairs of tokens, in the time of a transform."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from plimsoll_server.models.long_convolution import LongConvolution, fft_length, waves
from spectral_builders import convolution, filter_at, written_out

LENGTHS = (1, 2, 17, 127, 128, 1000)
CPU = torch.device("cpu")


def convolved(made: LongConvolution, states: Tensor, longest: int | None = None) -> Tensor:
    """By a transform for texts of up to `longest` tokens."""
    length = fft_length(longest or states.shape[1])
    found: Tensor = made(states, waves(made.spectrum.shape[1], length, CPU), length)
    return found


@pytest.mark.parametrize("tokens", LENGTHS)
def test_every_token_gets_the_sum_over_all_tokens(tokens: int) -> None:
    made, states = convolution(3, 12), torch.randn(2, tokens, 3)
    with torch.inference_mode():
        torch.testing.assert_close(convolved(made, states), written_out(made, states), atol=2e-5, rtol=1e-5)


def test_a_longer_transform_gives_the_same() -> None:
    """So a text may go through the transform of a longer one."""
    made, states = convolution(3, 12), torch.randn(2, 100, 3)
    with torch.inference_mode():
        torch.testing.assert_close(convolved(made, states, 777), convolved(made, states), atol=2e-5, rtol=1e-5)


def test_both_ends_of_the_longest_text_hear_of_each_other() -> None:
    made, states = convolution(2, 128), torch.zeros(1, 65_536, 2)
    states[0, 0] = states[0, -1] = 1.0
    with torch.inference_mode():
        found = convolved(made, states)[0, [0, 1, 30_000, 65_534, 65_535]].double()
        lags = torch.tensor([0, 1, 30_000, 65_534, 65_535])
        from_last = filter_at(made, lags - 65_535)
        expected = filter_at(made, lags) + from_last
    torch.testing.assert_close(found, expected, atol=2e-6, rtol=1e-5)
    assert float(from_last[0].abs().min()) > 1e-5, "the first token hears of the last"


def test_channels_by_slices_give_what_they_give_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made, states = convolution(7, 12), torch.randn(2, 50, 7)
    with torch.inference_mode():
        at_once = convolved(made, states)
        monkeypatch.setattr("plimsoll_server.models.long_convolution._AT_ONCE", 3 * 2 * fft_length(50))
        torch.testing.assert_close(convolved(made, states), at_once, atol=1e-6, rtol=1e-5)


def test_gradients_are_those_of_the_sum() -> None:
    made, states = convolution(3, 12), torch.randn(2, 40, 3, requires_grad=True)
    towards = torch.randn(2, 40, 3)
    found = torch.autograd.grad((convolved(made, states) * towards).sum(), (states, made.spectrum))
    expected = torch.autograd.grad((written_out(made, states) * towards).sum(), (states, made.spectrum))
    torch.testing.assert_close(found, expected, atol=2e-5, rtol=1e-4)


def test_within_autocast_filters_stay_in_float32() -> None:
    """A wave's angle in bfloat16 would be a guess."""
    made, states = convolution(3, 12), torch.randn(2, 500, 3)
    with torch.inference_mode():
        expected = convolved(made, states)
        with torch.autocast("cpu", torch.bfloat16):
            assert torch.equal(convolved(made, states), expected)


def test_what_comes_out_is_as_large_as_what_goes_in() -> None:
    """However many layers there are, at the start of a training."""
    states = torch.randn(1, 4096, 8)
    with torch.inference_mode():
        found = convolved(convolution(8, 128), states)
    assert 0.3 < float(found.std() / states.std()) < 1.5


@pytest.mark.parametrize("tokens", [*range(1, 300), 1_000, 4_097, 65_535, 65_536])
def test_a_transform_is_long_enough_and_hardly_longer(tokens: int) -> None:
    length = fft_length(tokens)
    assert 2 * tokens - 1 <= length <= 2.5 * tokens
    while length % 2 == 0:
        length //= 2
    assert length in (1, 3, 5, 7)
