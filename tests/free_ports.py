"""Ports that nobody else takes until their server listens: other workers have others, and so has the kernel."""

from __future__ import annotations

import itertools
import os
import socket

_FIRST, _PER_WORKER, _WORKERS = 10_000, 2_500, 4
"""Below the ports of sandboxes, and below those that the kernel gives to outgoing connections and to askers of any."""
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _WORKERS
_COUNTED = itertools.count(os.getpid())
"""Two runs of one machine begin at different places."""


def free_port() -> int:
    """One of 127.0.0.1 that was not given before in this process, nor to another worker."""
    for number in itertools.islice(_COUNTED, _PER_WORKER):
        port = _FIRST + _WORKER * _PER_WORKER + number % _PER_WORKER
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
    raise AssertionError("no port is free")
