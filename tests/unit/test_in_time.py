"""A bound of seconds holds where the machine keeps up with its work, and a few times as much on any."""

from __future__ import annotations

import os

import pytest

from cluster.rollouts.verdicts import in_time

CORES = os.cpu_count() or 1
CASES = [
    pytest.param(60, 1.5 * CORES, True, id="in time"),
    pytest.param(61, 1.5 * CORES, False, id="late on a quiet machine"),
    pytest.param(200, 9 * CORES, True, id="late on a busy one"),
    pytest.param(300, 9 * CORES, False, id="too late on any"),
]


@pytest.mark.parametrize(("seconds", "load", "holds"), CASES)
def test_a_bound_holds_by_what_the_machine_has_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], seconds: float, load: float, *, holds: bool
) -> None:
    monkeypatch.setattr(os, "getloadavg", lambda: (load, load, load))
    if holds:
        in_time(seconds, 60)
    else:
        with pytest.raises(AssertionError):
            in_time(seconds, 60)
    assert f"{seconds} s of 60 s" in capsys.readouterr().out
