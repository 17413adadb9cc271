"""The real oneDNN, without memory for the code of its kernels."""

from __future__ import annotations

import ctypes
import resource
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest
import torch

from plimsoll_server.engine.memory import is_out_of_memory
from plimsoll_server.engine.process_memory import ProcessBudget, data_bytes
from plimsoll_server.engine.stand_in import StandIn
from plimsoll_server.models.packed_linear import PackedLinear, can_pack

AMPLE = 1 << 40
TRIM_THRESHOLD = -1
"""Of mallopt(3)."""
WEIGHT = torch.ones(384, 128)
pytestmark = pytest.mark.skipif(not can_pack(WEIGHT), reason="this torch has no oneDNN")


@pytest.fixture(autouse=True)
def data_limit() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_DATA)
    yield
    resource.setrlimit(resource.RLIMIT_DATA, before)


def hold() -> None:
    """Nothing new can be mapped. What the allocator holds free is enough for small tensors."""
    blocks = [torch.empty(20_000) for _ in range(100)]
    last = torch.empty(100)
    del blocks
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (data_bytes(), hard))
    del last


def lift() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (AMPLE, hard))


def test_a_thread_that_found_no_memory_for_a_kernel_is_replaced() -> None:
    """It makes none any more: seen as a server that answered nothing, long after a single shortage.

    In a process of its own: one that has run other tests knows some kernels, and holds free memory for more.
    """
    with ProcessPoolExecutor(1, get_context("spawn")) as fresh:
        fresh.submit(a_kernel_finds_no_memory).result(timeout=240)


def a_kernel_finds_no_memory() -> None:
    # The allocator's heaps stay as large as they were.
    ctypes.CDLL(None).mallopt(TRIM_THRESHOLD, 1 << 28)
    linear, stand_in = PackedLinear(WEIGHT, None), StandIn(ProcessBudget(AMPLE, AMPLE))

    def product(rows: int) -> tuple[int, ...]:
        return tuple(stand_in.run(lambda: linear(torch.ones(rows, 128))).shape)

    assert product(3) == (3, 384)
    hold()
    with pytest.raises(RuntimeError, match="could not create a primitive") as raised:
        product(5)
    assert is_out_of_memory(raised.value)
    lift()
    with pytest.raises(RuntimeError, match="could not create a primitive"):
        linear(torch.ones(7, 128))
    assert product(7) == (7, 384)
    assert stand_in.run(lambda: product(11)) == (11, 384), "within other work of the same thread"


@pytest.mark.parametrize(
    ("message", "limited", "expected"),
    [
        pytest.param("could not create a primitive", True, True, id="where memory is limited"),
        pytest.param("could not create a primitive", False, False, id="where nothing limits it"),
        pytest.param("could not create a primitive descriptor", True, False, id="no kernel is known"),
    ],
)
def test_a_kernel_that_cannot_be_made_is_a_shortage(message: str, limited: bool, expected: bool) -> None:
    """Also no machine that lets nobody write code makes any."""
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (AMPLE if limited else hard, hard))
    assert is_out_of_memory(RuntimeError(message)) is expected
