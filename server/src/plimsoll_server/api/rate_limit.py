"""Holds each caller to so many requests in a time."""

from __future__ import annotations

import ipaddress
import math
import time
from collections.abc import Callable
from functools import lru_cache
from typing import Protocol

from starlette.types import ASGIApp, Receive, Scope, Send

from plimsoll_server.api.auth import CALLER
from plimsoll_server.api.error_shapes import error_response
from plimsoll_server.api.problems import RATE_LIMITED
from plimsoll_server.api.window import SlidingWindow

_IPV6_PREFIX = 64
"""One caller has as many addresses as it likes below this."""


class AwayError(Exception):
    """Those who count together cannot be asked now."""


class Counting(Protocol):
    async def wait_for(self, caller: str) -> float | None:
        """None when a request of `caller` is admitted, else the seconds until one may be. Raises AwayError."""

    async def close(self) -> None: ...


class Rates:
    """Counted in a Redis where there is one that answers, else in this process."""

    def __init__(self, text: str, own: SlidingWindow, shared: Counting | None = None) -> None:
        """`text` is the limit as it was set, such as 100/minute."""
        self.text = text
        self._own = own
        self._shared = shared

    async def wait_for(self, caller: str) -> float | None:
        """None when a request of `caller` is admitted, else the seconds until one may be."""
        if self._shared is not None:
            try:
                return await self._shared.wait_for(caller)
            except AwayError:
                pass
        return self._own.wait_for(caller, time.time())

    async def close(self) -> None:
        if self._shared is not None:
            await self._shared.close()


class RateLimit:
    """Asks `rates` for every request to the paths that `counts` says."""

    def __init__(self, app: ASGIApp, rates: Rates, counts: Callable[[str], bool]) -> None:
        self._app = app
        self._rates = rates
        self._counts = counts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not self._counts(scope["path"]):
            await self._app(scope, receive, send)
            return
        state = scope.setdefault("state", {})
        seconds = await self._rates.wait_for(state.get(CALLER) or _address(scope))
        if seconds is None:
            await self._app(scope, receive, send)
            return
        state["problem"] = RATE_LIMITED
        wait = max(1, math.ceil(seconds))
        message = f"this caller may send {self._rates.text} and has done so; try again in {wait} s"
        await error_response(scope["path"], RATE_LIMITED, message, retry_after=wait)(scope, receive, send)


def _address(scope: Scope) -> str:
    host, _ = scope.get("client") or ("", 0)
    return _network_of(host)


@lru_cache(maxsize=4096)
def _network_of(host: str) -> str:
    """Who calls, where no key says it: an address, or the network that an address of IPv6 is of."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        # One caller together: a name of its own would be a rate of its own.
        return "unknown"
    if address.version == 4:
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, _IPV6_PREFIX), strict=False))
