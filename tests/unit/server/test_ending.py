"""A process ends also where something in it hangs."""

from __future__ import annotations

import subprocess
import sys

import pytest

HANGS = "import threading; from plimsoll_server.ending import end_soon; end_soon({code}); threading.Event().wait()"


@pytest.mark.parametrize("code", [0, 1])
def test_a_process_that_hangs_after_its_drain_ends_with_the_drains_code(code: int) -> None:
    ended = subprocess.run([sys.executable, "-c", HANGS.format(code=code)], timeout=60, check=False)
    assert ended.returncode == code
