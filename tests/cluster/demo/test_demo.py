"""`make demo` from its first step to its last, as a new user's machine plays it, in a home of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from plimsoll_sandbox.toolchain import Tools, plimsoll_home

DEADLINE_SECONDS = 900
STEPS = 11

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.thorough, pytest.mark.timeout(DEADLINE_SECONDS + 120)]


@pytest.fixture
def home(tmp_path: Path, tools: Tools, demo_model: Path) -> Iterator[Path]:
    """With what is built once, and without a sandbox: whoever looks at a demo of their own keeps it."""
    home = tmp_path / "home"
    home.mkdir()
    for built in ("tools", "models"):
        (home / built).symlink_to(plimsoll_home() / built)
    yield home
    down = (str(Path(sys.executable).with_name("plimsoll-sandbox")), "down", "--name", "demo")
    subprocess.run(down, env=environment(home), check=True, timeout=120, capture_output=True)
    assert not (home / "sandboxes" / "demo").exists(), "the demo's sandbox is still there"


def environment(home: Path) -> dict[str, str]:
    return {**os.environ, "PLIMSOLL_HOME": str(home)}


def test_it_serves_scales_takes_the_bad_change_back_tells_why_and_promotes_the_good_one(home: Path) -> None:
    pictures = [home / "demo.svg", home / "demo-changes.svg"]
    demo = subprocess.run(
        [sys.executable, "-m", "plimsoll_sandbox.demo", "--record", str(pictures[0])],
        env=environment(home),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=DEADLINE_SECONDS,
        check=False,
    )
    told = demo.stdout
    assert demo.returncode == 0, told
    assert re.findall(r"\[(\d+)/11\]", told) == [str(step + 1) for step in range(STEPS)]

    serving, bad, why, good = re.split(r"\[8/11\]|\[9/11\]|\[10/11\]", told)
    assert re.search(r"ready replicas 1 → 2", serving)
    assert re.search(r"ready replicas 2 → 1", serving)

    assert re.search(r"first bad answer: 500", bad)
    assert re.search(r"RolledBack: revision \w+ was taken back \(MoreErrors", bad)
    assert re.search(r"\d+ s from the first bad answer to all traffic back on stable", bad)
    assert re.search(r"stable's pod \S+ is the one of before, restarted 0 times", bad)

    assert "EVIDENCE: ROLLED BACK AT ITS LIMIT" in why
    assert "Ready=True  Serving" in why
    plot = home / "demo-rollback.png"
    assert f"thesameplotasapicture:{plot}".replace(str(Path.home()), "~") in "".join(why.split())
    assert plot.read_bytes().startswith(b"\x89PNG")

    assert re.search(r"promoted: its pod goes on, the one before ends; 0 of [\d,]+ requests failed", good)
    for picture in pictures:
        assert picture.read_text().startswith("<svg")
