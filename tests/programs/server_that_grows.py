"""The server in a process that takes more memory once it is ready, as one with a profiler or with a library that leaks.

No measurement at its start can see that: it is what the rest above `memoryUtilizationPercent` is for.
"""

import logging
import os
import sys

from plimsoll_server.main import main

TAKEN_BYTES = 32 << 20
_taken: list[bytes] = []


class OnceReady(logging.Handler):
    """Called where the server logs that it is ready, before it answers its first request."""

    def emit(self, record: logging.LogRecord) -> None:
        if record.getMessage() == "ready" and not _taken:
            _taken.append(os.urandom(1 << 20) * (TAKEN_BYTES >> 20))


if __name__ == "__main__":
    logging.getLogger("plimsoll_server.serve").addHandler(OnceReady())
    sys.argv[1:] = ["serve"]
    main()
