"""One thread for what is not worth sharing, and the usual number again afterwards."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from plimsoll_server.engine.threads import threads_for


@pytest.fixture(autouse=True)
def two_threads() -> Iterator[None]:
    usual = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(usual)


@pytest.mark.parametrize(
    ("tokens", "width", "threads"),
    [
        pytest.param(16, 32, 1, id="a small model"),
        pytest.param(10_000, 32, 2, id="a small model and much text"),
        pytest.param(16, 768, 2, id="a large model"),
    ],
)
def test_a_batch_has_as_many_threads_as_it_is_worth(tokens: int, width: int, threads: int) -> None:
    with threads_for(tokens, width):
        assert torch.get_num_threads() == threads
    assert torch.get_num_threads() == 2


def test_a_small_batch_within_a_large_one_leaves_it_its_threads() -> None:
    with threads_for(16, 768):
        with pytest.raises(RuntimeError, match="shortage"), threads_for(16, 32):
            raise RuntimeError("shortage")
        assert torch.get_num_threads() == 2
