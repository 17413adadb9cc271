"""Readiness by HTTP, with every server verified by the sandbox's own authority."""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp

from plimsoll_sandbox.certificates import KeyPair

_TIMEOUT = aiohttp.ClientTimeout(total=3)


def tls_context(authority: Path, client: KeyPair | None = None) -> ssl.SSLContext:
    """A context that trusts only the sandbox's authority, and shows `client` where a server asks for a certificate."""
    context = ssl.create_default_context(cafile=str(authority))
    if client is not None:
        context.load_cert_chain(client.certificate, client.key)
    return context


def answers(url: str, tls: ssl.SSLContext | None = None) -> Callable[[], Awaitable[bool]]:
    """A check that `url` answers 200."""

    async def check() -> bool:
        try:
            async with (
                aiohttp.ClientSession(timeout=_TIMEOUT) as session,
                session.get(url, ssl=tls if tls is not None else True) as response,
            ):
                return response.status == 200
        except (aiohttp.ClientError, TimeoutError, OSError):
            return False

    return check
