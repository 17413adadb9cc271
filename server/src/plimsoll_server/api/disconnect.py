"""Work that ends when nobody waits for it any more."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from starlette.requests import Request

Result = TypeVar("Result")


class ClientGoneError(Exception):
    """The caller closed the connection before its answer was there."""


async def while_connected(request: Request, work: Coroutine[Any, Any, Result]) -> Result:
    """The result of `work`, which is cancelled when the caller leaves: it then gives up its place in the queue.

    The request's body must have been read: what comes next on the connection can only be its end.
    """
    task = asyncio.ensure_future(work)
    try:
        # A remembered answer is there after one step: nobody need listen for a caller that leaves meanwhile.
        await asyncio.sleep(0)
        if not task.done():
            await _until_gone(request, task)
        if task.done():
            return task.result()
    finally:
        await _end(task)
    raise ClientGoneError


async def _until_gone(request: Request, task: asyncio.Task[Any]) -> None:
    """Returns when `task` is done, or the caller has left."""
    gone = asyncio.ensure_future(request.receive())
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await _end(gone)


async def _end(future: asyncio.Future[Any]) -> None:
    if not future.done():
        future.cancel()
        await asyncio.gather(future, return_exceptions=True)
