"""The door of the server, a listening socket: shut such that nobody whom it has let in is lost."""

from __future__ import annotations

import ctypes
import select
import socket
import struct
from contextlib import suppress

_SO_ATTACH_FILTER = 26
"""See socket(7); Python has no name for it."""
_NONE_THAT_BEGIN = (
    (0x30, 0, 0, 13),  # load the byte of a segment with its flags (RFC 9293, 3.1)
    (0x45, 0, 1, 0x02),  # unless it has SYN, skip the next
    (0x06, 0, 0, 0),  # keep nothing of it
    (0x06, 0, 0, 0xFFFF_FFFF),  # keep all of it
)
"""For the packet filter of the kernel: operation, lines to skip if so, if not, operand."""


def refuse_newcomers(listener: socket.socket) -> None:
    """From now on no connection begins; those that have begun can still be accepted. Newcomers hear nothing, and are
    refused once the socket is closed.

    A socket that is closed without that resets those whom the kernel has let in and nobody has accepted yet.
    """
    lines = b"".join(struct.pack("HBBI", *line) for line in _NONE_THAT_BEGIN)
    program = ctypes.create_string_buffer(lines, len(lines))
    # A system without this filter has that moment, and no more.
    with suppress(OSError):
        listener.setsockopt(
            socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HP", len(_NONE_THAT_BEGIN), ctypes.addressof(program))
        )


def has_something(waiting: int) -> bool:
    """Whether there is something to be read from, or accepted by, the socket of this file descriptor."""
    poll = select.poll()
    poll.register(waiting, select.POLLIN)
    return bool(poll.poll(0))
