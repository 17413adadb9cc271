"""The server in a process that holds a good deal more than the server, and takes another part once it is ready, as one
with a profiler or with a library that leaks.

What it holds from the start is measured and planned around. No measurement at its start can see what comes later: that
is what the rest above `memoryUtilizationPercent` is for. It is filled up to levels, so that it holds the same whatever
torch and its libraries take on a machine.
"""

import logging
import os
import sys

from plimsoll_server.engine.process_memory import private_bytes
from plimsoll_server.main import main

MEBIBYTE = 1 << 20
LEVELS = {"model loaded": 950 * MEBIBYTE, "ready": 1020 * MEBIBYTE}
"""Before the load line is measured, and before the first request is answered."""
_taken: list[bytes] = []


class Filling(logging.Handler):
    """Fills the process up to the level of the message."""

    def emit(self, record: logging.LogRecord) -> None:
        level = LEVELS.get(record.getMessage())
        if level is not None:
            _taken.append(os.urandom(MEBIBYTE) * ((level - private_bytes()) // MEBIBYTE))


if __name__ == "__main__":
    for name in ("plimsoll_server.engine.build", "plimsoll_server.serve"):
        logging.getLogger(name).addHandler(Filling())
    sys.argv[1:] = ["serve"]
    main()
