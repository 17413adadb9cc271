"""The real command line, of a server with a fault that nobody foresaw."""

from __future__ import annotations

import sys
from typing import Any, NoReturn

import plimsoll_server.serve
from plimsoll_server.main import main


async def serve(*_: Any) -> NoReturn:
    raise KeyError("somebody's text")


plimsoll_server.serve.serve = serve  # type: ignore[assignment]
sys.argv = ["plimsoll-server", "serve"]
main()
