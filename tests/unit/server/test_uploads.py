"""Bodies that are being sent: who stands still takes no room from those who do not, and is no fault of the server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from plimsoll_server.api import body_limit
from plimsoll_server.api.accounting import Accounting
from plimsoll_server.api.body_limit import BodyLimit
from plimsoll_server.api.connection import PART_AT
from plimsoll_server.api.held_bodies import Held
from plimsoll_server.lifecycle import Lifecycle
from plimsoll_server.telemetry import Identity, Telemetry

LARGEST = 1 << 20


async def answer(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


class Upload:
    """A request whose parts come when they are sent."""

    def __init__(self, app: Any, *headers: tuple[bytes, bytes]) -> None:
        self._parts: asyncio.Queue[Message] = asyncio.Queue()
        self.status = 0
        self.answered = asyncio.Event()
        self.scope: dict[str, Any] = {"type": "http", "method": "POST", "path": "/predict", "headers": list(headers)}
        self.done = asyncio.create_task(app(self.scope, self._parts.get, self._note))

    async def _note(self, message: Message) -> None:
        self.status = message.get("status", self.status)
        self.answered.set()

    async def send(self, size: int, *, more: bool) -> None:
        self._parts.put_nowait({"type": "http.request", "body": b" " * size, "more_body": more})
        for _ in range(20):  # the steps from here to where the next part is awaited
            await asyncio.sleep(0)

    async def leave(self) -> None:
        self._parts.put_nowait({"type": "http.disconnect"})
        await asyncio.gather(self.done, return_exceptions=True)


def counted(app: Any) -> tuple[Accounting, Callable[..., float]]:
    told = Telemetry(Identity("n", "d", "r", "p"), ["short"])
    labels = {"inference_namespace": "n", "inference_deployment": "d", "revision": "r", "replica": "p"}

    def value(name: str, **more: str) -> float:
        return told.registry.get_sample_value(name, {**labels, "tier": "none", **more}) or 0

    return Accounting(app, {"/predict"}.__contains__, Lifecycle(), told), value


async def test_stalled_uploads_leave_small_bodies_and_whole_ones_their_room() -> None:
    app, value = counted(BodyLimit(answer, LARGEST))
    stalled = [Upload(app) for _ in range(9)]
    for upload in stalled:
        await upload.send(LARGEST - 1, more=True)
    assert [upload.status for upload in stalled] == [0] * 8 + [429]
    small, whole = Upload(app), Upload(app)
    await small.send(100, more=True)
    await small.send(100, more=False)
    await whole.send(LARGEST, more=False)
    await asyncio.gather(small.done, whole.done)
    assert (small.status, whole.status) == (200, 200)
    for upload in stalled:
        await upload.leave()
    again = [Upload(app) for _ in range(8)]
    for upload in again:
        await upload.send(LARGEST - 1, more=True)
    assert [upload.status for upload in again] == [0] * 8, "the room of those that left is free"
    for upload in again:
        await upload.leave()
    assert value("plimsoll_requests_total", outcome="limited") == 1
    assert value("plimsoll_incidents_total") == 0, "no fault of the server"


async def test_a_body_that_stands_still_is_refused_and_its_room_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body_limit, "_STALLED_SECONDS", 0.05)
    app, value = counted(BodyLimit(answer, LARGEST))
    upload = Upload(app, (b"content-length", b"1000"))
    await upload.send(10, more=True)
    await asyncio.wait_for(upload.answered.wait(), 30)
    await upload.leave()
    assert upload.status == 408
    assert value("plimsoll_requests_total", outcome="invalid") == 1
    assert value("plimsoll_incidents_total") == 0


@pytest.mark.parametrize(
    ("codings", "status"),
    [
        pytest.param([b"gzip"], 415, id="compressed"),
        pytest.param([b"gzip", b"identity"], 415, id="compressed, and a header more that says nothing"),
        pytest.param([b"identity"], 200, id="as it is"),
    ],
)
async def test_a_compressed_body_is_refused_whatever_else_is_said_of_it(codings: list[bytes], status: int) -> None:
    upload = Upload(BodyLimit(answer, LARGEST), *((b"content-encoding", coding) for coding in codings))
    await upload.send(5, more=False)
    await upload.done
    assert upload.status == status


async def test_two_lengths_of_one_body_end_its_connection() -> None:
    upload = Upload(BodyLimit(answer, LARGEST), (b"content-length", b"5"), (b"transfer-encoding", b"chunked"))
    await upload.send(5, more=False)
    await upload.done
    assert upload.scope["state"][PART_AT] == 0


def test_what_is_held_moves_to_the_large_ones_as_it_grows_and_comes_back() -> None:
    held = Held(small=100_000, large=200_000)
    assert held.take(0, 60_000)
    assert held.take(60_000, 60_000)
    assert held.take(0, 60_000), "the first takes no room of small ones any more"
    assert not held.take(0, 60_000)
    for size in (120_000, 60_000, 60_000):
        held.give_back(size)
    assert held.take(0, 60_000)
