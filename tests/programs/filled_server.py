"""The server in a process that holds a good deal more than the server: filled up to so many MiB as its model is loaded,
and to so many more as it gets ready, by its arguments.

What it holds from the start is measured and planned around. No measurement at its start can see what comes later. Up to
levels, so that it holds the same whatever torch and its libraries take on a machine.
"""

import logging
import os
import sys

from plimsoll_server.engine.process_memory import private_bytes
from plimsoll_server.main import main

MEBIBYTE = 1 << 20
MOMENTS = ("model loaded", "ready")
"""Before the load line is measured, and before the first request is answered."""
_taken: list[bytes] = []


class Filling(logging.Handler):
    """Fills the process up to the level of the message."""

    def __init__(self, levels: dict[str, int]) -> None:
        super().__init__()
        self._levels = levels

    def emit(self, record: logging.LogRecord) -> None:
        level = self._levels.get(record.getMessage())
        if level is not None:
            _taken.append(os.urandom(MEBIBYTE) * (level - private_bytes() // MEBIBYTE))


if __name__ == "__main__":
    filling = Filling(dict(zip(MOMENTS, map(int, sys.argv[1:]), strict=False)))
    for name in ("plimsoll_server.engine.build", "plimsoll_server.serve"):
        logging.getLogger(name).addHandler(filling)
    sys.argv[1:] = ["serve"]
    main()
