"""The server in a process of 950 MiB that takes 70 more once it is ready, as one with a profiler or with a library that
leaks.

No measurement at its start can see those: they are what the rest above `memoryUtilizationPercent` is for.
"""

import os
import sys
from pathlib import Path

if __name__ == "__main__":
    program = str(Path(__file__).with_name("filled_server.py"))
    os.execv(sys.executable, [sys.executable, program, "950", "1020"])
