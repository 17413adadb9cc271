"""The server in a process of 950 MiB with a second one beside it in its container, as images have them that ship logs
or take profiles.

What that process takes is in nobody's plan: it is what the rest above `memoryUtilizationPercent` is for.
"""

import ctypes
import os
import signal
import sys
from pathlib import Path

HELD_BYTES = 120 << 20
_PR_SET_PDEATHSIG = 1


def hold_memory() -> None:
    """Until the server ends; killed with it, since nobody else would."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    held = bytearray(os.urandom(1 << 20) * (HELD_BYTES >> 20))
    signal.pause()
    del held


if __name__ == "__main__":
    if os.fork() == 0:
        hold_memory()
    program = str(Path(__file__).with_name("filled_server.py"))
    os.execv(sys.executable, [sys.executable, program, "950"])
