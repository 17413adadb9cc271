"""Real workers of jobs, as processes of their own, and jobs followed to their ends."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from redis import Redis

from redis_process import RedisProcess
from server_process import IDENTITY, Server, ServerProcess, process

WORK = (Path(sys.executable).parent / "plimsoll-server", "work")
DEADLINE_SECONDS = 60
DEPLOYMENT = f"{IDENTITY['POD_NAMESPACE']}/{IDENTITY['PLIMSOLL_DEPLOYMENT']}"
JOBS = f"plimsoll:jobs:{DEPLOYMENT}:"
"""What all keys of the jobs begin with."""

Status = dict[str, Any]


@contextmanager
def worker(folder: Path, server: Server, **variables: str) -> Iterator[ServerProcess]:
    """One that does the jobs of `server`, whose log lies in `folder`; it never outlives the block."""
    folder.mkdir(exist_ok=True)
    host, port = server.address
    told = {
        **{name: IDENTITY[name] for name in ("POD_NAMESPACE", "PLIMSOLL_DEPLOYMENT")},
        "PLIMSOLL_REDIS_URL_FILE": server.variables["PLIMSOLL_REDIS_URL_FILE"],
        "PLIMSOLL_SERVER_URL": f"http://{host}:{port}",
        **variables,
    }
    with process(folder, told, WORK) as started:
        yield started


async def submitted(server: Server, inputs: Sequence[str], *, key: str = "", **fields: Any) -> Status:
    """The job once it is taken, which it is when a worker has been seen."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while True:
            response = await server.client.post("/jobs", json={"inputs": inputs, **fields}, headers=bearer(key))
            if response.status_code == 202:
                return dict(response.json())
            assert "no worker has been seen" in response.text, response.text
            await asyncio.sleep(0.05)


async def until(server: Server, job: Status, is_so: Callable[[Status], bool], *, key: str = "") -> Status:
    """The job's status once `is_so` of it."""
    status: Status = {}
    try:
        async with asyncio.timeout(DEADLINE_SECONDS):
            while True:
                response = await look_up(server, job, key=key)
                assert response.status_code == 200, response.text
                if is_so(status := response.json()):
                    return status
                await asyncio.sleep(0.005)
    except TimeoutError:
        raise AssertionError(f"the job stays {status}") from None


async def done(server: Server, job: Status, *, key: str = "") -> Status:
    return await until(server, job, lambda status: status["state"] not in ("queued", "running"), key=key)


async def under_way(server: Server, job: Status) -> Status:
    """Once some of its inputs have their answers and some have none."""
    status = await until(server, job, lambda status: status["done"] > 0)
    assert status["done"] < status["inputs"], "the job was faster than whoever looked at it"
    return status


async def look_up(server: Server, job: Status, *, key: str = "") -> httpx.Response:
    return await server.client.get(job["url"], headers=bearer(key))


async def cancel(server: Server, job: Status, *, key: str = "") -> httpx.Response:
    return await server.client.delete(job["url"], headers=bearer(key))


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"} if key else {}


@contextmanager
def inside(redis: RedisProcess) -> Iterator[Redis]:
    """A look at what Redis holds."""
    with Redis.from_url(redis.url, decode_responses=True) as client:
        yield client


def keys_of(redis: RedisProcess, job: Status) -> list[str]:
    """All that Redis holds of the job itself."""
    with inside(redis) as client:
        return sorted(key for key in client.scan_iter("plimsoll:jobs:*") if job["id"] in key)
