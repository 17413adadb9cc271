"""Which of the texts that wait to be tokenised is read next."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from plimsoll_server.scheduler.documents import Document, Frame
from plimsoll_server.scheduler.readers import LONG_BYTES, Readers

PATIENCE = 60
MEGABYTE = 1 << 20


class Desk:
    """Two threads, and texts that are read for as long as the test likes."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self.now = 0.0
        self.begun: list[str] = []
        self.gates: dict[str, threading.Event] = {}
        self._readers = Readers(pool, lambda: self.now)

    def submit(self, name: str, size: int, *, held: bool = False) -> Future[Document]:
        gate = self.gates[name] = threading.Event()
        begins = threading.Event()
        if not held:
            gate.set()

        def read() -> Document:
            self.begun.append(name)
            begins.set()
            assert gate.wait(PATIENCE)
            return Document((), Frame())

        document = self._readers.submit(size, read)
        if held:
            assert begins.wait(PATIENCE)
        return document


@pytest.fixture
def desk() -> Iterator[Desk]:
    with ThreadPoolExecutor(2) as pool:
        desk = Desk(pool)
        yield desk
        for gate in desk.gates.values():
            gate.set()


def test_short_texts_are_read_while_long_ones_wait_for_each_other(desk: Desk) -> None:
    desk.submit("first", MEGABYTE, held=True)
    others = [desk.submit(name, MEGABYTE) for name in ("second", "third")]
    for number in range(4):
        desk.submit(f"short {number}", 2000).result(PATIENCE)
    assert not any(other.done() for other in others)
    desk.gates["first"].set()
    for other in others:
        other.result(PATIENCE)
    assert desk.begun == ["first", *(f"short {number}" for number in range(4)), "second", "third"]


@pytest.mark.parametrize(
    ("later", "order"),
    [
        pytest.param(0.0, ["small", "large"], id="the smaller first"),
        pytest.param(1.0, ["large", "small"], id="unless the larger has waited"),
    ],
)
def test_of_those_that_wait(desk: Desk, later: float, order: list[str]) -> None:
    desk.submit("long", MEGABYTE, held=True)
    desk.submit("other thread", 1, held=True)
    waiting = [desk.submit("large", LONG_BYTES)]
    desk.now += later
    waiting.append(desk.submit("small", 1000))
    desk.gates["other thread"].set()
    for each in waiting:
        each.result(PATIENCE)
    assert desk.begun[2:] == order


def test_one_whose_caller_is_gone_is_not_read(desk: Desk) -> None:
    desk.submit("long", MEGABYTE, held=True)
    gone, here = (desk.submit(name, MEGABYTE) for name in ("gone", "here"))
    assert gone.cancel()
    desk.gates["long"].set()
    here.result(PATIENCE)
    assert desk.begun == ["long", "here"]


def test_a_failure_is_told_and_the_next_is_read(desk: Desk) -> None:
    def fails() -> Document:
        raise ValueError("no text")

    failing = desk._readers.submit(MEGABYTE, fails)
    with pytest.raises(ValueError, match="no text"):
        failing.result(PATIENCE)
    desk.submit("next", MEGABYTE).result(PATIENCE)
