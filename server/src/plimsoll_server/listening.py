"""A listening socket, or why there is none."""

from __future__ import annotations

import errno
import socket

from plimsoll_server.errors import StartError


def listen(address: str, port: int, variable: str, backlog: int) -> socket.socket:
    """`variable` is where the port was set. Raises StartError."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    # The protocol by its name: asyncio sends without delay only where it knows that it is TCP, and an answer in two
    # segments would wait 40 ms on a kept connection for the acknowledgement of the first.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((address, port))
        listener.listen(backlog)
    except OSError as error:
        listener.close()
        raise StartError(_cannot_listen(variable, address, port, error)) from error
    return listener


def _cannot_listen(variable: str, address: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} on {address} is in use by another process; stop it, or set {variable} to a free port"
    return f"cannot listen on {address} port {port}: {error.strerror}; check PLIMSOLL_BIND_ADDRESS and {variable}"
