"""The service that one writes first: transformers' own pipeline behind HTTP, in batches in the order of arrival."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

_LINGER_SECONDS = 0.02
"""How long a batch waits to become full once its first text is there: without it every other batch would be of one."""


def serve(folder: Path, port: int, batch: int) -> None:
    """Until it is ended. `batch` texts are padded to the longest of them, as they come."""
    import uvicorn
    from transformers import pipeline

    any_pipeline: Any = pipeline
    classify = any_pipeline("text-classification", model=str(folder), top_k=None, device="cpu")
    uvicorn.run(_Service(classify, batch), host="127.0.0.1", port=port, log_level="warning", lifespan="on")


class _Service:
    """An ASGI application: `POST /predict {"inputs": text}`; to anything else it says that it runs."""

    def __init__(self, classify: Any, batch: int) -> None:
        self._classify = classify
        self._batch = batch
        self._waiting: asyncio.Queue[tuple[str, asyncio.Future[Any]]] = asyncio.Queue()
        self._work: asyncio.Task[None] | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["method"] == "POST":
            await _answer(send, await self._predict(await _body(receive)))
        else:
            await _answer(send, "well")

    async def _live(self, receive: Any, send: Any) -> None:
        await receive()
        self._work = asyncio.create_task(self._run())
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self._work.cancel()
        await send({"type": "lifespan.shutdown.complete"})

    async def _predict(self, body: bytes) -> Any:
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        await self._waiting.put((json.loads(body)["inputs"], answer))
        return await answer

    async def _run(self) -> None:
        while True:
            taken = [await self._waiting.get()]
            await self._fill(taken)
            texts = [text for text, _ in taken]
            results = await asyncio.to_thread(self._classify, texts, batch_size=self._batch)
            for (_, answer), result in zip(taken, results, strict=True):
                if not answer.done():
                    answer.set_result(result)

    async def _fill(self, taken: list[tuple[str, asyncio.Future[Any]]]) -> None:
        try:
            async with asyncio.timeout(_LINGER_SECONDS):
                while len(taken) < self._batch:
                    taken.append(await self._waiting.get())
        except TimeoutError:
            pass


async def _body(receive: Any) -> bytes:
    parts, more = [], True
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(parts)


async def _answer(send: Any, content: Any) -> None:
    body = json.dumps(content).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
