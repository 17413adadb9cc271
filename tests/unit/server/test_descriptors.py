"""How many connections a process may hold by its limits, in processes that have them: a hard limit never comes back."""

from __future__ import annotations

import resource
import subprocess
import sys

import pytest

PROGRAM = """
import logging, resource
from plimsoll_server.descriptors import connections_that_fit
logging.basicConfig(format="%(message)s")
resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))
print(connections_that_fit(4096), resource.getrlimit(resource.RLIMIT_NOFILE))
"""
HIGH = 6_500
"""As much as is asked for, and somewhat more."""


@pytest.mark.skipif(resource.getrlimit(resource.RLIMIT_NOFILE)[1] < HIGH, reason="the machine allows fewer open files")
@pytest.mark.parametrize(
    ("soft", "hard", "connections", "raised"),
    [
        pytest.param(1024, HIGH, 4096, 6400, id="raised as far as needed"),
        pytest.param(HIGH, HIGH, 4096, HIGH, id="left where it is enough"),
        pytest.param(1024, 5000, 4096, 5000, id="enough for all that are held"),
        pytest.param(1024, 2000, 1744, 2000, id="fewer where the hard limit is low"),
        pytest.param(100, 100, 50, 100, id="half where it is very low"),
    ],
)
def test_as_many_connections_are_held_as_files_may_be_open(soft: int, hard: int, connections: int, raised: int) -> None:
    program = PROGRAM.format(soft=soft, hard=hard)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.strip() == f"{connections} {(raised, hard)}"
    told = f"{connections} connections are held at once instead of 4096: this process may have {raised} files open"
    assert (told in done.stderr) == (connections < 4096)
